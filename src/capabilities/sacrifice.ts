import * as z from "zod";
import { Failure } from "../errors.ts";
import { capability } from "./capability.ts";
import { sessionId } from "./records.ts";

export const sacrifice = capability({
  name: "sacrifice",
  summary: "Deletes an ended session and everything logged of it, for good.",
  effect: "destroy",
  input: z.strictObject({
    session: sessionId.describe("session id"),
    confirm: z.boolean().default(false).describe("must be true: this cannot be undone"),
  }),
  output: z.object({ id: z.string(), sacrificed: z.literal(true) }),
  failures: ["session_not_found", "session_live", "confirmation_required"],
  right: "descendants",
  tool: {
    title: "Sacrifice a session",
    description:
      "Deletes an ended session and everything logged of it, for good. Only when the user asked for that: archive hides one.",
  },
  positional: ["session"],
  async run({ session, confirm }, { sessions, rituals, intent }) {
    if (intent?.begun === session && sessions.find(session) === undefined) {
      await rituals.scrub();
      return sacrificed(session);
    }
    const { id, title } = sessions.requireEnded(session, "sacrificed");
    if (!confirm) {
      // The title stands in the hint, which is not logged: what is deleted for good is not to be read in a log either.
      throw new Failure("confirmation_required", `sacrificing session ${id} deletes it for good`, {
        hint: `Pass confirm: true (CLI: --yes) if it is the one meant (${title}), or archive it instead.`,
        details: { sessionId: id },
      });
    }
    await rituals.sacrifice(session, intent?.begin);
    return sacrificed(id);
  },
});

const sacrificed = (id: string) => ({ id, sacrificed: true as const });

import * as z from "zod";
import { Failure } from "../errors.ts";
import { capability } from "./capability.ts";
import { sessionId } from "./records.ts";

export const sacrifice = capability({
  name: "sacrifice",
  summary: "Deletes an ended session, everything logged of it and its worktree, for good.",
  effect: "destroy",
  input: z.strictObject({
    session: sessionId.describe("session id"),
    confirm: z.boolean().default(false).describe("must be true: this cannot be undone"),
    force: z.boolean().default(false).describe("although work in its worktree would be lost"),
  }),
  output: z.object({
    id: z.string(),
    sacrificed: z.literal(true),
    /** The branch of its worktree, where that has commits of its own or is in use. */
    branchKept: z.string().optional(),
  }),
  failures: [
    "session_not_found",
    "session_live",
    "confirmation_required",
    "worktree_not_clean",
    "git_failed",
  ],
  right: "descendants",
  tool: {
    title: "Sacrifice a session",
    description:
      "Deletes an ended session and everything logged of it, for good. Only when the user asked for that: archive hides one.",
    get input(): z.ZodObject {
      // A model that would lose something is told of it by the failure.
      return sacrifice.input.extend({ force: z.boolean().default(false) });
    },
  },
  positional: ["session"],
  async run({ session, confirm, force }, { sessions, rituals, intent }) {
    if (intent?.begun === session && sessions.find(session) === undefined) {
      await rituals.scrub();
      return sacrificed(session);
    }
    const { id, title } = sessions.requireEnded(session, "sacrificed");
    if (!confirm) {
      // Whoever forces it at once is told what for before it is gone.
      const lost = force ? await rituals.lostWith(id) : "";
      // The title stands in the hint, which is not logged: what is deleted for good is not to be read in a log either.
      throw new Failure(
        "confirmation_required",
        `sacrificing session ${id} deletes it for good${lost === "" ? "" : `, and in its worktree ${lost}`}`,
        {
          hint: `Pass confirm: true (CLI: --yes) if it is the one meant (${title}), or archive it instead.`,
          details: { sessionId: id },
        },
      );
    }
    const branchKept = await rituals.sacrifice(session, force, intent?.begin);
    return { ...sacrificed(id), ...(branchKept === undefined ? {} : { branchKept }) };
  },
});

const sacrificed = (id: string) => ({ id, sacrificed: true as const });

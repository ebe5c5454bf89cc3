import * as z from "zod";
import { Failure } from "../errors.ts";
import { capability } from "./capability.ts";
import { sessionId, wakeRecord } from "./records.ts";
import { briefWake, shownWake } from "./wake.ts";

export const unwake = capability({
  name: "unwake",
  summary: "Takes a follow-up back that still waits.",
  effect: "write",
  input: z.strictObject({
    wake: z.string().min(1).max(1024).describe("wake id"),
    session: sessionId.optional().describe("only if it is a wake of this session"),
  }),
  output: wakeRecord,
  failures: ["session_not_found", "wake_not_found", "wake_over"],
  right: "project",
  tool: {
    title: "Cancel a wake",
    description: "Takes a wake back (a follow-up message, reminder or timer) that was not delivered yet.",
    get input(): z.ZodObject {
      return unwake.input.omit({ session: true });
    },
    output: briefWake,
  },
  positional: ["wake"],
  async run({ wake: id, session }, { wakes, sessions, caller, intent }) {
    const { identity } = caller;
    if (session !== undefined) sessions.get(session);
    const asked = wakes.get(id);
    if (session !== undefined && asked.session_id !== session) {
      throw new Failure("wake_not_found", `session ${session} has no wake ${id}`, {
        hint: "List those of a session with wakes.",
        details: { wakeId: id, sessionId: session },
      });
    }
    const isOwn =
      identity.kind === "owner" || [asked.from_session, asked.session_id].includes(identity.session);
    if (!isOwn && !sessions.isDescendant(asked.session_id, identity.session)) {
      throw new Failure("not_permitted", `wake ${id} is not for session ${identity.session} to take back`, {
        hint: "A session may take back those that it asked for, and those to itself and to what it launched.",
        details: { wakeId: id },
      });
    }
    const begin = intent?.begin ?? (() => undefined);
    const isDone = intent?.begun !== undefined && asked.state === "cancelled";
    return shownWake({ ...(isDone ? asked : await wakes.unwake(id, begin)), hold: undefined });
  },
});

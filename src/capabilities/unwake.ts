import * as z from "zod";
import { Failure } from "../errors.ts";
import { capability } from "./capability.ts";
import { wakeRecord } from "./records.ts";
import { shownWake } from "./wake.ts";

export const unwake = capability({
  name: "unwake",
  summary: "Takes a follow-up back that still waits.",
  effect: "write",
  input: z.strictObject({ wake: z.string().max(1024).describe("wake id") }),
  output: wakeRecord,
  failures: ["wake_not_found", "wake_over"],
  right: "anyone",
  tool: { title: "Cancel a wake", description: "Takes back a follow-up that was not delivered yet." },
  positional: ["wake"],
  async run({ wake: id }, { wakes, sessions, caller, intent }) {
    const { identity } = caller;
    const asked = wakes.get(id);
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

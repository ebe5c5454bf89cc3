import * as z from "zod";
import { isLive } from "../events.ts";
import { capability } from "./capability.ts";
import { briefRecord, sessionId, sessionRecord } from "./records.ts";

export const kill = capability({
  name: "kill",
  summary:
    "Ends a live session with its whole process tree, or what an ended one left running; its log and record stay.",
  effect: "destroy",
  input: z.strictObject({
    session: sessionId.describe("session id"),
    graceMs: z
      .int()
      .min(0)
      .max(4000)
      .default(2000)
      .describe("how long it may take to end by itself when asked"),
  }),
  output: sessionRecord,
  failures: [
    "session_not_found",
    "session_not_live",
    "external_session_not_killable",
    "kill_failed",
    "runtime_unavailable",
  ],
  right: "descendants",
  tool: {
    title: "Kill a session",
    description:
      "Kills a live agent session with all its processes, or what an ended one left running; its wakes are cancelled, its log and record stay.",
    get input(): z.ZodObject {
      return kill.input.omit({ graceMs: true });
    },
    output: briefRecord,
  },
  positional: ["session"],
  async run({ session, graceMs }, { sessions, leftovers, intent }) {
    const { status } = sessions.get(session);
    const isOver = !isLive(status) && leftovers.leftBehind(session).length === 0;
    if (intent?.begun === session && isOver) return sessions.get(session);
    intent?.announce(session);
    return sessions.kill(session, graceMs);
  },
});

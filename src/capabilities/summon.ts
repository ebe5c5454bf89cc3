import * as z from "zod";
import { capability } from "./capability.ts";
import { briefRecord, sessionId, sessionRecord } from "./records.ts";

export const summon = capability({
  name: "summon",
  summary: "Brings an archived session back into the list.",
  effect: "write",
  input: z.strictObject({ session: sessionId.describe("session id") }),
  output: sessionRecord,
  failures: ["session_not_found", "session_live"],
  right: "descendants",
  tool: {
    title: "Summon a session",
    description: "Brings an archived session back into list. It does not wake or run it.",
    output: briefRecord,
  },
  positional: ["session"],
  run: async ({ session }, { rituals, sessions, intent }) =>
    intent?.begun === undefined ? rituals.summon(session, intent?.begin) : sessions.get(session),
});

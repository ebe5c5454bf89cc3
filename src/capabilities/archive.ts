import * as z from "zod";
import { capability } from "./capability.ts";
import { briefRecord, sessionId, sessionRecord } from "./records.ts";

export const archive = capability({
  name: "archive",
  summary: "Hides an ended session from the list; its log stays and summon brings it back.",
  effect: "write",
  input: z.strictObject({ session: sessionId.describe("session id") }),
  output: sessionRecord,
  failures: ["session_not_found", "session_live"],
  right: "descendants",
  tool: {
    title: "Archive a session",
    description: "Hides an ended session from list; its log stays and summon brings it back.",
    output: briefRecord,
  },
  positional: ["session"],
  run: async ({ session }, { rituals, sessions, intent }) =>
    intent?.begun === undefined ? rituals.archive(session, intent?.begin) : sessions.get(session),
});

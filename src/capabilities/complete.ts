import * as z from "zod";
import { capability } from "./capability.ts";
import { sessionId, sessionRecord } from "./records.ts";

export const complete = capability({
  name: "complete",
  summary: "Tells the end of a session that runs outside Coven: completed, or failed with an exit code.",
  effect: "write",
  input: z.strictObject({
    session: sessionId.describe("session id"),
    exitCode: z.int32().nullish().describe("what it exited with; failed unless 0"),
  }),
  output: sessionRecord,
  failures: ["session_not_found", "not_external_session"],
  right: "owner",
  tool: false,
  positional: ["session"],
  run: async ({ session, exitCode }, { external, intent }) =>
    external.complete(session, exitCode ?? null, (id) => intent?.begin(id)),
});

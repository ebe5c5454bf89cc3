import * as z from "zod";
import { capability } from "./capability.ts";
import { sessionId, sessionRecord } from "./records.ts";

export const record = capability({
  name: "record",
  summary: "The record of one session, in the published form; status says more in fewer fields.",
  effect: "read",
  input: z.strictObject({ session: sessionId.describe("session id") }),
  output: sessionRecord,
  failures: ["session_not_found"],
  right: "project",
  tool: false,
  positional: ["session"],
  run: async ({ session }, { sessions }) => sessions.get(session),
});

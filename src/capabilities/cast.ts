import * as z from "zod";
import { capability } from "./capability.ts";
import { sessionId } from "./records.ts";

export const cast = capability({
  name: "cast",
  summary: "Keeps a Cast Code as it is, in the log of the session it is for or in that of the composer.",
  effect: "write",
  input: z.strictObject({
    code: z.string().trim().min(1).describe("the code as it was written"),
    target: sessionId.nullish().describe("id of the session it is for"),
  }),
  output: z.object({ accepted: z.literal(true), cast_id: z.string(), echo: z.string() }),
  failures: ["session_not_found", "cast_too_large"],
  right: "owner",
  tool: false,
  positional: ["code"],
  run: async ({ code, target }, { casts, intent }) =>
    casts.submit(code, target === undefined || target === "" ? null : target, intent),
});

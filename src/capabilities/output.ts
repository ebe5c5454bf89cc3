import * as z from "zod";
import { capability } from "./capability.ts";
import { sessionId } from "./records.ts";

/** Most bytes in one answer: the raw stream (`GET /sessions/:id/output`) has no limit. */
const outputBytesMax = 256 * 1024;

export const output = capability({
  name: "output",
  summary: "Reads the raw bytes a session printed, in base64; tail gives readable text instead.",
  effect: "read",
  input: z.strictObject({
    session: sessionId.describe("session id"),
    afterSeq: z.int().min(0).default(0).describe("only what was printed after this seq"),
    limit: z.int().min(1).max(outputBytesMax).default(outputBytesMax).describe("about so many bytes"),
  }),
  output: z.object({
    dataBase64: z.string(),
    nextCursor: z.object({ afterSeq: z.int() }),
    hasMore: z.boolean(),
  }),
  failures: ["session_not_found"],
  right: "project",
  tool: false,
  positional: ["session"],
  async run({ session, afterSeq, limit }, { sessions, reader }) {
    sessions.get(session);
    const { bytes, seq, hasMore } = reader.outputUpTo(session, afterSeq, limit);
    return { dataBase64: bytes.toString("base64"), nextCursor: { afterSeq: seq }, hasMore };
  },
});

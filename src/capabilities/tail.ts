import * as z from "zod";
import { Failure } from "../errors.ts";
import { capability } from "./capability.ts";
import { sessionId } from "./records.ts";

/** A screenful, where a caller does not say how much it wants. */
const linesUsual = 20;

export const tail = capability({
  name: "tail",
  summary:
    "The last lines of a session as clean text, or with a cursor what was said and printed after it, page by page.",
  effect: "read",
  input: z.strictObject({
    session: sessionId.describe("session id"),
    lines: z
      .int()
      .min(1)
      .max(10_000)
      .optional()
      .describe(`how many lines (default: ${linesUsual}); not with a cursor`),
    maxBytes: z.int().min(64).max(1_000_000).default(4000).describe("at most so many bytes of text"),
    cursor: z.string().optional().describe("what is new since: cursor of run, wake, watch or tail"),
  }),
  output: z.object({
    text: z.string(),
    /** Text was left out: what follows, with a cursor; what is older, without one. */
    more: z.boolean(),
    /** With a cursor: the line being written, as it stands. It comes in the text once it has ended. */
    unfinished: z.string().optional(),
    cursor: z.string(),
  }),
  failures: ["session_not_found"],
  right: "project",
  tool: {
    title: "Read what a session said",
    description:
      "Reads a session's output, log or transcript as clean text. Without a cursor: the last lines (more: older ones are left out; the cursor of run gives all). With a cursor: what is new since, oldest first; while more is true call again with the cursor answered. unfinished is a line still being written, such as a question. For a full-screen dialog use screen.",
    core: true,
  },
  positional: ["session"],
  async run({ session, lines, maxBytes, cursor }, { sessions, reader }) {
    sessions.get(session);
    if (cursor === undefined) {
      const until = reader.lastSeq();
      const { text, truncated } = reader.tail(session, { lines: lines ?? linesUsual, maxBytes, until });
      return { text, more: truncated, cursor: reader.cursorAt(until) };
    }
    if (lines === undefined) return reader.textAfter(session, cursor, maxBytes);
    throw new Failure("invalid_request", "tail: lines and cursor exclude each other", {
      hint: "Leave lines out: maxBytes says how much of what follows the cursor is answered.",
    });
  },
});

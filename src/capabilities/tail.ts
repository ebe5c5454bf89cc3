import * as z from "zod";
import { capability } from "./capability.ts";
import { sessionId } from "./records.ts";

export const tail = capability({
  name: "tail",
  summary:
    "The last lines of a session as clean text: what was said and printed, without escape sequences or JSON.",
  effect: "read",
  input: z.strictObject({
    session: sessionId.describe("session id"),
    lines: z.int().min(1).max(10_000).default(20).describe("how many lines"),
    maxBytes: z.int().min(64).max(1_000_000).default(4000).describe("at most so many bytes"),
  }),
  output: z.object({ text: z.string(), truncated: z.boolean(), cursor: z.string() }),
  failures: ["session_not_found"],
  right: "project",
  tool: {
    title: "Read the end of a session",
    description:
      "The last lines an agent session said and printed, as clean text. Use it to see what a running agent does, or why one failed; status has the last message. A screenful unless lines and maxBytes ask for more.",
    core: true,
  },
  positional: ["session"],
  async run({ session, lines, maxBytes }, { sessions, reader }) {
    sessions.get(session);
    return { ...reader.tail(session, lines, maxBytes), cursor: reader.cursorAt(reader.lastSeq()) };
  },
});

import * as z from "zod";
import { capability } from "./capability.ts";
import { sessionId } from "./records.ts";

export const screen = capability({
  name: "screen",
  summary: "The terminal of a session as a person sees it, now or as it was at a place in the log.",
  effect: "read",
  input: z.strictObject({
    session: sessionId.describe("session id"),
    seq: z.int().min(1).optional().describe("as it was at this seq of the log"),
    maxBytes: z.int().min(64).max(1_000_000).default(8000).describe("at most so many bytes, from the bottom"),
  }),
  output: z.object({
    /** A session without a terminal shows the end of its transcript instead. */
    kind: z.enum(["terminal", "transcript"]),
    text: z.string(),
    truncated: z.boolean(),
    columns: z.int().optional(),
    rows: z.int().optional(),
    /** Where the next character would appear, counted from 1 at the top left. */
    caret: z.object({ row: z.int(), column: z.int() }).optional(),
    title: z.string().optional(),
    /** What it was drawn from has been pruned, at least in part. */
    pruned: z.literal(true).optional(),
    seq: z.int(),
    cursor: z.string(),
  }),
  failures: ["session_not_found", "runtime_unavailable"],
  right: "project",
  tool: {
    title: "Look at a session's terminal screen",
    description:
      "Shows an interactive session's terminal (TUI) as a person sees it: dialog, menu, permission prompt. Look before you type with input, and after it. Costs up to 2 KB; to read what was said, tail is cheaper; to wait for a change, watch with the cursor.",
    get input(): z.ZodObject {
      return screen.input.omit({ seq: true, maxBytes: true });
    },
  },
  positional: ["session"],
  run: ({ session, seq, maxBytes }, { screens, caller }) =>
    screens.look(session, { seq, maxBytes, signal: caller.signal }),
});

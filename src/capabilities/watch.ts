import * as z from "zod";
import { Failure } from "../errors.ts";
import { sessionStatuses } from "../events.ts";
import { capability } from "./capability.ts";
import { runOutcome, sessionId } from "./records.ts";
import { outcomeOf } from "./run-outcome.ts";

/** Most sessions in one wait: what one supervisor runs at once, with room. */
const sessionsMax = 256;
/** Longest wait that can be asked for: a day. Without a limit it lasts until the caller leaves. */
const timeoutMsMax = 24 * 60 * 60 * 1000;

export const watch = capability({
  name: "watch",
  summary:
    "Waits until sessions end, print or match; waiting: the time is over, go on from the cursor; gone: it cannot happen any more.",
  effect: "read",
  input: z.strictObject({
    sessions: z.array(sessionId).min(1).max(sessionsMax).describe("the session ids"),
    until: z.enum(["terminal", "output"]).default("terminal").describe("their end, or anything printed"),
    count: z
      .union([z.enum(["any", "all"]), z.int().min(1)])
      .default("all")
      .describe("how many of them: any, all or a number"),
    matchText: z.string().min(1).max(1000).optional().describe("a text in what they print"),
    matchPattern: z.string().min(1).max(1000).optional().describe("a regular expression (RE2) for a line"),
    cursor: z.string().optional().describe("look after this place: cursor of run, events or watch"),
    timeoutMs: z.int().min(1).max(timeoutMsMax).optional().describe("answer waiting after this long"),
  }),
  output: z.object({
    outcome: z.enum(["met", "waiting", "gone"]),
    sessions: z.array(
      runOutcome.partial().extend({
        id: z.string(),
        met: z.boolean(),
        status: z.enum([...sessionStatuses, "gone"]),
        title: z.string().optional(),
        /** The line that matched. */
        line: z.string().optional(),
      }),
    ),
    cursor: z.string(),
  }),
  failures: ["session_not_found"],
  right: "project",
  tool: {
    title: "Wait for sessions",
    description:
      "Waits until sessions end, print or match; waiting: the time is over, go on from the cursor; gone: it cannot happen any more.",
  },
  positional: ["sessions"],
  async run(
    { sessions: ids, until, count, matchText, matchPattern, cursor, timeoutMs },
    { watches, sessions, caller },
  ) {
    if (matchText !== undefined && matchPattern !== undefined) {
      throw new Failure("invalid_request", "watch: matchText and matchPattern exclude each other", {
        hint: "A pattern can hold the text as well.",
      });
    }
    const match =
      matchText !== undefined
        ? { text: matchText }
        : matchPattern === undefined
          ? undefined
          : { pattern: matchPattern };
    const {
      outcome,
      sightings,
      cursor: next,
    } = await watches.watch({
      sessions: ids,
      until,
      count,
      match,
      cursor,
      timeoutMs,
      signal: caller.signal,
    });
    return {
      outcome,
      sessions: sightings.map(({ id, met, line }) => {
        const session = sessions.find(id);
        if (session === undefined) return { id, met, status: "gone" as const };
        return {
          id,
          met,
          status: session.status,
          title: session.title,
          ...(line === undefined ? {} : { line }),
          ...outcomeOf(session, sessions.newestRun(id)),
        };
      }),
      cursor: next,
    };
  },
});

import * as z from "zod";
import { Failure } from "../errors.ts";
import { sessionStatuses } from "../events.ts";
import { capability } from "./capability.ts";
import { runOutcome, sessionId } from "./records.ts";
import { outcomeOf } from "./run-outcome.ts";
import { shortened } from "./shortened.ts";

/** Most sessions in one wait: what one supervisor runs at once, with room. */
const sessionsMax = 256;
/** Longest wait that can be asked for: a day. Without a limit it lasts until the caller leaves. */
const timeoutMsMax = 24 * 60 * 60 * 1000;

/** Longest title shown, bytes. */
const titleBytesMax = 40;

/** Of one wait by a model, ms: unless told, and at most. Its client gives a call up after 300 s. */
const toolTimeoutMs = 25_000;
const toolTimeoutMsMax = 240_000;

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
    cursor: z.string().optional().describe("look from here on: cursor of run, wake or watch"),
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
    /** What to do next, where that is not plain. */
    hint: z.string().optional(),
  }),
  failures: ["session_not_found"],
  right: "project",
  tool: {
    title: "Wait for sessions",
    description:
      "Waits for one or many sessions (agents, background subagents) until they end, print something or a text appears; answers how each ended with its last message, shortened. Costs nothing while it waits. outcome met: done; waiting: time is over, call again with the cursor answered; gone: it cannot happen any more.",
    core: true,
    get input(): z.ZodObject {
      return watch.input.extend({
        timeoutMs: watch.input.shape.timeoutMs
          .unwrap()
          .max(toolTimeoutMsMax)
          .default(toolTimeoutMs)
          .describe("answer waiting after this long"),
      });
    },
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
          title: shortened(session.title, titleBytesMax),
          ...(line === undefined ? {} : { line }),
          ...outcomeOf(session, sessions.newestRun(id), sightings.length),
        };
      }),
      cursor: next,
      ...(outcome === "met" ? {} : { hint: hints[outcome] }),
    };
  },
});

const hints = {
  waiting: "It goes on. Call watch again with this cursor.",
  gone: "It cannot happen any more: see the status of each session.",
} as const;

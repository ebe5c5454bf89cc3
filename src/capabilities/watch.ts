import * as z from "zod";
import { Failure } from "../errors.ts";
import { type Question, question, sessionStatuses } from "../events.ts";
import type { Sighting } from "../runtime/watch.ts";
import { type Context, capability } from "./capability.ts";
import { runOutcome, sessionId, wakeRecord } from "./records.ts";
import { endedRun, outcomeOf } from "./run-outcome.ts";
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
    until: z
      .enum(["terminal", "settled", "attention", "output"])
      .default("terminal")
      .describe(
        "terminal: their end; settled: that and no wake queued; attention: a question, or settled; output: anything printed",
      ),
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
        /** What it asks: answer replies to it. */
        question: question.optional(),
        /** Follow-ups that are not delivered: with `held` they wait for somebody. */
        wakes: z.object({ queued: z.int(), pending: z.int(), held: wakeRecord.shape.held }).optional(),
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
      "Waits for one or many sessions (agents, background subagents) until they end, ask, print something or a text appears; answers how each ended with its last message, shortened, or what it asks. Costs nothing while it waits. outcome met: done; waiting: time is over, call again with the cursor answered; gone: it cannot happen any more.",
    core: true,
    get input(): z.ZodObject {
      return watch.input.omit({ matchPattern: true }).extend({
        timeoutMs: watch.input.shape.timeoutMs
          .unwrap()
          .max(toolTimeoutMsMax)
          .default(toolTimeoutMs)
          .describe("answer waiting after this long"),
      });
    },
  },
  positional: ["sessions"],
  async run({ sessions: ids, until, count, matchText, matchPattern, cursor, timeoutMs }, context) {
    const { watches, caller } = context;
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
      sessions: sightings.map((sighting) => shown(sighting, { until, among: sightings.length }, context)),
      cursor: next,
      ...hintOf(outcome, sightings, context),
    };
  },
});

interface Wait {
  readonly until: string;
  /** How many sessions share the answer. */
  readonly among: number;
}

/** How the run ended that was waited for, which need not be the newest; else how the newest stands. */
function shown({ id, met, seen }: Sighting, { until, among }: Wait, { sessions, wakes }: Context) {
  const session = sessions.find(id);
  if (session === undefined) return { id, met, status: "gone" as const };
  const { line, ending, question: asked } = seen ?? {};
  const run = ending?.run == null ? undefined : sessions.findRun(ending.run);
  const counts = until === "settled" ? wakes.counts(id) : undefined;
  return {
    id,
    met,
    status: ending?.to ?? session.status,
    title: shortened(session.title, titleBytesMax),
    ...(line === undefined ? {} : { line }),
    ...(asked === undefined ? {} : { question: shortQuestion(asked, among) }),
    ...(counts && counts.queued + counts.pending > 0
      ? {
          wakes: {
            queued: counts.queued,
            pending: counts.pending,
            ...(counts.hold && { held: counts.hold }),
          },
        }
      : {}),
    ...(ending && run
      ? outcomeOf(endedRun(ending.to, run), run, among)
      : outcomeOf(session, sessions.newestRun(id), among)),
  };
}

/** Longest question, bytes, of all that are answered at once; longest choice, and most of them. */
const questionBytesMax = 1000;
const questionBytesMin = 60;
const choiceBytesMax = 80;
const choicesMax = 9;

const shortQuestion = ({ id, text, choices }: Question, among: number): Question => ({
  id,
  text: shortened(text, Math.max(questionBytesMin, Math.floor(questionBytesMax / among))),
  choices: choices
    .slice(0, choicesMax)
    .map((choice) => shortened(choice, Math.max(20, Math.floor(choiceBytesMax / among)))),
});

/** What to do next. What waits for its caller does not go on by waiting longer. */
function hintOf(
  outcome: "met" | "waiting" | "gone",
  sightings: readonly Sighting[],
  { sessions, activities }: Context,
): { hint?: string } {
  if (outcome === "met") return {};
  if (outcome === "gone") return { hint: "It cannot happen any more: see the status of each session." };
  const standing = (state: "attention" | "waiting"): string | undefined =>
    sightings.find(({ id, met }) => {
      const session = met ? undefined : sessions.find(id);
      return session !== undefined && activities.shown(session)?.state === state;
    })?.id;
  const [asking, idle] = [standing("attention"), standing("waiting")];
  const next = [
    ...(asking === undefined ? [] : [`${asking} asks something: status tells what, answer replies.`]),
    ...(idle === undefined ? [] : [`${idle} waits for a prompt: wake it, or kill it if it is done.`]),
  ];
  if (next.length === 0) return { hint: "It goes on. Call watch again with this cursor." };
  return { hint: `${next.join(" ")} Then call watch again with this cursor.` };
}

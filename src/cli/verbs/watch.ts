/** `watch`: waits for sessions as long as it takes, or shows their last lines. */
import { Argument, Option } from "commander";
import type * as z from "zod";
import { status } from "../../capabilities/status.ts";
import { tail } from "../../capabilities/tail.ts";
import { watch as action } from "../../capabilities/watch.ts";
import { Failure } from "../../errors.ts";
import { capabilityOf, jsonText } from "../action-verb.ts";
import { commandLineOf } from "../arguments.ts";
import { exitCodeOf, exitCodes } from "../exit-codes.ts";
import { isGiven, numberOf, textOf, textsOf, wholeNumber } from "../given.ts";
import { resolveId, shortId } from "../ids.ts";
import { throughRestarts } from "../../rpc/patience.ts";
import { answerLine, ended, held as heldBecause, numbered } from "../print.ts";
import { counted, oneLine } from "../text.ts";
import type { Cli, Given, Verb } from "../verb.ts";

type Answer = z.output<typeof action.output>;
type Watched = Answer["sessions"][number];

/** Lines shown by `--tail` alone. */
const tailLines = 20;
/** Most bytes of them: a screenful of long lines, many times over. */
const tailBytesMax = 256 * 1024;

const derived = commandLineOf({ ...capabilityOf("watch"), positional: [] });
const ownSpellings: ReadonlySet<string> = new Set(["sessions", "count"]);

export const watch: Verb = {
  name: "watch",
  summary: action.summary,
  arguments: [new Argument("<sessions...>", "session ids")],
  options: [
    ...derived.options.filter((option) => !ownSpellings.has(option.attributeName())),
    new Option("--any", "one of them is enough").conflicts("all"),
    new Option("--all", "all of them (the default)"),
    new Option("--count <number>", "so many of them are enough")
      .argParser(wholeNumber)
      .conflicts(["any", "all"]),
    new Option(
      "--tail [lines]",
      `print the last lines (${tailLines} unless said) instead of waiting`,
    ).argParser(wholeNumber),
  ],
  notes: `Waits without limit unless told otherwise. Of one session the exit code is its run's; 73 killed, 74 orphaned, 72 not
launched, 66 sacrificed meanwhile, 75 still waiting at the timeout. Of several it is 0 when all ended well, else 1.
With --until attention it is 0 for one that asks; the question and its choices are printed, with what answers it.
With --match or --until output it is 0 once it was seen.`,
  async run(cli, given) {
    const ids: string[] = [];
    for (const id of textsOf(given.arguments[0])) ids.push(await resolveId(cli, id));
    if (given.options["tail"] !== undefined)
      return showTails(cli, ids, numberOf(given.options["tail"]) ?? tailLines);
    const input = inputOf(given, ids);
    const answer = await waitFor(cli, input);
    process.stdout.write(
      cli.json ? jsonText(answer) : answer.sessions.map(summaryLine(answer, input)).join(""),
    );
    return exitCodeFor(answer, input);
  },
};

function inputOf({ options }: Given, sessions: readonly string[]): Record<string, unknown> {
  const count = numberOf(options["count"]) ?? (isGiven(options["any"]) ? "any" : "all");
  return { ...derived.decode({ arguments: [], options }), sessions, count };
}

/** Waits on where a restarted daemon left off; the time given is for all of it. */
async function waitFor(cli: Cli, input: Record<string, unknown>): Promise<Answer> {
  const timeoutMs = numberOf(input["timeoutMs"]);
  const deadline = timeoutMs === undefined ? undefined : performance.now() + timeoutMs;
  // Output is looked for from now on: the same now, should the wait have to begin again.
  const now = status.output.parse(await statusNow(cli)).cursor;
  const cursor = textOf(input["cursor"]) ?? (looksForOutput(input) ? now : undefined);
  const limit = (): object =>
    deadline === undefined ? {} : { timeoutMs: Math.max(1, Math.round(deadline - performance.now())) };
  return throughRestarts(async () => {
    const args = { ...input, ...(cursor === undefined ? {} : { cursor }), ...limit() };
    return action.output.parse(await cli.client.call("watch", args));
  });
}

/** A daemon that goes while it is asked is waited for, as it is later on; one that never was is an error. */
async function statusNow(cli: Cli): Promise<unknown> {
  try {
    return await cli.call("status", {});
  } catch (error) {
    if (!(error instanceof Failure) || error.details?.["isGone"] !== false) throw error;
    return throughRestarts(() => cli.client.call("status", {}));
  }
}

const looksForOutput = ({ until, matchText, matchPattern }: Record<string, unknown>): boolean =>
  until === "output" || matchText !== undefined || matchPattern !== undefined;

const summaryLine =
  ({ outcome }: Answer, input: Readonly<Record<string, unknown>>) =>
  (session: Watched): string => {
    const { id, title, line, denied = [], lastMessage, error, reason, wakes } = session;
    const parts = [
      `${shortId(id)} ${standing(session)}`,
      title === undefined ? undefined : oneLine(title, 60),
      outcome === "waiting" && !session.met ? "still waiting" : undefined,
      outcome === "gone" && !session.met && session.status !== "gone" && looksForOutput(input)
        ? endedWithoutIt(input)
        : undefined,
      line === undefined ? undefined : `matched: ${oneLine(line, 120)}`,
      reason === undefined ? undefined : oneLine(reason, 120),
      denied.length === 0
        ? undefined
        : `DENIED: ${denied.map(({ tool, input }) => oneLine(`${tool} ${input ?? ""}`, 60)).join(", ")}`,
      error === undefined ? undefined : `error: ${oneLine(error, 120)}`,
      lastMessage === undefined ? undefined : `said: ${oneLine(lastMessage, 120)}`,
      wakes === undefined ? undefined : wakesText(wakes),
    ];
    const summary = parts.filter((part) => part !== undefined && part !== "").join(" · ");
    return `${summary}\n${asked(session, input)}`;
  };

const wakesText = ({ queued, pending, held }: NonNullable<Watched["wakes"]>): string =>
  [
    queued === 0
      ? undefined
      : `${counted(queued, "wake")} ${held === undefined ? "queued" : `held: ${heldBecause[held]}`}`,
    pending === 0 ? undefined : `${counted(pending, "wake")} to come`,
  ]
    .filter((part) => part !== undefined)
    .join(", ");

/** The question as a person reads it, and how it is answered. */
function asked({ id, question, met, status }: Watched, { until }: Readonly<Record<string, unknown>>): string {
  if (question === undefined) {
    const isUntold = until === "attention" && met && status === "running";
    return isUntold ? `  it asks something: coven screen ${shortId(id)} shows it\n` : "";
  }
  const lines = [
    ...question.text.split("\n"),
    ...numbered(question.choices),
    `→ ${answerLine(id, question)}`,
  ];
  return lines.map((line) => `  ${line}\n`).join("");
}

/** Output is looked for from now on unless told otherwise: it may have been there before. */
const endedWithoutIt = ({ cursor }: Readonly<Record<string, unknown>>): string =>
  cursor === "0" ? "ended without it" : "ended without it; --cursor 0 looks at all of its log";

function standing({ status, exitCode, signal }: Watched): string {
  if (signal !== undefined && exitCode === null && status === "failed") return `${status} (${signal})`;
  return exitCode === undefined || exitCode === null ? status : `${status} (exit ${exitCode})`;
}

function exitCodeFor({ outcome, sessions }: Answer, input: Readonly<Record<string, unknown>>): number {
  if (outcome === "waiting") return exitCodes.waiting;
  if (looksForOutput(input)) {
    if (outcome === "met") return exitCodes.done;
    return sessions.some(({ status }) => status === "gone") ? exitCodes.gone : exitCodes.notAllWell;
  }
  // Who asks something is what was waited for.
  const isAsking = ({ met, status }: Watched): boolean => met && status === "running";
  const codeOf = (session: Watched): number => (isAsking(session) ? exitCodes.done : exitCodeOf(session));
  const [only] = sessions;
  if (sessions.length === 1 && only !== undefined) return codeOf(only);
  const allWell = sessions.filter(({ met }) => met).every((session) => codeOf(session) === exitCodes.done);
  return outcome === "met" && allWell ? exitCodes.done : exitCodes.notAllWell;
}

async function showTails(cli: Cli, ids: readonly string[], lines: number): Promise<number> {
  const tails = [];
  for (const session of ids) {
    const answer = tail.output.parse(await cli.call("tail", { session, lines, maxBytes: tailBytesMax }));
    tails.push({ session, ...answer });
  }
  if (cli.json) process.stdout.write(jsonText(ids.length === 1 ? tails[0] : tails));
  else {
    const heads = ids.length > 1;
    process.stdout.write(
      tails.map(({ session, text }) => (heads ? `== ${shortId(session)}\n` : "") + ended(text)).join(""),
    );
  }
  return exitCodes.done;
}

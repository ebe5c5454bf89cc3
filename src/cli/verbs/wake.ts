/** `wake`: a follow-up from the words or standard input; what it waits for is said on standard error. */
import { Argument, Option } from "commander";
import type * as z from "zod";
import { moment } from "../../capabilities/duration.ts";
import { wake as action } from "../../capabilities/wake.ts";
import { Failure } from "../../errors.ts";
import { intentOf, intentOption, jsonText } from "../action-verb.ts";
import { commandLineOf } from "../arguments.ts";
import { exitCodes } from "../exit-codes.ts";
import { isGiven, textOf } from "../given.ts";
import { resolveId, shortId } from "../ids.ts";
import { clockTime, localTime } from "../local-time.ts";
import { held } from "../print.ts";
import { standardInput } from "../standard-input.ts";
import { until } from "../text.ts";
import type { Given, Verb } from "../verb.ts";

const { options, decode } = commandLineOf({ ...action, positional: [] });

const described = (name: keyof typeof action.input.shape): string =>
  action.input.shape[name].description ?? "";

export const wake: Verb = {
  name: "wake",
  summary: action.summary,
  arguments: [
    new Argument("<session>", "session id"),
    new Argument("[words]", "what it is told; the same as --message"),
  ],
  options: [
    new Option("--message <text>", "what it is told; - reads it from standard input"),
    new Option("--delay <time>", described("delay")),
    new Option("--at <time>", "or when: 17:30, 2030-01-31T09:00 (local time), 2030-01-31T09:00:00Z"),
    new Option("--expires-in <time>", described("expiresIn")),
    new Option("--now", "say it to a live session at once, without waiting for the end of what it does"),
    ...options.filter((option) => ["revive", "model", "handoff"].includes(option.attributeName())),
    // As the other surfaces spell it.
    ...options.filter((option) => option.attributeName() === "when").map((option) => option.hideHelp()),
    intentOption,
  ],
  notes: `coven wake 1b4e28ba --message "the build is done; now deploy"
coven wake 1b4e28ba --message "look at the build again" --delay 30m
coven wake 1b4e28ba - < next.md

The wake's id is printed, and on standard error what it waits for. It is kept over restarts and delivered once, when the
session has done what it does now. An ended session goes on with its conversation in a new run. coven wakes shows how it
stands, coven unwake takes it back.`,
  async run(cli, given) {
    const handoff = textOf(given.options["handoff"]);
    const input = {
      ...decode({ arguments: [], options: given.options }),
      ...timeOf(given),
      ...(isGiven(given.options["now"]) ? { when: "now" } : {}),
      message: await messageOf(given),
      session: await resolveId(cli, textOf(given.arguments[0]) ?? ""),
      ...(handoff === undefined ? {} : { handoff: await resolveId(cli, handoff) }),
    };
    const answer = await cli.call("wake", input, { env: cli.env, ...intentOf(given) });
    if (cli.json) {
      process.stdout.write(jsonText(answer));
      return exitCodes.done;
    }
    const asked = action.output.parse(answer);
    process.stdout.write(`${asked.wake}\n`);
    process.stderr.write(`coven: ${outlook(asked)}\n`);
    return exitCodes.done;
  },
};

const hint =
  'For example: coven wake <session> --message "go on", or pipe it in: coven wake <session> - < next.md';

async function messageOf({ arguments: [, words], options }: Given): Promise<string> {
  const [said, flag] = [textOf(words), textOf(options["message"])];
  if (said !== undefined && flag !== undefined) {
    throw new Failure("invalid_request", "wake: the message is given twice, as a word and as --message", {
      hint,
    });
  }
  const message = said ?? flag;
  if (message === undefined) throw new Failure("invalid_request", "wake: the message is missing", { hint });
  if (message !== "-") return message;
  const missing = "the message - is read from standard input, and that is a terminal";
  const text = await standardInput({ verb: "wake", missing, hint });
  // The newline that ends a file is no part of the message.
  return text.replace(/\r?\n$/, "");
}

function timeOf({ options }: Given): { at?: string } {
  const at = textOf(options["at"]);
  if (at === undefined) return {};
  const time = localTime(at);
  if (moment.safeParse(time).success) return { at: time };
  throw new Failure("invalid_request", `wake: at: ${JSON.stringify(at)} is no time`, {
    hint: "Give one such as 17:30 or 2030-01-31T09:00, by this machine's clock, or 2030-01-31T09:00:00Z.",
  });
}

/** What it waits for, in a line. */
function outlook({ session, state, reason, held: why, dueAt }: z.output<typeof action.output>): string {
  const id = shortId(session);
  if (state === "pending") return `due ${clockTime(dueAt)}, in ${until(dueAt)}`;
  if (state !== "queued") return reason === undefined ? state : `${state}: ${reason}`;
  if (why !== undefined) return `held for session ${id}: ${held[why]}`;
  return `queued: session ${id} is told when it has done what it does now`;
}

/** `run`: launches a session, then stays with it: at its terminal, as a reader, or not at all. */
import { Argument, Option } from "commander";
import type * as z from "zod";
import { familiars } from "../../capabilities/familiars.ts";
import { launchedLanes, launchedSession, run as action } from "../../capabilities/run.ts";
import { Failure } from "../../errors.ts";
import { intentOf, intentOption, jsonText } from "../action-verb.ts";
import { commandLineOf } from "../arguments.ts";
import { type Standing, exitCodeOf, exitCodes } from "../exit-codes.ts";
import { follow } from "../follow.ts";
import { isGiven, repeated, textOf, textsOf } from "../given.ts";
import { resolveId, shortId } from "../ids.ts";
import { projectAround } from "../project.ts";
import { stayWith } from "./rejoin.ts";
import { standardInput } from "../standard-input.ts";
import type { Cli, Given, Verb } from "../verb.ts";

const laneOption = new Option(
  "--lane <harness: prompt>",
  "one of several sessions launched at once, all in the background (may be repeated)",
).argParser(repeated);

const { options, decode } = commandLineOf({ ...action, positional: [] });

export const run: Verb = {
  name: "run",
  summary: action.summary,
  arguments: [
    new Argument(
      "[words...]",
      "harness and prompt (- reads it from standard input); with --harness only the prompt",
    ),
  ],
  options: [
    ...options.filter((option) => !["prompt", "lanes"].includes(option.attributeName())),
    laneOption,
    intentOption,
    new Option("--detach", "print the session's id and leave it running"),
  ],
  notes: `coven run codex "fix the failing tests"
coven run --harness codex --project ~/code/example --title "fix tests" "fix the failing tests"
coven run codex - < prompt.md
coven run --familiar sage "review the last commit"
coven run --lane "codex: fix the tests" --lane "claude: review the last commit" --label release

The project is the git root around the working directory unless named; --cwd is relative to it.
In a terminal the mode is interactive and you are at the session's screen. Otherwise it is nonInteractive: what the
agent says is printed; which session it is and how it ended is said on standard error, and the exit code is the run's.
In a terminal ctrl-] leaves either running. With --json standard output is the status at the end, with --detach the
record at once.`,
  async run(cli, given) {
    const isDetached = isGiven(given.options["detach"]);
    const input = await inputOf(cli, given, isDetached);
    const answer = await cli.call("run", input, { env: cli.env, ...intentOf(given) });
    if ("lanes" in input) return printLanes(cli, launchedLanes.parse(answer));
    const launched = launchedSession.parse(answer);
    if (isDetached) {
      process.stdout.write(cli.json ? jsonText(launched) : `${launched.id}\n`);
      return exitCodes.done;
    }
    return stayWithIt(cli, launched);
  },
};

async function inputOf(cli: Cli, given: Given, isDetached: boolean): Promise<Record<string, unknown>> {
  const input = decode({ arguments: [], options: given.options });
  const handoff = textOf(input["handoff"]);
  if (handoff !== undefined) input["handoff"] = await resolveId(cli, handoff);
  const familiarId = textOf(input["familiarId"]);
  const familiar = familiarId === undefined ? undefined : await familiarOf(cli, familiarId);
  const isAtTerminal = process.stdin.isTTY && process.stdout.isTTY && !isDetached && !cli.json;
  // What a familiar has of its own is left to it.
  const common = {
    ...(familiar?.projectRoot === undefined ? { projectRoot: projectAround(process.cwd()) } : {}),
    ...input,
  };
  const usualMode = (mode: string): object =>
    familiar?.launchMode === undefined ? { launchMode: mode } : {};
  const lanes = textsOf(given.options["lane"]);
  if (lanes.length > 0) return { ...usualMode("nonInteractive"), ...common, lanes: lanes.map(laneOf) };
  const { harness, prompt } = wordsOf(given, textOf(input["harness"]), familiarId !== undefined);
  return {
    ...usualMode(isAtTerminal ? "interactive" : "nonInteractive"),
    ...common,
    ...(harness === undefined ? {} : { harness }),
    prompt: prompt === "-" ? await promptFromInput() : prompt,
  };
}

async function familiarOf(cli: Cli, id: string) {
  const { familiars: known } = familiars.output.parse(await cli.call("familiars", {}));
  return known.find((each) => each.id.toLowerCase() === id.toLowerCase());
}

/** The newline that ends a file is no part of the task. */
async function promptFromInput(): Promise<string> {
  const text = await standardInput({
    verb: "run",
    missing: "the prompt - is read from standard input, and that is a terminal",
    hint: "Pipe the prompt in: coven run codex - < prompt.md",
  });
  if (text.trim() !== "") return text.replace(/\r?\n$/, "");
  throw new Failure("invalid_request", "run: the prompt on standard input must not be blank", {
    hint: "Pipe the prompt in: coven run codex - < prompt.md",
  });
}

/** `<harness> <prompt>`, or `<prompt>` where the harness is an option or the familiar's. */
function wordsOf(
  { arguments: [words] }: Given,
  named: string | undefined,
  hasFamiliar: boolean,
): { harness?: string; prompt: string } {
  const given = Array.isArray(words) ? words.map(String) : [];
  const [only, second] = given;
  if (hasFamiliar && named === undefined && only !== undefined && second === undefined)
    return { prompt: only };
  const [harness, prompt, ...rest] = named === undefined ? given : [named, ...given];
  if (harness === undefined || prompt === undefined) {
    const missing = harness === undefined ? "harness and prompt are" : "the prompt is";
    throw new Failure("invalid_request", `run: ${missing} missing`, {
      hint: 'For example: coven run codex "fix the failing tests"',
    });
  }
  if (rest.length > 0) {
    throw new Failure("invalid_request", `run: too many words, from ${JSON.stringify(rest[0])} on`, {
      hint: "Put the prompt in quotes.",
      details: { rest },
    });
  }
  return { harness, prompt };
}

/** What stands before the first colon is the harness. */
function laneOf(text: string): { harness: string; prompt: string } {
  const [, harness, prompt] = /^\s*([\w.-]+)\s*:\s*([^]+)$/.exec(text) ?? [];
  if (harness !== undefined && prompt !== undefined) return { harness, prompt };
  throw new Failure("invalid_request", `run: not a lane: ${JSON.stringify(text)}`, {
    hint: "Give each as harness and prompt: --lane 'codex: fix the failing tests'",
  });
}

function printLanes(cli: Cli, launched: z.output<typeof launchedLanes>): number {
  const ids = launched.sessions.map(({ id }) => `${id}\n`);
  process.stdout.write(cli.json ? jsonText(launched) : ids.join(""));
  return exitCodes.done;
}

async function stayWithIt(cli: Cli, launched: z.output<typeof launchedSession>): Promise<number> {
  if (cli.json) {
    const standing = await untilEnd(cli, { session: launched.id, afterSeq: 0 });
    process.stdout.write(jsonText(await cli.call("status", { session: launched.id })));
    return exitCodeOf(standing);
  }
  // A screen says by itself what it shows.
  if (launched.launch_mode !== "interactive" || !process.stdout.isTTY)
    process.stderr.write(`coven: session ${shortId(launched.id)} runs ${launched.harness}\n`);
  return stayWith(cli, launched);
}

async function untilEnd(cli: Cli, place: { session: string; afterSeq: number }): Promise<Standing> {
  const events = follow(cli, place);
  for (;;) {
    const next = await events.next();
    if (next.done === true) return next.value;
  }
}

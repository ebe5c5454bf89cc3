/**
 * `rejoin`: a session's terminal, replayed from its log and then live; or, of a structured session, its conversation.
 *
 * A daemon that goes away meanwhile is waited for, and the terminal attached again from where it was.
 */
import { Argument, Option } from "commander";
import { record } from "../../capabilities/record.ts";
import { Failure } from "../../errors.ts";
import type { WantedControl } from "../../rpc/client.ts";
import { atScreen } from "../terminal/attached.ts";
import { type Standing, exitCodeOf, exitCodes } from "../exit-codes.ts";
import { follow, followText, write } from "../follow.ts";
import { isGiven, textOf } from "../given.ts";
import { resolveId, shortId } from "../ids.ts";
import { sayingOnInterrupt } from "../terminal/interrupt.ts";
import { takeKeys } from "../terminal/keyboard.ts";
import { stayingWith } from "../patience.ts";
import { replay } from "../terminal/replay.ts";
import type { Cli, Verb } from "../verb.ts";

interface Session {
  readonly id: string;
  readonly launch_mode: string;
}

export const rejoin: Verb = {
  name: "rejoin",
  alias: "attach",
  summary:
    "Shows a session from its start and stays at it: its terminal with your keys, or its conversation.",
  arguments: [new Argument("<session>", "session id")],
  options: [
    new Option("--take", "take the keys, also from another terminal").conflicts("view"),
    new Option("--view", "only look on, also when no other terminal is at the keys"),
  ],
  notes: `ctrl-] leaves the session running and gives the terminal back. Without a terminal the bytes are printed as they are.
One terminal at a time is at the keys; while another one is, this one looks on until it takes them.
The exit code is the run's, 0 after ctrl-].`,
  async run(cli, { arguments: [id], options }) {
    if (cli.json) {
      throw new Failure("invalid_request", "rejoin: what a session shows is no JSON", {
        hint: "Leave out --json; coven events <session> --json has the session as JSON.",
      });
    }
    const session = await resolveId(cli, textOf(id) ?? "");
    const found = record.output.parse(await cli.call("record", { session }));
    const wanted = isGiven(options["take"]) ? "take" : isGiven(options["view"]) ? "view" : "control";
    return stayWith(cli, found, wanted);
  },
};

/** Stays until the session has ended, or the person has left; says which, and answers the exit code. */
export async function stayWith(
  cli: Cli,
  session: Session,
  wanted: WantedControl = "control",
): Promise<number> {
  const standing = await (session.launch_mode !== "interactive"
    ? asText(cli, session.id)
    : isScreen()
      ? atScreen(cli, session.id, wanted)
      : asBytes(cli, session.id));
  process.stderr.write(`coven: session ${shortId(session.id)} ${inWords(standing)}\n`);
  return standing === undefined ? exitCodes.done : exitCodeOf(standing);
}

const isScreen = (): boolean => process.stdin.isTTY && process.stdout.isTTY;

/** A conversation to read; at a terminal ctrl-] leaves it, as it does a screen. */
async function asText(cli: Cli, session: string): Promise<Standing | undefined> {
  const leaving = new AbortController();
  const giveBack = takeKeys(() => leaving.abort());
  try {
    return await stayingWith(session, leaving.signal, (waiting) =>
      sayingOnInterrupt(session, () => followText(cli, { session, afterSeq: 0 }, waiting)),
    );
  } finally {
    giveBack();
  }
}

function inWords(standing: Standing | undefined): string {
  if (standing === undefined) return "goes on; coven rejoin brings you back";
  const { status, exitCode, signal } = standing;
  if (exitCode !== undefined && exitCode !== null) return `${status} (exit ${exitCode})`;
  return signal === undefined ? status : `${status} (${signal})`;
}

/** Without a terminal: every byte, in order, once. */
async function asBytes(cli: Cli, session: string): Promise<Standing> {
  let seq = await replay(cli.client, { session, afterSeq: 0 }, write);
  const events = follow(cli, { session, afterSeq: seq });
  for (;;) {
    const next = await events.next();
    if (next.done === true) return next.value;
    const { kind, seq: eventSeq } = next.value;
    if (kind === "output" && eventSeq > seq)
      seq = await replay(cli.client, { session, afterSeq: seq }, write);
  }
}

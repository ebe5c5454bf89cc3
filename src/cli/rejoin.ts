/**
 * `rejoin`: a session's terminal, replayed from its log and then live; or, of a structured session, its conversation.
 *
 * The replay is read from the log up to a place, the terminal is attached from there, so nothing is shown twice or
 * left out. A daemon that goes away meanwhile is waited for, and the terminal attached again from where it was.
 */
import { Argument } from "commander";
import { record } from "../capabilities/record.ts";
import { atScreen } from "./attached.ts";
import { type Standing, exitCodeOf, exitCodes } from "./exit-codes.ts";
import { follow, followText, write } from "./follow.ts";
import { textOf } from "./given.ts";
import { resolveId, shortId } from "./ids.ts";
import { sayingOnInterrupt } from "./interrupt.ts";
import { replay } from "./replay.ts";
import type { Cli, Verb } from "./verb.ts";

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
  notes: `ctrl-] leaves the session running and gives the terminal back. Without a terminal the bytes are printed as they are.
The exit code is the run's, 0 after ctrl-].`,
  async run(cli, { arguments: [id] }) {
    const session = await resolveId(cli, textOf(id) ?? "");
    const found = record.output.parse(await cli.call("record", { session }));
    if (found.launch_mode === "interactive") return stayAtTerminal(cli, found);
    return exitCodeOf(await sayingOnInterrupt(session, () => followText(cli, { session, afterSeq: 0 })));
  },
};

/** Answers how the session stands when it, or the person, has left. */
export async function stayAtTerminal(cli: Cli, { id }: Session): Promise<number> {
  const isScreen = process.stdin.isTTY && process.stdout.isTTY;
  const standing = isScreen ? await atScreen(cli, id) : await asBytes(cli, id);
  process.stderr.write(`coven: session ${shortId(id)} ${inWords(standing)}\n`);
  return standing === undefined ? exitCodes.done : exitCodeOf(standing);
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

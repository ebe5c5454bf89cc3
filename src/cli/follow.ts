/** A session's events as they come, over restarts of the daemon, until it has ended. */
import { events } from "../capabilities/events.ts";
import * as z from "zod";
import { type EventRecord, eventPayloads, isLive, sessionStatuses } from "../events.ts";
import type { Client } from "../rpc/client.ts";
import { createTranscript } from "../text/transcript.ts";
import type { Standing } from "./exit-codes.ts";
import { type Waiting, isAway, signalOf, throughRestarts } from "../rpc/patience.ts";
import type { Cli } from "./verb.ts";

export interface Place {
  readonly session: string;
  readonly afterSeq: number;
}

const standing = z.object({
  status: z.enum(sessionStatuses),
  exitCode: z.int().nullable(),
  cursor: z.string(),
});

/**
 * Yields every event after a place, to the end of the run that lives when it begins, or lived last: a wake may start
 * another at once. Returns how that run ended.
 */
export async function* follow(
  { client }: Cli,
  { session, afterSeq }: Place,
  waiting: Waiting = {},
): AsyncGenerator<EventRecord, Standing> {
  let seq = afterSeq;
  let last: Standing | undefined;
  /** The first exit behind this place is the one that is waited for. */
  let liveAtSeq: number | undefined;
  for (;;) {
    const { status, exitCode, cursor } = await throughRestarts(
      async () => standing.parse(await client.call("status", { session }, signalOf(waiting))),
      waiting,
    );
    if (isLive(status)) liveAtSeq ??= Number(/\d+$/.exec(cursor)?.[0]);
    // What has ended has all its events in the log; only what is live is waited for.
    const isOver = !isLive(status);
    const place = { session, afterSeq: seq };
    for await (const event of isOver ? logged(client, place, waiting) : untilExit(client, place, waiting)) {
      seq = event.seq;
      if (event.kind === "exit") last = exitOf(event);
      yield event;
      if (event.kind === "exit" && liveAtSeq !== undefined && seq > liveAtSeq) return exitOf(event);
    }
    if (isOver) return last ?? { status, exitCode };
  }
}

/** What is in the log now. */
async function* logged(
  client: Client,
  { session, afterSeq }: Place,
  waiting: Waiting,
): AsyncGenerator<EventRecord> {
  let seq = afterSeq;
  for (;;) {
    const page = await throughRestarts(
      async () =>
        events.output.parse(await client.call("events", { session, afterSeq: seq }, signalOf(waiting))),
      waiting,
    );
    yield* page.events;
    seq = page.events.at(-1)?.seq ?? seq;
    if (!page.hasMore) return;
  }
}

/** What comes, up to the end of a run or of the daemon. */
async function* untilExit(
  client: Client,
  { session, afterSeq }: Place,
  { leaving }: Waiting,
): AsyncGenerator<EventRecord> {
  const leave = new AbortController();
  const signal = leaving === undefined ? leave.signal : AbortSignal.any([leave.signal, leaving]);
  try {
    for await (const event of client.events(session, afterSeq, signal)) {
      yield event;
      if (event.kind === "exit") return;
    }
  } catch (error) {
    if (!isAway(error)) throw error;
  } finally {
    leave.abort();
  }
}

const exitOf = (event: EventRecord): Standing => {
  const { status, exitCode, signal } = eventPayloads.exit.parse(JSON.parse(event.payload_json));
  return { status, exitCode, signal };
};

/** Writes a session as text to read until it has ended; answers how. */
export async function followText(cli: Cli, place: Place, waiting: Waiting = {}): Promise<Standing> {
  const transcript = createTranscript();
  const coming = follow(cli, place, waiting);
  let lastText = "\n";
  for (;;) {
    const next = await coming.next();
    const text = next.done === true ? transcript.flush() : transcript.push(next.value);
    if (text !== "") {
      await write(text);
      lastText = text;
    }
    if (next.done !== true) continue;
    if (!lastText.endsWith("\n")) await write("\n");
    return next.value;
  }
}

/** Waits for a slow reader, so that a flood is never held in memory. */
export const write = (text: string | Uint8Array): Promise<void> =>
  new Promise((resolve) => {
    if (process.stdout.write(text)) resolve();
    else process.stdout.once("drain", resolve);
  });

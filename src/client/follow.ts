/**
 * Events as they come, over lost connections and restarts of the daemon: each attempt goes on after the last place that
 * was seen, so nothing is lost and nothing comes twice. A stream that ends by itself does not say why (the daemon stops,
 * or its sessions are gone); the next attempt does.
 */
import { setTimeout as pause } from "node:timers/promises";
import { Failure } from "../errors.ts";
import type { EventRecord } from "../events.ts";
import type { Client, StreamOptions, Streamed } from "../rpc/client.ts";
import { isAway, throughRestarts } from "../rpc/patience.ts";

export interface Following {
  /** Undefined for all that there are and will be. */
  readonly sessions: readonly string[] | undefined;
  readonly from: StreamOptions["from"];
  readonly signal: AbortSignal;
  /** How long the daemon may be away, ms. */
  readonly awayMsMax: number;
}

/** Between the end of a stream and the next attempt, ms: a daemon that hangs up at once is not asked in a tight loop. */
const betweenMs = 20;

/** Ends when the signal is aborted or every named session is gone. */
export async function* follow(client: Client, following: Following): AsyncGenerator<EventRecord, void> {
  const { signal, from, awayMsMax } = following;
  const left = following.sessions && new Set(following.sessions);
  const named = (): { sessions?: string[] } => (left === undefined ? {} : { sessions: [...left] });
  try {
    signal.throwIfAborted();
    // What is refused at first, an unknown session or a daemon that is not there, is no lost connection.
    let opened: Opened | undefined = await open(client, { ...named(), from, signal });
    while (opened !== undefined) {
      let afterSeq = opened.seq;
      try {
        for await (const { seq, event } of opened.places) {
          afterSeq = seq;
          if (event !== undefined) yield event;
        }
      } catch (error) {
        if (!isAway(error)) throw error;
      }
      await pause(betweenMs, undefined, { signal });
      const reopen = (): Promise<Opened | undefined> =>
        openForThoseLeft(left, () => open(client, { ...named(), from: { afterSeq }, signal }));
      opened = await throughRestarts(reopen, { leaving: signal, awayMsMax }).catch((error: unknown) => {
        throw isAway(error) ? stayedAway(error, afterSeq, awayMsMax) : error;
      });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** Takes out the sessions that are gone since; undefined when none is left. */
async function openForThoseLeft(
  left: Set<string> | undefined,
  attempt: () => Promise<Opened>,
): Promise<Opened | undefined> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (left?.delete(goneIn(error) ?? "") !== true) throw error;
      if (left.size === 0) return undefined;
    }
  }
}

interface Opened {
  readonly seq: number;
  readonly places: AsyncGenerator<Streamed>;
}

async function open(client: Client, options: StreamOptions): Promise<Opened> {
  const places = client.stream(options);
  const first = await places.next();
  if (first.done !== true) return { seq: first.value.seq, places };
  throw new Failure("runtime_unavailable", "the daemon ended the stream as it began", {
    hint: "It is being stopped. Try again.",
  });
}

/** The session that a refusal says is not there. */
function goneIn(error: unknown): string | undefined {
  if (!(error instanceof Failure) || error.code !== "session_not_found") return undefined;
  const session = error.details?.["sessionId"];
  return typeof session === "string" ? session : undefined;
}

const stayedAway = (cause: unknown, afterSeq: number, awayMsMax: number): Failure =>
  new Failure("runtime_unavailable", `the daemon stayed away for ${awayMsMax / 1000} s`, {
    hint: "Its sessions go on. Start it with coven daemon start, then begin again with afterSeq of the details.",
    details: { afterSeq, awayMsMax },
    cause,
  });

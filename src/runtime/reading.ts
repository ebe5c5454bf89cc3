/** Reading the log: pages of events, raw output, and the end of a session as clean text. */
import { type EventRecord, isLive, seqOfEventId } from "../events.ts";
import {
  type EventJson,
  type EventKindRow,
  type OutputRow,
  type Page,
  pageEventsMax,
} from "../store/events.ts";
import type { Store } from "../store/store.ts";
import { tailOf } from "../text/clean.ts";
import { type PageOfText, createPage } from "../text/page.ts";
import { createTranscript } from "../text/transcript.ts";
import type { Growth } from "./growth.ts";

import { formatCursor, formatPlace, parseCursor, parsePlace } from "./cursor.ts";

/** Rows of output read at once when it is streamed: about 64 of the largest make one megabyte. */
const outputRowsAtOnce = 64;

/** What a follower is given at once: it is all that is kept for one that does not take it, for each of a thousand. */
const followedAtOnce = { limit: 500, bytesMax: 128 * 1024 };

/** Rows read in one turn for a page of text, up to 1 MB, so that a long search does not hold everything up. */
const textRowsAtOnce = 64;

/** How far back a tail looks, bytes of payload for each byte wanted, since most of a terminal's output is no text. */
const lookBackFactor = 16;

export interface EventsFrom {
  readonly afterSeq?: number | undefined;
  readonly afterEventId?: string | undefined;
}

const comma = Buffer.from(",");

export class LogReader {
  readonly #store: Store;
  readonly #growth: Growth;

  constructor(store: Store, growth: Growth) {
    this.#store = store;
    this.#growth = growth;
  }

  /** Throws `invalid_request` for what is no cursor of this store. */
  seqOf = (cursor: string): number => parseCursor(this.#store.storeId, cursor);
  cursorAt = (seq: number): string => formatCursor(this.#store.storeId, seq);
  lastSeq = (): number => this.#store.events.lastSeq();

  page(session: string, afterSeq: number, limit: number | undefined): Page {
    return this.#store.events.page(session, afterSeq, limit ?? pageEventsMax);
  }

  /** The place that a caller means: a seq before the id of an event, and without either the start of the log. */
  startOf({ afterSeq, afterEventId }: EventsFrom): number {
    // As published, an id that is not known begins the log again: refused, it would cost its reader the session.
    return afterSeq ?? (afterEventId === undefined ? 0 : (seqOfEventId(afterEventId) ?? 0));
  }

  /** A page of events as it is sent. */
  pageJson(
    session: string,
    { limit = pageEventsMax, ...from }: EventsFrom & { limit?: number | undefined },
  ): Buffer {
    const { events, hasMore } = this.#store.events.pageJson(session, this.startOf(from), limit);
    const last = events.at(-1);
    const nextCursor = last === undefined ? null : { afterSeq: last.seq };
    return Buffer.concat([
      Buffer.from('{"events":['),
      ...events.flatMap(({ json }, index) => (index === 0 ? [json] : [comma, json])),
      Buffer.from(`],${JSON.stringify({ nextCursor, hasMore }).slice(1)}`),
    ]);
  }

  lastEvents(session: string, count: number, payloadBytesMax = Number.MAX_SAFE_INTEGER): EventRecord[] {
    return this.#store.events.before(session, { count, payloadBytesMax });
  }

  /**
   * Events of the named sessions, or of all that there are or will be, as they come, in the order of the log. Ends when
   * the reader leaves, or none of the named sessions is left. Nothing of the store is held while the reader takes them.
   */
  async *follow(
    sessions: readonly string[] | undefined,
    afterSeq: number,
    signal: AbortSignal,
  ): AsyncGenerator<EventJson[]> {
    let seq = afterSeq;
    const growth = this.#growth.wakeups(sessions, signal);
    try {
      while (!signal.aborted) {
        const page = this.#store.events.following(sessions, seq, followedAtOnce);
        seq = page.seq;
        if (page.events.length > 0) yield page.events;
        // A long search for rare rows lets others have their turn.
        else if (page.hasMore) await new Promise(setImmediate);
        else if (sessions?.some((id) => this.#store.sessions.find(id) !== undefined) === false) return;
        else await growth.next();
      }
    } finally {
      growth.stop();
    }
  }

  /** Which sessions grow after a place in the log, and by what kinds of events, as it happens. */
  async *changes(afterSeq: number, signal: AbortSignal): AsyncGenerator<EventKindRow[]> {
    let seq = afterSeq;
    const growth = this.#growth.wakeups(undefined, signal);
    try {
      while (!signal.aborted) {
        const rows = this.#store.events.kindsAfter(seq, followedAtOnce.limit);
        seq = rows.at(-1)?.seq ?? seq;
        if (rows.length > 0) yield rows;
        else await growth.next();
      }
    } finally {
      growth.stop();
    }
  }

  /** What the session printed after a place, row by row. */
  outputRows = (session: string, afterSeq: number, rowsMax: number): OutputRow[] =>
    this.#store.events.output(session, afterSeq, rowsMax);

  /** Everything the session printed, in pieces; no read of the store is held between two of them. */
  *output(session: string, afterSeq: number): Generator<Buffer, number> {
    let seq = afterSeq;
    for (;;) {
      const rows = this.outputRows(session, seq, outputRowsAtOnce);
      const last = rows.at(-1);
      if (last === undefined) return seq;
      seq = last.seq;
      yield Buffer.concat(rows.map((row) => row.bytes));
    }
  }

  /** Output after a cursor, at least one row of it and not many more bytes than wanted. */
  outputUpTo(
    session: string,
    afterSeq: number,
    bytesWanted: number,
  ): { bytes: Buffer; seq: number; hasMore: boolean } {
    const taken: Buffer[] = [];
    let seq = afterSeq;
    for (let bytes = 0; bytes < bytesWanted;) {
      const [row] = this.#store.events.output(session, seq, 1);
      if (row === undefined) break;
      taken.push(row.bytes);
      bytes += row.bytes.length;
      seq = row.seq;
    }
    return {
      bytes: Buffer.concat(taken),
      seq,
      hasMore: this.#store.events.output(session, seq, 1).length > 0,
    };
  }

  /** The last lines of the session, as it is or was at a place, as text to read. */
  tail(
    session: string,
    { lines, maxBytes, until }: { lines: number; maxBytes: number; until?: number | undefined },
  ): { text: string; truncated: boolean } {
    const transcript = createTranscript();
    const payloadBytesMax = Math.max(64 * 1024, maxBytes * lookBackFactor);
    const recent = { count: 5000, payloadBytesMax, until };
    const events = this.#store.events.before(session, recent);
    const text = events.map((event) => transcript.push(event));
    const tail = tailOf(text.join("") + transcript.flush(), { lines, maxBytes });
    const isWhole = (events[0]?.seq ?? 0) <= this.#store.events.firstSeq(session);
    return { text: tail.text, truncated: tail.truncated || !isWhole };
  }

  /** What was said and printed after a cursor, as much as fits, and the cursor to go on from. */
  async textAfter(
    session: string,
    cursor: string,
    maxBytes: number,
  ): Promise<PageOfText & { cursor: string }> {
    const { storeId, events, sessions } = this.#store;
    const { seen, place } = parsePlace(storeId, cursor);
    const writer = createPage({ seen, place, maxBytes });
    for (let after = place.seq - 1, isFull = false; ;) {
      const status = sessions.find(session)?.status;
      const isOver = status === undefined || !isLive(status);
      const page = events.page(session, after, textRowsAtOnce);
      after = page.events.at(-1)?.seq ?? after;
      isFull = !page.events.every((event) => writer.add(event));
      if (isFull || !page.hasMore) {
        const { seen, place, ...shown } = writer.end(isOver && !isFull);
        return { ...shown, cursor: formatPlace(storeId, seen, place) };
      }
      await new Promise(setImmediate);
    }
  }
}

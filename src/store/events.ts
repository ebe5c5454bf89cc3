/**
 * The log: append-only rows in one sequence over all sessions.
 *
 * An output row holds bytes as they were printed (after redaction) and ends at a character border, so that each row
 * reads as text by itself; its `payload` column is the stream's name, or null for a pty. Every other row holds JSON.
 */
import {
  type EventKind,
  type EventPayload,
  type EventRecord,
  type SessionStatus,
  eventPayloads,
} from "../events.ts";
import { boundedJson } from "./bounded-json.ts";
import { type EventRow, recordJson, toRecord } from "./event-json.ts";
import type { Ledger } from "./database.ts";
import { now, statement } from "./rows.ts";

/** Most that one answer without a limit holds: what published clients take before they give up on a session. */
export const pageEventsMax = 500;
const pageBytesMax = 900_000;

/** Rows among which the newest uses of tools are looked for, some tenths of a second at most, and how many of those. */
const toolsWithin = 50_000;
const toolsMax = 2000;

export type OutputStream = "stdout" | "stderr";

/** That a session has grown, and by what kind of event. */
export interface EventKindRow {
  readonly seq: number;
  readonly session: string;
  readonly kind: string;
}

/** A record as it is sent. */
export interface EventJson {
  readonly seq: number;
  readonly session: string;
  readonly kind: string;
  readonly json: Buffer;
}

export interface JsonPage {
  readonly events: EventJson[];
  readonly hasMore: boolean;
}

export interface Page {
  readonly events: EventRecord[];
  readonly hasMore: boolean;
}

/** Rows that a reader of many sessions is given at once, and where it goes on; it has seen all when `hasMore` is false. */
export interface Following {
  readonly events: EventJson[];
  readonly seq: number;
  readonly hasMore: boolean;
}

/** How much of the log is searched at once for a few sessions' rows, seqs: some milliseconds where all are theirs. */
const searchedAtOnce = 5000;

export interface OutputRow {
  readonly seq: number;
  readonly bytes: Buffer;
}

/** What was printed to a terminal (bytes), or the size its window got (payload). */
export interface TerminalRow {
  readonly seq: number;
  readonly payload: string | null;
  readonly bytes: Buffer | null;
}

/** A session has gone to another state: where, of which run, and to which. */
export interface Move {
  readonly seq: number;
  readonly run: string | null;
  readonly to: SessionStatus;
}

interface MoveRow {
  readonly seq: number;
  readonly run: string | null;
  readonly payload: string;
}

/** Beyond every place. */
const anySeq = Number.MAX_SAFE_INTEGER;

export type EventLog = ReturnType<typeof openEventLog>;

export function openEventLog({ db }: Ledger) {
  const insert = statement(
    db,
    `INSERT INTO events (session_id, run_id, kind, payload, bytes, created_at)
     VALUES (:session, :run, :kind, :payload, :bytes, :at)`,
  );
  const after = statement<EventRow>(
    db,
    `SELECT seq, session_id, kind, payload, bytes, created_at FROM events
     WHERE session_id = :session AND seq > :after ORDER BY seq LIMIT :limit`,
  );
  const allAfter = statement<EventRow>(
    db,
    `SELECT seq, session_id, kind, payload, bytes, created_at FROM events
     WHERE seq > :after ORDER BY seq LIMIT :limit`,
  );
  const kindsAfterSeq = statement<EventKindRow>(
    db,
    `SELECT seq, session_id AS session, kind FROM events WHERE seq > :after ORDER BY seq LIMIT :limit`,
  );
  // The inner select is answered by the index alone: rows of other sessions are not touched.
  const severalAfter = statement<EventRow>(
    db,
    `SELECT seq, session_id, kind, payload, bytes, created_at FROM events WHERE seq IN (
       SELECT seq FROM events
       WHERE session_id IN (SELECT value FROM json_each(:sessions)) AND seq > :after AND seq <= :until
       ORDER BY seq LIMIT :limit)
     ORDER BY seq`,
  );
  const outputAfter = statement<OutputRow>(
    db,
    `SELECT seq, bytes FROM events
     WHERE session_id = :session AND seq > :after AND kind = 'output' AND coalesce(payload, '') <> 'stderr'
     ORDER BY seq LIMIT :limit`,
  );
  const newestFirst = statement<EventRow>(
    db,
    `SELECT seq, session_id, kind, payload, bytes, created_at FROM events
     WHERE session_id = :session AND seq <= :until ORDER BY seq DESC`,
  );
  const terminalAfter = statement<TerminalRow>(
    db,
    `SELECT seq, payload, bytes FROM events
     WHERE session_id = :session AND seq > :after AND seq <= :until
       AND (kind = 'resize' OR (kind = 'output' AND payload IS NULL))
     ORDER BY seq LIMIT :limit`,
  );
  const firstOutput = statement<{ payload: string | null }>(
    db,
    "SELECT payload FROM events WHERE session_id = :session AND kind = 'output' ORDER BY seq LIMIT 1",
  );
  const first = statement<{ seq: number }>(
    db,
    "SELECT seq FROM events WHERE session_id = :session ORDER BY seq LIMIT 1",
  );
  const last = statement<{ seq: number }>(db, "SELECT seq FROM sqlite_sequence WHERE name = 'events'");
  const movesAfter = statement<MoveRow>(
    db,
    `SELECT seq, run_id AS run, payload FROM events
     WHERE session_id = :session AND seq > :after AND kind = 'status' ORDER BY seq`,
  );
  const newestMoves = statement<MoveRow>(
    db,
    `SELECT seq, run_id AS run, payload FROM events
     WHERE session_id = :session AND kind = 'status' AND seq <= :until ORDER BY seq DESC`,
  );

  const lastActivity = statement<{ seq: number }>(
    db,
    "SELECT seq FROM events WHERE session_id = :session AND kind = 'activity' ORDER BY seq DESC LIMIT 1",
  );
  // How far back is looked is bounded, since most rows of a long session are output.
  const newestTools = statement<{ payload: string }>(
    db,
    `SELECT payload FROM (
       SELECT seq, kind, payload FROM events WHERE session_id = :session ORDER BY seq DESC LIMIT :within)
     WHERE kind = 'tool' ORDER BY seq DESC LIMIT :limit`,
  );
  const lastTyped = statement<{ kind: string }>(
    db,
    `SELECT kind FROM events
     WHERE session_id = :session AND seq > :after AND kind IN ('message', 'tool', 'result') ORDER BY seq DESC LIMIT 1`,
  );

  return {
    append<K extends EventKind>(
      session: string,
      run: string | null,
      kind: K,
      payload: EventPayload<K>,
    ): number {
      const done = insert.run({
        session,
        run,
        kind,
        payload: boundedJson(payload),
        bytes: null,
        at: now(),
      });
      return Number(done.lastInsertRowid);
    },

    appendOutput(session: string, run: string, stream: OutputStream | null, bytes: Buffer): number {
      const done = insert.run({ session, run, kind: "output", payload: stream, bytes, at: now() });
      return Number(done.lastInsertRowid);
    },

    /** Events after a cursor, at most `limit` and about `pageBytesMax` of them, never none where there are some. */
    page(session: string, afterSeq: number, limit: number): Page {
      const rows = after.iterate({ session, after: afterSeq, limit: limit + 1 });
      const { items, hasMore } = firstOf(rows, { limit, bytesMax: pageBytesMax }, toRecord, sentBytes);
      return { events: items, hasMore };
    },

    /** The same page as it is sent. */
    pageJson(session: string, afterSeq: number, limit: number): JsonPage {
      const rows = after.iterate({ session, after: afterSeq, limit: limit + 1 });
      const { items, hasMore } = firstOf(rows, { limit, bytesMax: pageBytesMax }, toJson, jsonBytes);
      return { events: items, hasMore };
    },

    /** Events of one, several or all sessions after a cursor, at most about `bytesMax` of them. */
    following(
      sessions: readonly string[] | undefined,
      afterSeq: number,
      { limit, bytesMax }: Limits,
    ): Following {
      const [session] = sessions ?? [];
      const newest = last.get()?.seq ?? 0;
      const isSearch = sessions !== undefined && sessions.length > 1;
      const until = isSearch ? Math.min(newest, afterSeq + searchedAtOnce) : newest;
      const place = { after: afterSeq, limit: limit + 1 };
      const rows = isSearch
        ? severalAfter.iterate({ sessions: JSON.stringify(sessions), until, ...place })
        : session === undefined
          ? allAfter.iterate(place)
          : after.iterate({ session, ...place });
      const { items: events, hasMore } = firstOf(rows, { limit, bytesMax }, toJson, jsonBytes);
      const lastSeq = events.at(-1)?.seq ?? afterSeq;
      if (!hasMore && isSearch) return { events, seq: Math.max(until, afterSeq), hasMore: until < newest };
      return { events, seq: lastSeq, hasMore };
    },

    /** Which sessions have grown after a cursor, and by what; their payloads are not read for it. */
    kindsAfter: (afterSeq: number, limit: number): EventKindRow[] =>
      kindsAfterSeq.all({ after: afterSeq, limit }),

    /** What was printed after a cursor, without a structured harness's standard error. */
    output: (session: string, afterSeq: number, limit: number): OutputRow[] =>
      outputAfter.all({ session, after: afterSeq, limit }),

    /** What a terminal was told after one place and up to another. */
    terminal: (session: string, after: number, until: number, limit: number): TerminalRow[] =>
      terminalAfter.all({ session, after, until, limit }),

    /** Where the session prints to; undefined while it has printed nothing. */
    printsTo(session: string): "terminal" | "pipes" | undefined {
      const row = firstOutput.get({ session });
      return row && (row.payload === null ? "terminal" : "pipes");
    },

    /** The newest events up to a place, oldest first: as many as fit both limits, at least one where there is one. */
    before(
      session: string,
      {
        count,
        payloadBytesMax,
        until = anySeq,
      }: { count: number; payloadBytesMax: number; until?: number | undefined },
    ): EventRecord[] {
      const found: EventRecord[] = [];
      let bytes = 0;
      for (const row of newestFirst.iterate({ session, until })) {
        const record = toRecord(row);
        bytes += Buffer.byteLength(record.payload_json);
        if (found.length === count || (found.length > 0 && bytes > payloadBytesMax)) break;
        found.push(record);
      }
      return found.reverse();
    },

    /** The moves after a place, in their order. */
    movesAfter: (session: string, afterSeq: number): Move[] =>
      movesAfter.all({ session, after: afterSeq }).map(toMove),

    /** The newest move, up to a place, into one of the wanted states. */
    lastMove(
      session: string,
      isWanted: (status: SessionStatus) => boolean,
      until = anySeq,
    ): Move | undefined {
      for (const row of newestMoves.iterate({ session, until })) {
        const move = toMove(row);
        if (isWanted(move.to)) return move;
      }
      return undefined;
    },

    /** Where it was written what the session does now; 0 where it never was. */
    lastActivity: (session: string): number => lastActivity.get({ session })?.seq ?? 0,

    /** Of which kind the last is that a structured harness said after a place; undefined where it said nothing. */
    lastTyped: (session: string, after: number): string | undefined =>
      lastTyped.get({ session, after })?.kind,

    /** What the session's tools said of themselves, the newest of them, in their order. */
    newestTools: (session: string): EventPayload<"tool">[] =>
      newestTools
        .all({ session, within: toolsWithin, limit: toolsMax })
        .map(({ payload }) => eventPayloads.tool.parse(JSON.parse(payload)))
        .reverse(),

    /** The session's first event; 0 where it has none. */
    firstSeq: (session: string): number => first.get({ session })?.seq ?? 0,

    lastSeq: (): number => last.get()?.seq ?? 0,
  };
}

interface Limits {
  readonly limit: number;
  readonly bytesMax: number;
}

/** The first of the rows, as many as fit both limits, at least one where there is one; `bytesOf` as they are sent. */
function firstOf<T>(
  rows: Iterable<EventRow>,
  { limit, bytesMax }: Limits,
  read: (row: EventRow) => T,
  bytesOf: (item: T) => number,
): { items: T[]; hasMore: boolean } {
  const items: T[] = [];
  let bytes = 0;
  for (const row of rows) {
    const item = read(row);
    bytes += bytesOf(item);
    if (items.length === limit || (items.length > 0 && bytes > bytesMax)) return { items, hasMore: true };
    items.push(item);
  }
  return { items, hasMore: false };
}

const sentBytes = (record: EventRecord): number => Buffer.byteLength(JSON.stringify(record));

const toJson = (row: EventRow): EventJson => ({
  seq: row.seq,
  session: row.session_id,
  kind: row.kind,
  json: recordJson(row),
});
const jsonBytes = ({ json }: EventJson): number => json.length;

const toMove = ({ seq, run, payload }: MoveRow): Move => ({
  seq,
  run,
  to: eventPayloads.status.parse(JSON.parse(payload)).to,
});

/**
 * Pruning: of ended sessions the bulk of the log goes, and what says how they went stays.
 *
 * The first row that is removed becomes one `output_truncated` row, so that every reader sees that something is
 * missing and every cursor stays valid; later removals of the session are added to it. The record, its runs and the
 * rows of its states, results and endings are never touched, and a live session not at all.
 */
import { type EventPayload, eventPayloads } from "../events.ts";
import type { Ledger } from "./database.ts";
import { statement } from "./rows.ts";

/** Most that one transaction removes, and how long it may take: the hosts' writes wait for it. */
const transactionBytesMax = 256 * 1024;
const transactionMsMax = 5;
/** Most rows in one transaction, where they are small. */
const rowsAtOnce = 500;

/** What makes a log large: what was printed, typed and said. */
const prunable = "kind IN ('output', 'input', 'message', 'tool', 'resize')";

/** Bytes of a row's content, without reading the content. */
const rowBytes = "coalesce(octet_length(bytes), 0) + coalesce(octet_length(payload), 0)";

export interface Removed {
  readonly events: number;
  readonly bytes: number;
}

export type Pruning = ReturnType<typeof openPruning>;

export function openPruning({ db, write }: Ledger) {
  const ended = statement<{ id: string; last_activity_at: string }>(
    db,
    `SELECT id, last_activity_at FROM sessions WHERE status NOT IN ('created', 'running')
     ORDER BY last_activity_at, id`,
  );
  const isEnded = statement<{ id: string }>(
    db,
    "SELECT id FROM sessions WHERE id = :session AND status NOT IN ('created', 'running')",
  );
  const weight = statement<{ events: number; bytes: number | null }>(
    db,
    `SELECT count(*) AS events, sum(${rowBytes}) AS bytes FROM events WHERE session_id = :session AND ${prunable}`,
  );
  const first = statement<{ seq: number; bytes: number }>(
    db,
    `SELECT seq, ${rowBytes} AS bytes FROM events WHERE session_id = :session AND ${prunable}
     ORDER BY seq LIMIT ${rowsAtOnce}`,
  );
  const oldest = statement<{ kind: string; payload: string | null }>(
    db,
    `SELECT kind, payload FROM events WHERE session_id = :session AND (${prunable} OR kind = 'output_truncated')
     ORDER BY seq LIMIT 1`,
  );
  const remove = statement(db, "DELETE FROM events WHERE seq = :seq");
  const marker = statement<{ seq: number; payload: string }>(
    db,
    "SELECT seq, payload FROM events WHERE session_id = :session AND kind = 'output_truncated' ORDER BY seq LIMIT 1",
  );
  const mark = statement(
    db,
    "UPDATE events SET kind = 'output_truncated', payload = :payload, bytes = NULL WHERE seq = :seq",
  );

  /** The oldest rows that fit one transaction. */
  const firstRows = (session: string): { seq: number; bytes: number }[] => {
    const rows: { seq: number; bytes: number }[] = [];
    let bytes = 0;
    for (const row of first.iterate({ session })) {
      bytes += row.bytes;
      if (rows.length > 0 && bytes > transactionBytesMax) break;
      rows.push(row);
    }
    return rows;
  };

  return {
    /** Ended sessions, those that have been quiet for longest first. */
    ended: (): { id: string; last_activity_at: string }[] => ended.all(),

    /** What pruning the session would remove. */
    weigh(session: string): Removed {
      const { events = 0, bytes = 0 } = weight.get({ session }) ?? {};
      return { events, bytes: bytes ?? 0 };
    },

    /** How many events of the session were removed so far. */
    removedFrom(session: string): number {
      const row = oldest.get({ session });
      // The marker stands where the first of them was, so nothing that could have been removed is before it.
      if (row?.kind !== "output_truncated") return 0;
      return eventPayloads.output_truncated.parse(JSON.parse(row.payload ?? "{}")).droppedEvents;
    },

    /** Removes as much of an ended session as fits one short transaction. Nothing is left when it removes nothing. */
    removeSome(session: string): Removed {
      if (first.get({ session }) === undefined) return nothing;
      return write(() => {
        if (isEnded.get({ session }) === undefined) return nothing;
        const startedAt = performance.now();
        const rows = firstRows(session);
        const known = marker.get({ session });
        const place = known?.seq ?? rows[0]?.seq;
        if (place === undefined) return nothing;
        const before = known && eventPayloads.output_truncated.parse(JSON.parse(known.payload));
        let events = 0;
        let bytes = 0;
        for (const row of rows) {
          if (events > 0 && performance.now() - startedAt > transactionMsMax) break;
          // The row that becomes the marker keeps its place.
          if (row.seq !== place) remove.run({ seq: row.seq });
          events += 1;
          bytes += row.bytes;
        }
        const payload: EventPayload<"output_truncated"> = {
          droppedEvents: (before?.droppedEvents ?? 0) + events,
          droppedBytes: (before?.droppedBytes ?? 0) + bytes,
        };
        mark.run({ seq: place, payload: JSON.stringify(payload) });
        return { events, bytes };
      });
    },

    /** Bytes of the ledger that hold something: free pages, which are filled again, do not count. */
    usedBytes(): number {
      const pragma = (name: string): number => Number(db.pragma(name, { simple: true }));
      return (pragma("page_count") - pragma("freelist_count")) * pragma("page_size");
    },
  };
}

const nothing: Removed = { events: 0, bytes: 0 };

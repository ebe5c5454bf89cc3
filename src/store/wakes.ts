/**
 * Follow-ups to sessions, from when they are asked for to how they ended, and the one function that moves them.
 *
 * What a wake says is kept verbatim only while it waits; with the move that takes it out of the queue it is gone from
 * here, and the log has it redacted. Each move is an event of the session, in the transaction of the move.
 */
import type { WakeState } from "../events.ts";
import type { Ledger } from "./database.ts";
import type { EventLog } from "./events.ts";
import { now, statement } from "./rows.ts";

/** `idle` waits for the end of what the session does; `now` is said to a live one at once. */
export type Urgency = "idle" | "now";

export interface WakeRecord {
  readonly id: string;
  readonly session_id: string;
  /** The order in which they were asked for. */
  readonly number: number;
  readonly state: WakeState;
  readonly reason: string | null;
  /** Verbatim; null once it waits no longer. */
  readonly message: string | null;
  /** What it says, redacted and shortened. */
  readonly preview: string;
  readonly urgency: Urgency;
  readonly due_at: string;
  readonly expires_at: string | null;
  /** How long after its time it came into the queue, ms; null where it was on time. */
  readonly late_ms: number | null;
  readonly model: string | null;
  readonly revive: boolean;
  /** The session that asked for it; null for the owner. */
  readonly from_session: string | null;
  /** How many wakes in a row, each asked for by what the one before had woken, lead to it. */
  readonly chain: number;
  /** The run that had ended when it was asked for: whatever that run's failure holds back is released by it. */
  readonly releases_run: string | null;
  /** The run that it started or was said to; set before either happens. */
  readonly run_id: string | null;
  /** Places in the log where it was asked for, came into the queue, and left it. */
  readonly asked_seq: number;
  readonly queued_seq: number | null;
  readonly left_seq: number | null;
  readonly created_at: string;
  readonly delivered_at: string | null;
}

export type NewWake = Pick<
  WakeRecord,
  | "id"
  | "session_id"
  | "preview"
  | "urgency"
  | "due_at"
  | "expires_at"
  | "model"
  | "revive"
  | "from_session"
  | "chain"
  | "releases_run"
> & {
  readonly state: "pending" | "queued";
  readonly message: string;
  /** Names the intent it was asked under. */
  readonly intent: string | null;
};

interface WakeRow extends Omit<WakeRecord, "revive"> {
  readonly revive: number;
}

/** From each state, where a wake may go. What was delivered to a harness that turns out not to know the conversation has failed. */
const moves: Readonly<Record<WakeState, readonly WakeState[]>> = {
  pending: ["queued", "expired", "cancelled", "failed"],
  queued: ["delivered", "expired", "cancelled", "failed"],
  delivered: ["failed"],
  expired: [],
  cancelled: [],
  failed: [],
};

export interface WakeMove {
  readonly reason?: string;
  readonly lateMs?: number;
}

export interface WakeFilter {
  readonly session: string | undefined;
  readonly projectRoot: string | undefined;
  /** Those that still wait, or all. */
  readonly isOpenOnly: boolean;
  readonly limit: number;
}

export type Wakes = ReturnType<typeof openWakes>;

export function openWakes({ db, write }: Ledger, events: EventLog) {
  const insert = statement(
    db,
    `INSERT INTO wakes (id, session_id, state, message, preview, urgency, due_at, expires_at, model, revive,
       from_session, chain, intent, releases_run, asked_seq, queued_seq, created_at)
     VALUES (:id, :session_id, :state, :message, :preview, :urgency, :due_at, :expires_at, :model, :revive,
       :from_session, :chain, :intent, :releases_run, :asked_seq, :queued_seq, :at)`,
  );
  const byId = statement<WakeRow>(db, "SELECT * FROM wakes WHERE id = :id");
  const byIntent = statement<WakeRow>(
    db,
    "SELECT * FROM wakes WHERE intent = :intent ORDER BY number DESC LIMIT 1",
  );
  const queued = statement<WakeRow>(
    db,
    "SELECT * FROM wakes WHERE session_id = :session AND state = 'queued' ORDER BY queued_seq",
  );
  const open = statement<WakeRow>(
    db,
    "SELECT * FROM wakes WHERE session_id = :session AND state IN ('pending', 'queued') ORDER BY number",
  );
  const list = statement<WakeRow>(
    db,
    `SELECT wakes.* FROM wakes
     WHERE (:session IS NULL OR session_id = :session)
       AND (:root IS NULL OR EXISTS (SELECT 1 FROM sessions WHERE id = session_id AND project_root = :root))
       AND (:open = 0 OR state IN ('pending', 'queued'))
     ORDER BY number DESC LIMIT :limit`,
  );
  const counts = statement<{ pending: number; queued: number }>(
    db,
    `SELECT count(*) FILTER (WHERE state = 'pending') AS pending, count(*) FILTER (WHERE state = 'queued') AS queued
     FROM wakes WHERE session_id = :session AND state IN ('pending', 'queued')`,
  );
  // Without reading what they say.
  const openBytes = statement<{ bytes: number | null }>(
    db,
    `SELECT sum(octet_length(message)) AS bytes FROM wakes
     WHERE session_id = :session AND state IN ('pending', 'queued')`,
  );
  // Each of the two is counted in an index of its own: all that ever were would be looked through else.
  const openCount = statement<{ count: number }>(
    db,
    `SELECT (SELECT count(*) FROM wakes WHERE state = 'pending')
          + (SELECT count(*) FROM wakes WHERE state = 'queued') AS count`,
  );
  const withQueue = statement<{ session: string }>(
    db,
    "SELECT DISTINCT session_id AS session FROM wakes WHERE state = 'queued'",
  );
  const due = statement<WakeRow>(
    db,
    "SELECT * FROM wakes WHERE state = 'pending' AND due_at <= :at ORDER BY due_at, number LIMIT :limit",
  );
  const overdue = statement<WakeRow>(
    db,
    `SELECT * FROM wakes WHERE expires_at <= :at AND state IN ('pending', 'queued') AND run_id IS NULL
     ORDER BY expires_at LIMIT :limit`,
  );
  const nextDue = statement<{ at: string | null }>(
    db,
    "SELECT min(due_at) AS at FROM wakes WHERE state = 'pending'",
  );
  const nextExpiry = statement<{ at: string | null }>(
    db,
    `SELECT min(expires_at) AS at FROM wakes
     WHERE expires_at IS NOT NULL AND state IN ('pending', 'queued') AND run_id IS NULL`,
  );
  const ofRun = statement<WakeRow>(db, "SELECT * FROM wakes WHERE run_id = :run ORDER BY number");
  const wasQueued = statement<{ number: number }>(
    db,
    `SELECT number FROM wakes
     WHERE session_id = :session AND queued_seq <= :seq AND (left_seq IS NULL OR left_seq > :seq) LIMIT 1`,
  );
  const setState = statement(
    db,
    `UPDATE wakes SET state = :state, reason = :reason, late_ms = coalesce(:late, late_ms) WHERE id = :id`,
  );
  const setQueued = statement(db, "UPDATE wakes SET queued_seq = :seq WHERE id = :id");
  const setLeft = statement(
    db,
    `UPDATE wakes SET message = NULL, left_seq = :seq,
       delivered_at = CASE state WHEN 'delivered' THEN :at ELSE delivered_at END WHERE id = :id`,
  );
  const setRun = statement(db, "UPDATE wakes SET run_id = :run WHERE id = :id");
  const clearRun = statement(db, "UPDATE wakes SET run_id = NULL WHERE id = :id AND state = 'queued'");

  /** The only way a wake changes its state. Answers the place of its event. */
  const enter = (wake: WakeRecord, to: WakeState, { reason, lateMs }: WakeMove = {}): number =>
    write(() => {
      if (!moves[wake.state].includes(to))
        throw new Error(`wake ${wake.id} cannot go from ${wake.state} to ${to}`);
      setState.run({ id: wake.id, state: to, reason: reason ?? null, late: lateMs ?? null });
      const late = lateMs ?? wake.late_ms ?? undefined;
      const seq = events.append(wake.session_id, wake.run_id, "wake", {
        wakeId: wake.id,
        state: to,
        ...(reason === undefined ? {} : { reason }),
        ...(wake.from_session === null ? {} : { from: wake.from_session }),
        ...(late === undefined ? {} : { lateMs: late }),
        ...(wake.run_id === null ? {} : { runId: wake.run_id }),
      });
      if (to === "queued") setQueued.run({ id: wake.id, seq });
      else if (wake.state !== "delivered") setLeft.run({ id: wake.id, seq, at: now() });
      return seq;
    });

  const find = (id: string): WakeRecord | undefined => toRecord(byId.get({ id }));

  return {
    find,
    findByIntent: (intent: string): WakeRecord | undefined => toRecord(byIntent.get({ intent })),
    enter,

    /** Writes it down in its first state, with its event. */
    create({ intent, ...wake }: NewWake): void {
      write(() => {
        const seq = events.append(wake.session_id, null, "wake", {
          wakeId: wake.id,
          state: wake.state,
          message: wake.preview,
          dueAt: wake.due_at,
          ...(wake.from_session === null ? {} : { from: wake.from_session }),
        });
        insert.run({
          ...wake,
          intent,
          revive: wake.revive ? 1 : 0,
          asked_seq: seq,
          queued_seq: wake.state === "queued" ? seq : null,
          at: now(),
        });
      });
    },

    /** Which run is to be started by it, or to be told; before either is. */
    setRun: (id: string, run: string): void => {
      setRun.run({ id, run });
    },

    /** Nothing of it was told to the run after all, which is certain: it waits again. */
    clearRun: (id: string): void => {
      clearRun.run({ id });
    },

    /** Its harness runs, and has what it says. */
    started(run: string): void {
      for (const row of ofRun.all({ run })) {
        const wake = asRecord(row);
        if (wake.state === "queued") enter(wake, "delivered");
      }
    },

    /** The run is over: what was to be delivered to it and is not known to be has failed. */
    runEnded(run: string, reason: string): void {
      for (const row of ofRun.all({ run })) {
        const wake = asRecord(row);
        if (wake.state === "queued") enter(wake, "failed", { reason });
      }
    },

    /** The harness was given what they say, and could do nothing with it. */
    unheard(run: string, reason: string): void {
      for (const row of ofRun.all({ run })) {
        const wake = asRecord(row);
        if (wake.state === "queued" || wake.state === "delivered") enter(wake, "failed", { reason });
      }
    },

    /** All of the session that still wait. Answers whether there were any. */
    cancelOpen(session: string, reason: string): boolean {
      const waiting = open.all({ session }).map(asRecord);
      for (const wake of waiting) enter(wake, "cancelled", { reason });
      return waiting.length > 0;
    },

    /** Those of the session whose time has come, in their order. */
    queued: (session: string): WakeRecord[] => queued.all({ session }).map(asRecord),
    list: ({ session, projectRoot, isOpenOnly, limit }: WakeFilter): WakeRecord[] =>
      list
        .all({ session: session ?? null, root: projectRoot ?? null, open: isOpenOnly ? 1 : 0, limit })
        .map(asRecord),
    /** How many of the session wait for their time, and for their turn. */
    counts: (session: string): { pending: number; queued: number } =>
      counts.get({ session }) ?? { pending: 0, queued: 0 },
    /** What they say together. */
    openBytes: (session: string): number => openBytes.get({ session })?.bytes ?? 0,
    openCount: (): number => openCount.get()?.count ?? 0,
    sessionsWithQueue: (): string[] => withQueue.all().map(({ session }) => session),
    /** Those whose time has come and that are not in the queue yet. */
    due: (at: string, limit: number): WakeRecord[] => due.all({ at, limit }).map(asRecord),
    /** Those that nobody wants any more. What is being delivered is not among them. */
    overdue: (at: string, limit: number): WakeRecord[] => overdue.all({ at, limit }).map(asRecord),
    /** When the next one is due or expires. */
    nextAt(): string | undefined {
      const times = [nextDue.get()?.at, nextExpiry.get()?.at].filter((at) => typeof at === "string");
      return times.sort()[0];
    },
    ofRun: (run: string): WakeRecord[] => ofRun.all({ run }).map(asRecord),
    /** Whether one was in the session's queue at a place in the log. */
    wasQueuedAt: (session: string, seq: number): boolean => wasQueued.get({ session, seq }) !== undefined,
  };
}

const asRecord = (row: WakeRow): WakeRecord => ({ ...row, revive: row.revive === 1 });
const toRecord = (row: WakeRow | undefined): WakeRecord | undefined => row && asRecord(row);

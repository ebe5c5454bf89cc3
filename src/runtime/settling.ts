/**
 * When a session has come to rest: its run has ended, and no wake is there to start another. A queue that does not go
 * on by itself is no hindrance, and a wake whose time has not come is none.
 *
 * With a cursor it is the first such moment after it. The cursor that `wake` answers stands right before the wake's own
 * first row: then what comes before the wake has left the queue is no such moment.
 */
import { isLive } from "../events.ts";
import type { Move } from "../store/events.ts";
import type { SessionRecord } from "../store/sessions.ts";
import type { Store } from "../store/store.ts";
import type { WakeRecord } from "../store/wakes.ts";
import { holdOf } from "./wake-hold.ts";

/** Wakes of a session that are looked through, the newest: as many as may be open at once. */
const wakesMax = 1000;

export interface Rest {
  readonly seq: number;
  /** How the run ended that it rests after. */
  readonly ending: Move;
}

export class Settling {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Whether an ended session goes on by itself, since a wake is in its queue. */
  goesOn(session: SessionRecord): boolean {
    const queue = this.#store.wakes.queued(session.id);
    return queue.length > 0 && !this.#isHeld(session, this.#store.runs.newest(session.id)?.id ?? null, queue);
  }

  now(session: SessionRecord): Rest | undefined {
    if (isLive(session.status) || this.goesOn(session)) return undefined;
    const ending = this.#store.events.lastMove(session.id, (status) => !isLive(status));
    if (ending === undefined) return undefined;
    const left = this.#wakesOf(session).map(({ left_seq }) => left_seq ?? 0);
    return { seq: Math.max(ending.seq, ...left), ending };
  }

  /** The first after a place in the log. */
  after(session: SessionRecord, afterSeq: number): Rest | undefined {
    const { events } = this.#store;
    const moves = events.movesAfter(session.id, afterSeq);
    const before = events.lastMove(session.id, () => true, afterSeq);
    if (![before, ...moves].some((move) => move !== undefined && !isLive(move.to))) return undefined;
    const wakes = this.#wakesOf(session);
    const asked = wakes.find(({ asked_seq }) => asked_seq === afterSeq + 1);
    const fromSeq = asked === undefined ? afterSeq : (asked.left_seq ?? Number.POSITIVE_INFINITY);
    const left = wakes.flatMap(({ left_seq }) =>
      left_seq !== null && left_seq > afterSeq ? [left_seq] : [],
    );
    const places = [...new Set([...left, ...moves.map(({ seq }) => seq)])].sort((one, other) => one - other);
    for (const seq of places) {
      const ending = moves.findLast((move) => move.seq <= seq) ?? before;
      if (ending === undefined || isLive(ending.to) || seq < fromSeq) continue;
      const queue = queueAt(wakes, seq);
      if (queue.length === 0 || this.#isHeld({ ...session, status: ending.to }, ending.run, queue))
        return { seq, ending };
    }
    return undefined;
  }

  #isHeld(session: SessionRecord, run: string | null, queue: readonly WakeRecord[]): boolean {
    const ended = run === null ? undefined : this.#store.runs.find(run);
    return holdOf(session, ended, queue) !== undefined;
  }

  #wakesOf = ({ id }: SessionRecord): WakeRecord[] =>
    this.#store.wakes.list({ session: id, projectRoot: undefined, isOpenOnly: false, limit: wakesMax });
}

/** What was in the queue at a place in the log, in its order. */
const queueAt = (wakes: readonly WakeRecord[], seq: number): WakeRecord[] =>
  wakes
    .filter(
      ({ queued_seq, left_seq }) => queued_seq !== null && queued_seq <= seq && (left_seq ?? seq + 1) > seq,
    )
    .sort((one, other) => (one.queued_seq ?? 0) - (other.queued_seq ?? 0));

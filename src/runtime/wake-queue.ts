/**
 * Delivering wakes: each when its time has come and its session's turn is over, in order, once.
 *
 * What is to happen is always in the store first. A run that a wake starts is written down with the wake's id before a
 * host is asked for it, and hosts start a run once, so that whoever finds it written down and not started may ask again.
 * The queue of a session is looked at by one at a time, whenever the session has grown, when a wake is due, and when
 * somebody asks; nothing here is remembered that a restart would have to know.
 */
import { Failure, failures } from "../errors.ts";
import { type SessionStatus, isLive } from "../events.ts";
import type { Log } from "../log.ts";
import { refusalOf } from "../store/database.ts";
import type { RunRecord } from "../store/runs.ts";
import type { SessionRecord } from "../store/sessions.ts";
import type { Store } from "../store/store.ts";
import type { WakeRecord } from "../store/wakes.ts";
import type { Growth, Unsubscribe } from "./growth.ts";
import type { Launches } from "./launches.ts";
import type { Leftovers } from "./leftovers.ts";
import { type LaunchLimits, hasRoomToWake } from "./lineage.ts";
import { type Hold, holdOf } from "./wake-hold.ts";
import { WorkLimit } from "./work-limit.ts";

/**
 * Longest sleep, ms: a timer runs by a clock that knows nothing of the one on the wall being set, of a machine that
 * slept, or of more than 24 days; to look this often costs nothing.
 */
const sleepMsMax = 10_000;
/** First pause after the store or a host took nothing, ms; doubled each time up to the longest sleep. */
const retryMsMin = 250;
/** How often a queue that waits for fewer live sessions looks for room, ms. */
const roomMs = 250;
/** Wakes that are moved in one transaction: the hosts' writes wait for it. */
const movedAtOnce = 50;
/** Queues that are looked at in one turn of the loop, when a daemon starts. */
const lookedAtAtOnce = 50;
/** What comes into the queue later than this after its time says so, ms. */
const lateAboveMs = 1000;
/** Runs that are started at once: each costs a process, and many may be due at the same time. */
const startedAtOnceMax = 4;

/** Gives a live session what its queue holds, as far as it takes it now. */
export interface LiveDelivery {
  readonly deliver: (session: SessionRecord, run: RunRecord, queue: readonly WakeRecord[]) => Promise<void>;
}

export interface WakeQueueOptions {
  readonly store: Store;
  readonly growth: Growth;
  readonly launches: Pick<Launches, "resume">;
  readonly leftovers: Pick<Leftovers, "recordUnlaunched">;
  readonly live: LiveDelivery;
  readonly limits: () => LaunchLimits;
  readonly log: Log;
}

/** What is to become of the head of an ended session's queue. */
type Verdict =
  | "start"
  /** There are as many live sessions as may be. */
  | "no_room"
  | { readonly hold: Hold }
  | { readonly state: "failed" | "cancelled"; readonly reason: string };

export class WakeQueue {
  readonly #store: Store;
  readonly #options: WakeQueueOptions;
  /** Sessions with a queue, which are looked at whenever they grow. */
  readonly #watched = new Map<string, Unsubscribe>();
  /** Sessions that are looked at now, and whether they are to be looked at once more. */
  readonly #turns = new Map<string, boolean>();
  readonly #underWay = new Set<Promise<void>>();
  /** Sessions whose head waits for fewer sessions to be live, in the order in which they came. */
  readonly #crowdedOut = new Set<string>();
  /** Sessions that are looked at again because the store or a host took nothing. */
  readonly #postponed = new Set<string>();
  /** Runs that were written down and that no host was asked for. */
  readonly #unlaunched = new Set<string>();
  readonly #starting = new WorkLimit(startedAtOnceMax);
  #retryMs = retryMsMin;
  #timer: NodeJS.Timeout | undefined;
  #isOpen = false;

  constructor(options: WakeQueueOptions) {
    this.#store = options.store;
    this.#options = options;
  }

  /** Goes on from what the store says. `isUnlaunched`: a run that no host was asked for. */
  start(isUnlaunched: (run: RunRecord) => boolean): void {
    this.#isOpen = true;
    for (const run of this.#store.runs.open()) if (isUnlaunched(run)) this.#unlaunched.add(run.id);
    this.#follow(this.#lookAtAll());
    this.#follow(this.#tick());
  }

  /** Delivers nothing more; resolves when what was under way is done. */
  async close(): Promise<void> {
    this.#isOpen = false;
    clearTimeout(this.#timer);
    for (const unsubscribe of this.#watched.values()) unsubscribe();
    this.#watched.clear();
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  /** Looks at the session's queue, soon. */
  advance(session: string): void {
    if (!this.#isOpen) return;
    if (this.#turns.has(session)) {
      this.#turns.set(session, true);
      return;
    }
    this.#turns.set(session, false);
    const turn = this.#lookAt(session)
      .catch((err: unknown) => this.#postpone(session, err))
      .finally(() => {
        const isAskedAgain = this.#turns.get(session) === true;
        this.#turns.delete(session);
        if (isAskedAgain) this.advance(session);
      });
    this.#follow(turn);
  }

  /** Sets the timer anew: another wake may be the next one due. */
  arm(): void {
    clearTimeout(this.#timer);
    if (!this.#isOpen) return;
    const at = this.#store.wakes.nextAt();
    const waits = [
      ...(at === undefined ? [] : [Math.max(0, Date.parse(at) - Date.now())]),
      ...(this.#crowdedOut.size === 0 ? [] : [roomMs]),
      ...(this.#postponed.size === 0 ? [] : [this.#retryMs]),
    ];
    if (waits.length === 0) return;
    this.#timer = setTimeout(() => this.#follow(this.#tick()), Math.min(...waits, sleepMsMax));
  }

  async #lookAtAll(): Promise<void> {
    for (const [index, session] of this.#store.wakes.sessionsWithQueue().entries()) {
      if (index % lookedAtAtOnce === lookedAtAtOnce - 1) await new Promise(setImmediate);
      this.advance(session);
    }
  }

  async #tick(): Promise<void> {
    try {
      for (const session of [...this.#postponed, ...this.#withRoom()]) {
        this.#postponed.delete(session);
        this.#crowdedOut.delete(session);
        this.advance(session);
      }
      while (this.#isOpen && this.#isSomethingDue()) {
        const moved = new Set(await this.#store.writeWhenFree(() => this.#moveByTime()));
        this.#options.growth.tell([...moved]);
        for (const session of moved) this.advance(session);
        // Many may be due at once, and others want to be heard meanwhile.
        await new Promise(setImmediate);
      }
      this.arm();
    } catch (err) {
      if (!this.#isOpen) return;
      this.#options.log.warn({ err }, "wakes that are due could not be moved; trying again");
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#follow(this.#tick()), this.#nextRetryMs());
    }
  }

  /** As many of those that wait for room as there is room for. */
  #withRoom(): string[] {
    if (this.#crowdedOut.size === 0) return [];
    const room = this.#options.limits().ownersLive - this.#store.sessions.liveCount();
    return [...this.#crowdedOut].slice(0, Math.max(0, room));
  }

  #isSomethingDue(): boolean {
    const at = this.#store.wakes.nextAt();
    return at !== undefined && Date.parse(at) <= Date.now();
  }

  /** Answers the sessions of those that were moved. */
  #moveByTime(): string[] {
    const { wakes } = this.#store;
    const at = new Date().toISOString();
    const expired = wakes.overdue(at, movedAtOnce);
    for (const wake of expired)
      wakes.enter(wake, "expired", { reason: `it was wanted until ${wake.expires_at}` });
    const due = wakes.due(at, movedAtOnce - expired.length);
    for (const wake of due) {
      const lateMs = Date.now() - Date.parse(wake.due_at);
      wakes.enter(wake, "queued", lateMs > lateAboveMs ? { lateMs } : {});
    }
    return [...expired, ...due].map(({ session_id }) => session_id);
  }

  async #lookAt(id: string): Promise<void> {
    while (this.#isOpen) {
      const session = this.#store.sessions.find(id);
      const queue = this.#store.wakes.queued(id);
      const [head] = queue;
      if (session === undefined || head === undefined) return this.#unwatch(id);
      this.#watch(id);
      const run = this.#store.runs.newest(id);
      if (isLive(session.status)) {
        if (run === undefined) return;
        if (run.wake_id !== head.id) {
          await this.#options.live.deliver(session, run, queue);
          // One that was about to be said does not expire; where it was not said after all, its time goes on.
          if (queue.some(({ expires_at }) => expires_at !== null)) this.arm();
          return;
        }
        if (!this.#unlaunched.has(run.id)) return;
      }
      const verdict = isLive(session.status) ? "start" : this.#verdict(session, run, queue);
      if (verdict === "no_room") {
        this.#crowdedOut.add(id);
        return this.arm();
      }
      if (verdict === "start") await this.#start(session, head);
      else if ("hold" in verdict) return;
      else await this.#move(head, verdict.state, verdict.reason);
      this.#retryMs = retryMsMin;
    }
  }

  #verdict(session: SessionRecord, run: RunRecord | undefined, queue: readonly WakeRecord[]): Verdict {
    const [head] = queue;
    if (head === undefined) throw new Error(`session ${session.id} has no queue`);
    if (head.run_id !== null) return { state: "failed", reason: "delivery_unknown" };
    if (session.archived_at !== null)
      return { state: "failed", reason: "session_archived: summon it, then wake it again" };
    if (session.status === "killed" && !head.revive) return { state: "cancelled", reason: "killed" };
    const hold = holdOf(session, run, queue);
    if (hold !== undefined) return { hold };
    return hasRoomToWake(this.#store, this.#options.limits(), head) ? "start" : "no_room";
  }

  /** Throws where it is to be tried again later; whatever else keeps it from being started is told with the wake. */
  async #start(session: SessionRecord, wake: WakeRecord): Promise<void> {
    const { launches, log } = this.#options;
    const write = (runId: string): void =>
      wake.run_id === null ? this.#writeRun(session.id, wake.id, runId) : this.#requireUnlaunched(runId);
    try {
      await this.#starting.run(() => launches.resume(wake, write));
      if (wake.run_id !== null) this.#unlaunched.delete(wake.run_id);
      log.info({ session: session.id, wake: wake.id }, "a wake has started a run");
    } catch (error) {
      await this.#failed(wake, error);
    }
  }

  async #failed(wake: WakeRecord, error: unknown): Promise<void> {
    if (error instanceof Failure && error.code === "wake_over") return;
    const { runs, wakes } = this.#store;
    const now = wakes.find(wake.id);
    const run = now?.run_id == null ? undefined : runs.find(now.run_id);
    const isOurs = wake.run_id !== null || run === undefined;
    // Once a host was asked, the wake's fate is told with the run's.
    if (now?.state !== "queued" || !isOurs || (run !== undefined && run.ended_at !== null)) return;
    if (isPassing(error)) throw error;
    const reason =
      error instanceof Failure ? `${error.code}: ${error.message}` : "internal_error: see the logs";
    this.#options.log.error({ err: error, session: wake.session_id, wake: wake.id }, "a wake starts no run");
    if (run === undefined) return this.#move(wake, "failed", reason);
    this.#unlaunched.delete(run.id);
    await this.#options.leftovers.recordUnlaunched(run, reason);
  }

  /** Called in the transaction: whatever has happened while the run was prepared is seen here. */
  #writeRun(id: string, wakeId: string, runId: string): void {
    const { sessions, runs, wakes } = this.#store;
    const session = sessions.find(id);
    const queue = wakes.queued(id);
    const [head] = queue;
    if (
      !this.#isOpen ||
      session === undefined ||
      head?.id !== wakeId ||
      isLive(session.status) ||
      this.#verdict(session, runs.newest(id), queue) !== "start"
    )
      throw over(wakeId);
    const tellsParent = session.wake_parent && session.parent_id !== null;
    runs.create({ id: runId, session: id, wake: wakeId, chain: head.chain, tellsParent });
    sessions.move({ session: id, run: runId, to: "created" });
    wakes.setRun(wakeId, runId);
  }

  #requireUnlaunched(runId: string): void {
    const run = this.#store.runs.find(runId);
    if (this.#isOpen && run?.pid === null && run.ended_at === null) return;
    this.#unlaunched.delete(runId);
    throw over(run?.wake_id ?? runId);
  }

  async #move(wake: WakeRecord, to: "failed" | "cancelled", reason: string): Promise<void> {
    await this.#store.writeWhenFree(() => {
      const now = this.#store.wakes.find(wake.id);
      if (now?.state === wake.state) this.#store.wakes.enter(now, to, { reason });
    });
    this.#options.log.warn({ session: wake.session_id, wake: wake.id, to }, reason);
    this.#options.growth.tell([wake.session_id]);
  }

  #postpone(session: string, err: unknown): void {
    if (!this.#isOpen) return;
    this.#options.log.warn({ err, session }, "a queue of wakes could not go on; trying again");
    this.#postponed.add(session);
    this.#nextRetryMs();
    this.arm();
  }

  #nextRetryMs(): number {
    return (this.#retryMs = Math.min(this.#retryMs * 2, sleepMsMax));
  }

  #follow(work: Promise<void>): void {
    const followed = work
      .catch((err: unknown) => this.#options.log.error({ err }, "the queues of wakes could not be looked at"))
      .finally(() => this.#underWay.delete(followed));
    this.#underWay.add(followed);
  }

  #watch(session: string): void {
    if (this.#watched.has(session) || !this.#isOpen) return;
    let last: SessionStatus | undefined;
    const grown = (): void => {
      const status = this.#store.sessions.statusOf(session);
      if (status === last && status !== undefined && isLive(status)) return;
      last = status;
      this.advance(session);
    };
    this.#watched.set(session, this.#options.growth.subscribe(session, grown));
  }

  #unwatch(session: string): void {
    this.#watched.get(session)?.();
    this.#watched.delete(session);
  }
}

const over = (wakeId: string): Failure =>
  new Failure("wake_over", `wake ${wakeId} is not to be delivered as things are now`);

/** What may be gone when it is tried again. */
const isPassing = (error: unknown): boolean =>
  error instanceof Failure ? failures[error.code].retry : refusalOf(error) !== undefined;

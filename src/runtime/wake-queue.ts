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
import type { RunRecord } from "../store/runs.ts";
import type { SessionRecord } from "../store/sessions.ts";
import type { Store } from "../store/store.ts";
import type { WakeRecord } from "../store/wakes.ts";
import type { Growth, Unsubscribe } from "./growth.ts";
import type { Launches } from "./launches.ts";
import type { Leftovers } from "./leftovers.ts";
import { type LaunchLimits, hasRoomToWake } from "./lineage.ts";

/**
 * Longest sleep, ms: a timer runs by a clock that knows nothing of the one on the wall being set, of a machine that
 * slept, or of more than 24 days; to look this often costs nothing.
 */
const sleepMsMax = 10_000;
/** Pause after the store took no writes, ms. */
const retryMs = 500;
/** Wakes that are moved in one transaction: the hosts' writes wait for it. */
const movedAtOnce = 50;
/** What comes into the queue later than this after its time says so, ms. */
const lateAboveMs = 1000;
/** Runs that are started at once: each costs a process, and many may be due at the same time. */
const startedAtOnceMax = 4;

/** Gives a live session what its queue holds, as far as it takes it now. */
export interface LiveDelivery {
  readonly deliver: (session: SessionRecord, run: RunRecord, queue: readonly WakeRecord[]) => Promise<void>;
}

/** Why a queue does not go on by itself. */
export type Hold = "run_failed" | "revive_required";

export interface WakeQueueOptions {
  readonly store: Store;
  readonly growth: Growth;
  readonly launches: Pick<Launches, "resume">;
  readonly leftovers: Pick<Leftovers, "recordUnlaunched">;
  readonly live: LiveDelivery;
  readonly limits: () => LaunchLimits;
  readonly log: Log;
}

export class WakeQueue {
  readonly #store: Store;
  readonly #options: WakeQueueOptions;
  /** Sessions with a queue, which are looked at whenever they grow. */
  readonly #watched = new Map<string, Unsubscribe>();
  /** Sessions that are looked at now, and whether they are to be looked at once more. */
  readonly #turns = new Map<string, boolean>();
  readonly #underWay = new Set<Promise<void>>();
  /** Sessions whose head waits for fewer sessions to be live. */
  readonly #crowdedOut = new Set<string>();
  readonly #waiting: (() => void)[] = [];
  #starting = 0;
  #timer: NodeJS.Timeout | undefined;
  #isOpen = false;

  constructor(options: WakeQueueOptions) {
    this.#store = options.store;
    this.#options = options;
  }

  /** Goes on from what the store says. `isUnlaunched`: a run that no host was asked for. */
  async start(isUnlaunched: (run: RunRecord) => boolean): Promise<void> {
    this.#isOpen = true;
    const unlaunched = this.#store.runs.open().filter(isUnlaunched);
    await Promise.all(unlaunched.map((run) => this.#launchAgain(run)));
    for (const session of this.#store.wakes.sessionsWithQueue()) this.advance(session);
    await this.#tick();
  }

  /** Delivers nothing more; resolves when what was under way is done. */
  async close(): Promise<void> {
    this.#isOpen = false;
    clearTimeout(this.#timer);
    for (const unsubscribe of this.#watched.values()) unsubscribe();
    this.#watched.clear();
    await Promise.all(this.#underWay);
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
      .catch((err: unknown) => this.#options.log.error({ err, session }, "a queue of wakes got stuck"))
      .finally(() => {
        this.#underWay.delete(turn);
        const isAskedAgain = this.#turns.get(session) === true;
        this.#turns.delete(session);
        if (isAskedAgain) this.advance(session);
      });
    this.#underWay.add(turn);
  }

  /** Sets the timer anew: another wake may be the next one due. */
  arm(): void {
    clearTimeout(this.#timer);
    if (!this.#isOpen) return;
    const at = this.#store.wakes.nextAt();
    if (at === undefined && this.#crowdedOut.size === 0) return;
    const inMs = at === undefined ? sleepMsMax : Math.max(0, Date.parse(at) - Date.now());
    this.#timer = setTimeout(() => void this.#tick(), Math.min(inMs, sleepMsMax));
  }

  /** Why the queue of an ended session stands still until somebody says otherwise. */
  holdOf(session: SessionRecord, run: RunRecord | undefined, queue: readonly WakeRecord[]): Hold | undefined {
    const asked = queue.filter(({ releases_run }) => releases_run !== null && releases_run === run?.id);
    switch (session.status) {
      case "failed":
        return asked.length > 0 ? undefined : "run_failed";
      case "killed":
      case "orphaned":
        return asked.some(({ revive }) => revive) ? undefined : "revive_required";
      case "created":
      case "running":
      case "idle":
      case "completed":
        return undefined;
    }
  }

  async #tick(): Promise<void> {
    try {
      const grown = new Set(this.#crowdedOut);
      this.#crowdedOut.clear();
      while (this.#isOpen) {
        const moved = await this.#store.writeWhenFree(() => this.#moveByTime());
        for (const session of moved) grown.add(session);
        if (moved.length < movedAtOnce) break;
      }
      if (!this.#isOpen) return;
      this.#options.growth.tell([...grown]);
      for (const session of grown) this.advance(session);
      this.arm();
    } catch (err) {
      if (!this.#isOpen) return;
      this.#options.log.warn({ err }, "wakes that are due could not be moved; trying again");
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => void this.#tick(), retryMs);
    }
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
        if (run?.wake_id !== head.id && run !== undefined)
          await this.#options.live.deliver(session, run, queue);
        return;
      }
      const fate = fateOf(session, head);
      if (fate !== undefined) {
        await this.#move(head, fate.state, fate.reason);
        continue;
      }
      if (this.holdOf(session, run, queue) !== undefined) return;
      if (!hasRoomToWake(this.#store, this.#options.limits(), head)) {
        this.#crowdedOut.add(id);
        return this.arm();
      }
      if (!(await this.#start(session, head))) return;
    }
  }

  /** False where it is to be tried again later. */
  async #start(session: SessionRecord, wake: WakeRecord): Promise<boolean> {
    const { launches, log } = this.#options;
    try {
      await this.#inTurn(() => launches.resume(wake, (runId) => this.#writeRun(session, wake, runId)));
      log.info({ session: session.id, wake: wake.id }, "a wake has started a run");
      return true;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      const now = this.#store.wakes.find(wake.id);
      // With a run of its own its fate is told with that.
      if (now?.state !== "queued" || now.run_id !== null) return true;
      if (failures[error.code].retry) {
        log.warn({ session: session.id, wake: wake.id, code: error.code }, error.message);
        this.#crowdedOut.add(session.id);
        this.arm();
        return false;
      }
      await this.#move(wake, "failed", `${error.code}: ${error.message}`);
      return true;
    }
  }

  #writeRun(session: SessionRecord, { id, chain }: WakeRecord, runId: string): void {
    const { sessions, runs, wakes } = this.#store;
    const wake = wakes.find(id);
    // Somebody may have cancelled it, or done something to the session, while the run was prepared.
    if (wake?.state !== "queued" || isLive(sessions.statusOf(session.id) ?? "running"))
      throw new Failure("wake_over", `wake ${id} is not to be delivered any more`);
    const tellsParent = session.wake_parent && session.parent_id !== null;
    runs.create({ id: runId, session: session.id, wake: id, chain, tellsParent });
    sessions.move({ session: session.id, run: runId, to: "created" });
    wakes.setRun(id, runId);
  }

  async #launchAgain(run: RunRecord): Promise<void> {
    const { launches, leftovers, log } = this.#options;
    const [wake] = this.#store.wakes.ofRun(run.id);
    try {
      if (wake === undefined) throw new Error("its wake is gone");
      await launches.resume(wake, () => undefined);
    } catch (err) {
      log.warn({ err, session: run.session_id, run: run.id }, "a run could not be launched after all");
      await leftovers.recordUnlaunched(run, err instanceof Error ? err.message : String(err));
    }
  }

  async #move(wake: WakeRecord, to: "failed" | "cancelled", reason: string): Promise<void> {
    await this.#store.writeWhenFree(() => {
      const now = this.#store.wakes.find(wake.id);
      if (now?.state === wake.state) this.#store.wakes.enter(now, to, { reason });
    });
    this.#options.log.warn({ session: wake.session_id, wake: wake.id, to }, reason);
    this.#options.growth.tell([wake.session_id]);
  }

  async #inTurn<T>(start: () => Promise<T>): Promise<T> {
    if (this.#starting < startedAtOnceMax) this.#starting += 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await start();
    } finally {
      // Whoever waits next takes the place over.
      const next = this.#waiting.shift();
      if (next === undefined) this.#starting -= 1;
      else next();
    }
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

/** What becomes of the head of an ended session's queue without a run. */
function fateOf(
  { archived_at, status }: SessionRecord,
  { run_id, revive }: WakeRecord,
): { readonly state: "failed" | "cancelled"; readonly reason: string } | undefined {
  if (run_id !== null) return { state: "failed", reason: "delivery_unknown" };
  if (archived_at !== null)
    return { state: "failed", reason: "session_archived: summon it, then wake it again" };
  if (status === "killed" && !revive) return { state: "cancelled", reason: "killed" };
  return undefined;
}

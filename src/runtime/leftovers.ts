/**
 * Processes that nobody holds any more: what a run left running when it ended, and what a lost host held. Both are known
 * by pid and start time, or found by the run's marker, and ended by a host that lives.
 */
import { Failure } from "../errors.ts";
import type { LeftProcess } from "../events.ts";
import type { Log } from "../log.ts";
import type { LeftBehind, RunRecord } from "../store/runs.ts";
import type { Store } from "../store/store.ts";
import type { Growth } from "./growth.ts";
import type { HostPool } from "./host-pool.ts";
import { lookAround, stillLiving } from "./host/processes.ts";

/** No process has it: of a run that was never started only its marker can be looked for. */
const noPid = 2 ** 31 - 1;

export interface LeftoversOptions {
  readonly store: Store;
  readonly growth: Growth;
  readonly hosts: HostPool;
  readonly log: Log;
}

export class Leftovers {
  readonly #store: Store;
  readonly #options: LeftoversOptions;
  readonly #reaps = new Set<Promise<void>>();

  constructor(options: LeftoversOptions) {
    this.#store = options.store;
    this.#options = options;
  }

  /** Resolves when nothing is being looked for any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#reaps);
  }

  /** What the newest run of an ended session left running and still runs. */
  leftBehind(id: string): readonly LeftBehind[] {
    const run = this.#store.runs.newest(id);
    if (run === undefined || run.ended_at === null || run.left_behind.length === 0) return [];
    const living = new Set(stillLiving(run.left_behind).map(({ pid }) => pid));
    return run.left_behind.filter(({ pid }) => living.has(pid));
  }

  /** False where there is none. Throws `kill_failed` naming what survived. */
  async endLeftBehind(id: string, graceMs: number): Promise<boolean> {
    const run = this.#store.runs.newest(id);
    const known = this.leftBehind(id).map(({ pid, startTime }) => ({ pid, startTime }));
    if (run === undefined || known.length === 0) return false;
    const host = await this.#options.hosts.current();
    const { survivors } = await host.call("reap", { ...leftoverOf(run), known, graceMs });
    requireNone(id, survivors);
    return true;
  }

  /** What lost hosts held is over: the sessions become `orphaned`, and their leftover processes are ended. */
  async orphanLostRuns(
    isLost: (run: RunRecord) => boolean,
    reason = "the host that held the process is gone",
  ): Promise<void> {
    await Promise.all(
      this.#store.runs
        .open()
        .filter(isLost)
        .map((run) => this.#orphan(run, reason)),
    );
  }

  /** A run that was written down and can never be handed to a host. */
  async recordUnlaunched(run: RunRecord, reason: string): Promise<void> {
    const { runs, sessions, events, wakes } = this.#store;
    await this.#store.writeWhenFree(() => {
      if (runs.find(run.id)?.ended_at !== null) return;
      wakes.runEnded(run.id, `launch_failed: ${reason}`);
      runs.ended({ id: run.id, exitCode: null, signal: null, reason });
      sessions.move({ session: run.session_id, run: run.id, to: "failed", reason });
      events.append(run.session_id, run.id, "exit", { status: "failed", exitCode: null, reason });
    });
    this.#options.growth.tell([run.session_id]);
  }

  async #orphan(run: RunRecord, reason: string): Promise<void> {
    const { log, growth } = this.#options;
    try {
      if (!(await this.#store.writeWhenFree(() => this.#recordLost(run, reason)))) return;
    } catch (err) {
      log.error({ err, session: run.session_id }, "a lost session could not be marked");
      return;
    }
    growth.tell([run.session_id]);
    log.warn({ session: run.session_id, pid: run.pid, code: "orphaned" }, reason);
    const reap = this.#reap(run).finally(() => this.#reaps.delete(reap));
    this.#reaps.add(reap);
  }

  /** False when its host has told the ending after all. */
  #recordLost(run: RunRecord, reason: string): boolean {
    const { id, session_id } = run;
    const { runs, sessions, events } = this.#store;
    if (runs.find(id)?.ended_at !== null) return false;
    this.#settleWakes(run, reason);
    runs.ended({ id, exitCode: null, signal: null, reason });
    sessions.move({ session: session_id, run: id, to: "orphaned", reason });
    events.append(session_id, id, "exit", { status: "orphaned", exitCode: null, reason });
    return true;
  }

  /** Whether the harness was started with what a wake says is known where its process is; else nobody knows. */
  #settleWakes({ id, pid }: RunRecord, reason: string): void {
    const { wakes } = this.#store;
    const isUnsettled = wakes.ofRun(id).some(({ state }) => state === "queued");
    if (!isUnsettled) return;
    const isStarted = pid === null && [...lookAround().runIds.values()].includes(id);
    if (isStarted) wakes.started(id);
    else wakes.runEnded(id, `delivery_unknown: ${reason}`);
  }

  async #reap(run: RunRecord): Promise<void> {
    const { hosts, log } = this.#options;
    try {
      const { survivors } = await (await hosts.current()).call("reap", leftoverOf(run));
      if (survivors.length === 0) return;
      log.error({ session: run.session_id, survivors, code: "kill_failed" }, "leftover processes survive");
    } catch (err) {
      log.error({ err, session: run.session_id, pid: run.pid }, "leftover processes could not be looked for");
    }
  }
}

const leftoverOf = (run: RunRecord) => ({
  runId: run.id,
  pid: run.pid ?? noPid,
  startTime: run.pid_started_at ?? "",
});

/** Throws `kill_failed` naming what survived. */
export function requireNone(id: string, survivors: readonly LeftProcess[]): void {
  if (survivors.length === 0) return;
  const named = survivors.map(({ pid, command }) => `${pid} (${command})`).join(", ");
  throw new Failure("kill_failed", `of session ${id} these processes could not be ended: ${named}`, {
    hint: "End them by hand, then kill the session again.",
    details: { sessionId: id, survivors },
  });
}

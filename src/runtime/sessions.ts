/** Sessions as the daemon acts on them. Processes belong to the hosts (`host/`), states and rows to the store. */
import { Failure } from "../errors.ts";
import { type SessionStatus, isLive } from "../events.ts";
import type { Log } from "../log.ts";
import type { RunRecord } from "../store/runs.ts";
import type { SessionRecord } from "../store/sessions.ts";
import type { Store } from "../store/store.ts";
import { requireOwn } from "./external.ts";
import type { HarnessCatalog } from "./harness-catalog.ts";
import type { EndsAs } from "./host/run.ts";
import type { HostPool } from "./host-pool.ts";
import { type SessionInput, inputFor } from "./input.ts";
import type { InputLeases } from "./input-leases.ts";
import { type Leftovers, requireNone } from "./leftovers.ts";
import type { Growth } from "./growth.ts";
import { isDescendant } from "./lineage.ts";
import { requireUnended } from "./run-tokens.ts";

/** Called inside the transaction that does what was asked, for what is to be remembered with it. */
export type Remember = (session: string) => void;

export interface SessionsOptions {
  readonly store: Store;
  readonly hosts: HostPool;
  readonly harnesses: HarnessCatalog;
  readonly growth: Growth;
  readonly leftovers: Leftovers;
  readonly leases: InputLeases;
  readonly log: Log;
}

export class LiveSessions {
  readonly #store: Store;
  readonly #options: SessionsOptions;

  constructor(options: SessionsOptions) {
    this.#store = options.store;
    this.#options = options;
  }

  find(id: string): SessionRecord | undefined {
    return this.#store.sessions.find(id);
  }

  /** Undefined where there is no such session. */
  statusOf(id: string): SessionStatus | undefined {
    return this.#store.sessions.statusOf(id);
  }

  /** Throws `unauthenticated` for a run that has ended: whoever spoke for it does so no longer. */
  requireUnended(run: string): void {
    requireUnended(this.#store.runs.find(run));
  }

  /** Whether the session was launched by the other, or by one that it launched. */
  isDescendant(id: string, ancestor: string): boolean {
    return isDescendant(this.#store, id, ancestor);
  }

  /** Throws `session_not_found`. */
  get(id: string): SessionRecord {
    const session = this.#store.sessions.find(id);
    if (session) return session;
    throw new Failure("session_not_found", `there is no session ${id}`, {
      hint: "List the sessions; archived ones are shown with includeArchived (CLI: --all).",
      details: { sessionId: id },
    });
  }

  findRun(id: string): RunRecord | undefined {
    return this.#store.runs.find(id);
  }

  newestRun(id: string): RunRecord | undefined {
    return this.#store.runs.newest(id);
  }

  /**
   * What comes again under the same key is not typed again. Throws `input_not_accepted` for what the session's mode
   * does not take.
   */
  async input(id: string, input: SessionInput, inputKey?: string): Promise<void> {
    await this.#options.leases.free(id);
    const { session, run, host } = this.#live(id);
    const messageOf = (text: string) => this.#options.harnesses.get(session.harness).message?.(text);
    await host.call("input", { runId: run.id, ...inputFor(session, input, messageOf), inputKey });
  }

  /** Types into the terminal of that very run, for whoever holds the lease. Once for each key. */
  async type(run: RunRecord, typed: string, inputKey: string): Promise<void> {
    const { host } = this.#liveRun(run);
    const dataBase64 = Buffer.from(typed).toString("base64");
    await host.call("input", { runId: run.id, dataBase64, end: false, inputKey });
  }

  /** Whether the run was typed something under that key. */
  async hasTaken(run: RunRecord, inputKey: string): Promise<boolean> {
    const { host } = this.#liveRun(run);
    return (await host.call("taken", { runId: run.id, inputKey })).isTaken;
  }

  /** Whether the run's host can say what it has taken; hosts of older versions cannot. */
  tellsTaken(run: RunRecord): boolean {
    return this.#options.hosts.isCurrent(run.host_pid);
  }

  #liveRun(wanted: RunRecord) {
    const live = this.#live(wanted.session_id);
    if (live.run.id === wanted.id) return live;
    throw new Failure("session_not_live", `run ${wanted.id} of session ${wanted.session_id} is over`);
  }

  /** Throws `session_not_found` or `session_not_live`. */
  requireLive(id: string): void {
    this.#live(id);
  }

  async resize(id: string, columns: number, rows: number): Promise<void> {
    const { run, host } = this.#live(id);
    await host.call("resize", { runId: run.id, columns, rows });
  }

  /**
   * Whether somebody is at the keys of the session's terminal now. Answers the place in the log from which on the
   * terminal's queries are theirs to answer, undefined where no process asks any.
   */
  async attached(id: string, isAttached: boolean): Promise<number | undefined> {
    const run = this.#store.runs.newest(id);
    const host = this.#options.hosts.get(run?.host_pid ?? null);
    const answer = await host?.call("attached", { runId: run?.id ?? "", count: isAttached ? 1 : 0 });
    return answer?.seq;
  }

  /**
   * Ends the whole process tree, or what an ended session left running, and what waits for it: a session that wakes
   * itself again and again is mostly found between two of its runs. Throws `kill_failed` naming what survived.
   */
  async kill(id: string, graceMs: number, endsAs: EndsAs = "killed"): Promise<SessionRecord> {
    requireOwn(this.get(id));
    const hadWakes = await this.#cancelWakesOfEnded(id);
    if ((await this.#options.leftovers.endLeftBehind(id, graceMs)) || hadWakes) return this.get(id);
    const { run, host } = this.#live(id);
    const { survivors, status } = await host.call("kill", { runId: run.id, graceMs, as: endsAs });
    requireNone(id, survivors);
    const session = this.get(id);
    // A full disk or a held store keeps the ending from the log for now; the processes are gone all the same.
    return isLive(session.status) ? { ...session, status: status ?? endsAs, exit_code: null } : session;
  }

  /** Those of a live session go with its run, in the transaction that ends it. */
  async #cancelWakesOfEnded(id: string): Promise<boolean> {
    const { sessions, wakes } = this.#store;
    const { pending, queued } = wakes.counts(id);
    if (pending + queued === 0 || isLive(this.get(id).status)) return false;
    const hadSome = await this.#store.writeWhenFree(
      () => !isLive(sessions.statusOf(id) ?? "running") && wakes.cancelOpen(id, "killed"),
    );
    if (hadSome) this.#options.growth.tell([id]);
    return hadSome;
  }

  /** Ends every live session, as the daemon stops. Answers those that were ended and those that were not. */
  async orphanAll(graceMs: number): Promise<{ ended: SessionRecord[]; survived: SessionRecord[] }> {
    const ended: SessionRecord[] = [];
    const survived: SessionRecord[] = [];
    const endOne = async (session: SessionRecord): Promise<void> => {
      try {
        ended.push(await this.kill(session.id, graceMs, "orphaned"));
      } catch (err) {
        // It may have ended by itself meanwhile, which is what was wanted.
        if (!isLive(this.get(session.id).status)) return;
        this.#options.log.error({ err, session: session.id }, "a session could not be ended");
        survived.push(session);
      }
    };
    await Promise.all(this.#store.sessions.live().map(endOne));
    return { ended, survived };
  }

  #live(id: string) {
    const session = this.get(id);
    const run = this.#store.runs.newest(id);
    const host = this.#options.hosts.get(run?.host_pid ?? null);
    if (isLive(session.status) && run && host) return { session, run, host };
    if (isLive(session.status) && this.#options.hosts.isOutOfReach(run?.host_pid ?? null)) {
      throw new Failure(
        "runtime_unavailable",
        `session ${id} is held by a host that this daemon cannot speak to`,
        {
          hint: "It goes on. Start the Coven that launched it, a newer one perhaps, to reach it.",
          details: { sessionId: id, hostPid: run?.host_pid },
        },
      );
    }
    const why = session.external ? "runs outside Coven" : `is not live (${session.status})`;
    throw new Failure("session_not_live", `session ${id} ${why}`, {
      hint: "Look at its status and output, or launch a new session.",
      details: { sessionId: id, status: session.status },
    });
  }

  /** Throws `session_live`, saying what cannot be done to it (a participle). */
  requireEnded(id: string, what: string): SessionRecord {
    const session = this.get(id);
    if (!isLive(session.status)) return session;
    throw new Failure("session_live", `session ${id} is live and cannot be ${what}`, {
      hint: session.external
        ? "It runs outside Coven: complete it first."
        : "Kill it or wait for its end first.",
      details: { sessionId: id, status: session.status },
    });
  }
}

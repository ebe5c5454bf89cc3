/** Launching: the record that is written first, then the spawn, of one session or of several at once. */
import { randomUUID } from "node:crypto";
import { Failure } from "../errors.ts";
import type { NewSession, SessionRecord } from "../store/sessions.ts";
import type { Store } from "../store/store.ts";
import type { WakeRecord } from "../store/wakes.ts";
import type { Environment, Environments } from "./environment.ts";
import type { Growth } from "./growth.ts";
import type { HostLink } from "./host/link.ts";
import type { HostPool } from "./host-pool.ts";
import {
  type LaunchInput,
  type Preparation,
  type Prepared,
  type PreparedRun,
  inWorktree,
  prepare,
  prepareResumed,
} from "./launch-preparation.ts";
import type { Leftovers } from "./leftovers.ts";
import { type LaunchLimits, requireRoom } from "./lineage.ts";
import type { ProjectStates } from "./project-states.ts";
import type { SessionWorktrees } from "./session-worktrees.ts";
import type { LiveSessions, Remember } from "./sessions.ts";

export interface Launched {
  readonly session: SessionRecord;
  readonly runId: string;
  /** The seq before the session's first event: a watch from here misses nothing. */
  readonly cursorSeq: number;
}

/** Who launches, and from where. */
export interface Launcher {
  readonly env: Environment | undefined;
  /** The session whose run launches; undefined for the owner. */
  readonly parent: string | undefined;
  /** That run. */
  readonly run?: string | undefined;
  readonly remember?: Remember | undefined;
}

/** A run of a session that is new or, where nothing more is wanted, was there before. */
type ToSpawn = PreparedRun & Pick<Prepared, "session"> & Partial<Pick<Prepared, "wanted">>;

export interface LaunchesOptions extends Preparation {
  readonly store: Store;
  readonly growth: Growth;
  readonly hosts: HostPool;
  readonly environments: Environments;
  readonly sessions: LiveSessions;
  readonly leftovers: Leftovers;
  readonly worktrees: SessionWorktrees;
  readonly states: ProjectStates;
  readonly limits: () => LaunchLimits;
  /** Hears of sessions whose parent is to be told of their end. */
  readonly tells: (session: string) => void;
  /** Hears of each run that is written down, before it is started. */
  readonly launched: (session: string) => void;
}

export class Launches {
  readonly #options: LaunchesOptions;
  readonly #underWay = new Set<Promise<void>>();
  #isClosed = false;

  constructor(options: LaunchesOptions) {
    this.#options = options;
  }

  /** From now on nothing is launched: the daemon is stopping. Resolves when what was under way is done. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#underWay);
  }

  /** Checks everything that can be known before, writes the record, then has a host spawn the harness. */
  launch(input: LaunchInput, launcher: Launcher): Promise<Launched> {
    return this.#counted(this.#launch(input, launcher));
  }

  /**
   * The same for several: all are checked, then all are written down at once, then all are spawned. One that cannot be
   * spawned is told by its record; throws only where none could.
   */
  launchLanes(inputs: readonly LaunchInput[], launcher: Launcher): Promise<Launched[]> {
    return this.#counted(this.#launchLanes(inputs, launcher));
  }

  /**
   * Starts the run of an ended session that a wake is for; `write` is called in the transaction that writes it down.
   * Nothing has happened when it throws, unless the run was there before: then it is for the caller to say that it failed.
   */
  resume(wake: WakeRecord, write: (runId: string) => void): Promise<void> {
    return this.#counted(this.#resume(wake, write));
  }

  /** What an earlier launch of the session answered, for a caller that did not get its answer. */
  launched(id: string): Launched {
    const session = this.#options.sessions.get(id);
    const { events, runs } = this.#options.store;
    return { session, runId: runs.newest(id)?.id ?? "", cursorSeq: events.firstSeq(id) - 1 };
  }

  /** The same of several, by the first of them; what was sacrificed since is left out. Throws where nothing is left. */
  launchedLanes(first: string): Launched[] {
    const lanes = this.#options.store.sessions.lanesOf(first);
    return lanes.length === 0 ? [this.launched(first)] : lanes.map(({ id }) => this.launched(id));
  }

  async #launch(input: LaunchInput, launcher: Launcher): Promise<Launched> {
    const from = await this.#from(launcher);
    const prepared = await prepare(input, from, this.#options);
    const { written, host, cursorSeq } = await this.#writeWithWorktrees([prepared], from.env, launcher);
    await Promise.all(written.map((each) => this.#spawn(each, host)));
    return this.#answer(prepared, cursorSeq);
  }

  async #launchLanes(inputs: readonly LaunchInput[], launcher: Launcher): Promise<Launched[]> {
    const from = await this.#from(launcher);
    const lanes: Prepared[] = [];
    for (const input of inputs) {
      const { session, ...lane } = await prepare(input, from, this.#options);
      lanes.push({
        ...lane,
        session: { ...session, lane_of: lanes[0]?.session.id ?? session.id, lane: lanes.length },
      });
    }
    const { written, host, cursorSeq } = await this.#writeWithWorktrees(lanes, from.env, launcher);
    const spawned = await Promise.allSettled(written.map((lane) => this.#spawn(lane, host)));
    const failed = spawned.flatMap((each) => (each.status === "rejected" ? [each] : []));
    if (failed[0] && failed.length === lanes.length) throw failed[0].reason;
    return lanes.map((lane) => this.#answer(lane, cursorSeq));
  }

  async #from(launcher: Launcher) {
    const env = await this.#options.environments.forCaller(launcher.env);
    return { env, parent: this.#parentOf(launcher) };
  }

  async #resume(wake: WakeRecord, write: (runId: string) => void): Promise<void> {
    const { store, sessions, environments, growth } = this.#options;
    const session = sessions.get(wake.session_id);
    const runId = wake.run_id ?? randomUUID();
    const env = await environments.forSession(session.id);
    const { model, message: prompt } = wake;
    if (prompt === null) throw new Error(`wake ${wake.id} has nothing to say any more`);
    const resumption = { runId, prompt, model: model ?? undefined, env };
    const prepared = await prepareResumed(session, resumption, this.#options);
    const host = await this.#host();
    await store.writeDurably(() => {
      this.#requireOpen();
      requireConnected(host);
      this.#options.worktrees.requireStays(session.worktree);
      write(runId);
      store.runs.setToken(runId, prepared.tokenHash);
      store.runs.giveTo(runId, host.pid);
    });
    growth.tell([session.id]);
    this.#options.launched(session.id);
    if (session.wake_parent) this.#options.tells(session.id);
    // What the run before has left is looked at first.
    void this.#options.states.settle(session.id);
    await this.#spawn({ ...prepared, session }, host);
  }

  #requireOpen(): void {
    if (!this.#isClosed) return;
    throw new Failure("runtime_unavailable", "the daemon is stopping", { hint: "Start it again." });
  }

  #parentOf({ parent }: Launcher): SessionRecord | undefined {
    return parent === undefined ? undefined : this.#options.sessions.get(parent);
  }

  async #host(): Promise<HostLink> {
    const { hosts, home } = this.#options;
    const host = await hosts.current();
    if (hosts.storeState() === "store_full") throw storeFull(home);
    return host;
  }

  /** Worktrees are made before anything is written down; what fails then leaves none. */
  async #writeWithWorktrees(prepared: readonly Prepared[], env: Environment, launcher: Launcher) {
    const { store, limits, worktrees } = this.#options;
    requireRoom(store, limits(), this.#parentOf(launcher), prepared.length);
    const host = await this.#host();
    const written: Prepared[] = [];
    try {
      // One after the other: git lets nobody else write to a repository meanwhile.
      for (const each of prepared) {
        const { wanted, session } = each;
        if (wanted === undefined) written.push(each);
        else written.push(inWorktree(each, await worktrees.make(session, wanted, env)));
      }
      return { written, host, cursorSeq: await this.#write(written, host, launcher) };
    } catch (error) {
      for (const { wanted, session } of written)
        if (wanted !== undefined) await worktrees.takeBack(session, env);
      throw error;
    }
  }

  /** Answers the place in the log before them. */
  async #write(launches: readonly Prepared[], host: HostLink, launcher: Launcher): Promise<number> {
    const { store, growth, limits, worktrees } = this.#options;
    const [first] = launches;
    const parent = this.#parentOf(launcher);
    const cursorSeq = store.events.lastSeq();
    await store.writeWhenFree(() => {
      this.#requireOpen();
      requireRoom(store, limits(), parent, launches.length);
      for (const { session } of launches) worktrees.requireStays(session.worktree);
      if (first) launcher.remember?.(first.spec.sessionId);
      for (const { session, spec, tokenHash } of launches) {
        store.sessions.create(session, spec.runId);
        store.runs.create({
          id: spec.runId,
          session: spec.sessionId,
          tokenHash,
          chain: (launcher.run && store.runs.find(launcher.run)?.chain) || 0,
          tellsParent: session.wake_parent === true,
        });
        store.runs.giveTo(spec.runId, host.pid);
      }
    });
    for (const { session, spec } of launches) {
      this.#options.environments.remember(spec.sessionId, launcher.env);
      this.#options.launched(spec.sessionId);
      if (session.wake_parent === true) this.#options.tells(spec.sessionId);
    }
    growth.tell(launches.map(({ spec }) => spec.sessionId));
    return cursorSeq;
  }

  /**
   * A host that lives and gave no answer has the run all the same: it is launched as far as anybody knows, its log says
   * what comes of it, and told as failed it would be launched again. Throws what went wrong otherwise.
   */
  async #spawn({ spec, isAgent, session, wanted }: ToSpawn, host: HostLink): Promise<void> {
    const { project_root, worktree = null } = session;
    const { ready, starts, hasStarted } = this.#options.states.begin({
      session: { id: spec.sessionId, project_root, worktree },
      run: spec.runId,
      isNew: wanted !== undefined,
      isAgent,
    });
    if (ready !== undefined) await ready;
    try {
      starts();
      await host.call("launch", spec);
    } catch (error) {
      const { hosts, leftovers } = this.#options;
      const code = error instanceof Failure ? error.code : "internal_error";
      if (code === "runtime_unavailable" && hosts.lives(host.pid)) return;
      // The host has told the log of a launch that failed there; nobody else would tell of any other.
      if (code !== "launch_failed")
        await leftovers.orphanLostRuns(({ id }) => id === spec.runId, "it could not be handed to a host");
      else if (wanted !== undefined) await this.#takeBackWorktree(session);
      throw error;
    } finally {
      hasStarted();
    }
  }

  /** Nothing has run in it. */
  async #takeBackWorktree(session: NewSession): Promise<void> {
    const { store, worktrees } = this.#options;
    if (await worktrees.takeBack(session))
      await store.writeWhenFree(() => store.sessions.forgetWorktree(session.id));
  }

  #answer({ spec }: Prepared, cursorSeq: number): Launched {
    return { session: this.#options.sessions.get(spec.sessionId), runId: spec.runId, cursorSeq };
  }

  #counted<T>(launch: Promise<T>): Promise<T> {
    const settled = launch.then(ignore, ignore).finally(() => this.#underWay.delete(settled));
    this.#underWay.add(settled);
    return launch;
  }
}

const ignore = (): void => undefined;

/** What is not asked of a host yet can still be asked of another one. */
function requireConnected({ pid, isOpen }: HostLink): void {
  if (isOpen) return;
  throw new Failure("runtime_unavailable", `the host ${pid} has just been lost`, { hint: "Try again." });
}

const storeFull = (home: string): Failure =>
  new Failure("store_full", `the disk that holds ${home} is full`, {
    hint: "Free some space and launch again; live sessions are paused meanwhile and go on by themselves.",
    details: { home },
  });

/**
 * What git said of a session's project when each of its runs began and when it had ended, stored with the run.
 *
 * A look takes 50 to 110 ms, and a launch must not. A coding agent asks its model before it writes anything: the look is
 * begun when its launch is answered, and done by then. Any other program may write at once, so its start waits for the
 * look, up to a limit. A new worktree needs no look, for its commit says what is in it. A look that was not done in time
 * is marked as late, which is told with the changes. Without a repository nothing is asked of git.
 */
import * as z from "zod";
import type { Log } from "../log.ts";
import type { SessionRecord } from "../store/sessions.ts";
import type { RunProject } from "../store/runs.ts";
import type { Store } from "../store/store.ts";
import type { Changes, Snapshot } from "./changes.ts";
import type { Growth, Unsubscribe } from "./growth.ts";
import { workTreeAround } from "./worktrees.ts";

/** How long the start of a program that may write at once waits for a look, ms: the first one at a large project. */
const patienceMs = 1000;
/** No coding agent has heard from its model so soon after its start, ms. */
const quietMs = 250;
/** How long a daemon that stops waits for looks under way, ms; they are taken again, late, at the next start. */
const closingMs = 2000;

const noState = z.object({ kind: z.literal("none"), reason: z.string() });
const gitState = z.object({
  kind: z.literal("git"),
  directory: z.string(),
  at: z.string(),
  head: z.string().nullable(),
  branch: z.string().nullable(),
  operation: z.enum(["merge", "rebase", "cherry-pick", "revert", "bisect"]).nullable(),
  tree: z.string(),
});
const isLate = z.object({ isLate: z.boolean().default(false) });
const storedState = z.union([gitState.extend(isLate.shape), noState.extend(isLate.shape)]);
export type StoredState = z.output<typeof storedState>;

export const stateOf = (text: string): StoredState => storedState.parse(JSON.parse(text));
const textOf = (state: Snapshot, late: boolean): string =>
  JSON.stringify(late ? { ...state, isLate: true } : state);

export interface ProjectStatesOptions {
  readonly store: Store;
  readonly changes: Changes;
  readonly growth: Growth;
  readonly log: Log;
}

export interface RunBeginning {
  readonly session: Pick<SessionRecord, "id" | "project_root" | "worktree">;
  readonly run: string;
  /** Its worktree has just been made. */
  readonly isNew: boolean;
  /** It is a coding agent, which begins by asking its model. */
  readonly isAgent: boolean;
}

export interface Beginning {
  /** Resolves when the process may be started, after a bounded time; undefined where nothing is to be waited for. */
  readonly ready: Promise<void> | undefined;
  /** To be called before it is started. */
  readonly starts: () => void;
  /** And when it was. */
  readonly hasStarted: () => void;
}

interface Look {
  readonly writes: ((state: Snapshot) => void)[];
  readonly taken: Promise<void>;
}

/** Where a session's files are. */
export const directoryOf = ({
  project_root,
  worktree,
}: Pick<SessionRecord, "project_root" | "worktree">): string => worktree?.directory ?? project_root;

export class ProjectStates {
  readonly #options: ProjectStatesOptions;
  readonly #store: Store;
  readonly #followed = new Map<string, Unsubscribe>();
  /** By session, what is to be remembered of its runs: one after the other. */
  readonly #pending = new Map<string, Promise<void>>();
  /** By directory, the look that has not begun: whoever wants one joins it. */
  readonly #next = new Map<string, Look>();
  readonly #last = new Map<string, Promise<void>>();
  /** Looks that are not stored yet, so that nobody tidies them away. */
  readonly #unstored = new Set<Snapshot>();
  #isClosed = false;

  constructor(options: ProjectStatesOptions) {
    this.#options = options;
    this.#store = options.store;
  }

  /** Goes on with what lives, and looks, late, after what has ended meanwhile. */
  start(): void {
    // A crash may have come between a sacrifice and this.
    this.#options.changes.keepOnlyOf(this.#store.runs.allDirectories());
    for (const { id } of this.#store.sessions.live()) this.follow(id);
    for (const id of this.#store.runs.unlooked()) void this.#look(id, true);
  }

  async close(): Promise<void> {
    for (const unsubscribe of this.#followed.values()) unsubscribe();
    this.#followed.clear();
    const over = new Promise<void>((resolve) => setTimeout(resolve, closingMs).unref());
    await Promise.race([Promise.all(this.#pending.values()), over]);
    this.#isClosed = true;
  }

  /** To be called before the process of a run is started, when the run is written down. */
  begin({ session, run, isNew, isAgent }: RunBeginning): Beginning {
    const directory = directoryOf(session);
    if (workTreeAround(directory) === undefined) return nothingToDo;
    this.follow(session.id);
    let startedAtMs = Number.POSITIVE_INFINITY;
    const write = (state: Snapshot): void => {
      const late = performance.now() - startedAtMs > (isAgent ? quietMs : 0);
      this.#store.runs.setProjectBefore(run, textOf(state, late));
    };
    const base = isNew ? session.worktree?.base : undefined;
    const look = async (): Promise<void> => {
      const known = base === undefined ? undefined : await this.#options.changes.checkedOut(directory, base);
      if (known === undefined) return this.#take(directory, write);
      await this.#store.writeWhenFree(() => this.#store.runs.setProjectBefore(run, textOf(known, false)));
    };
    const starts = (): void => void (startedAtMs = performance.now());
    if (!isAgent && base === undefined) {
      const taken = this.#inTurn(session.id, look);
      return { ready: Promise.race([taken, patience()]), starts, hasStarted: () => undefined };
    }
    let hasStarted = ignore;
    const begun = new Promise<void>((resolve) => (hasStarted = () => void setImmediate(resolve)));
    // In its turn from now on, so that the run's end, however soon it comes, is looked at after its beginning.
    void this.#inTurn(session.id, () => begun.then(look));
    return { ready: undefined, starts, hasStarted };
  }

  /** Looks at the project when the session's run has ended. */
  follow(session: string): void {
    if (this.#followed.has(session) || this.#isClosed) return;
    const heard = (): void => {
      const status = this.#store.sessions.statusOf(session);
      if (status === "created" || status === "running") return;
      this.#followed.get(session)?.();
      this.#followed.delete(session);
      void this.#look(session, false);
    };
    this.#followed.set(session, this.#options.growth.subscribe(session, heard));
  }

  /** Resolves when all that is to be remembered of the session's runs so far is. */
  async settle(session: string): Promise<void> {
    await this.#look(session, false);
  }

  /** Forgets what was kept for those that are remembered no more. */
  async tidy(directories: readonly string[]): Promise<void> {
    for (const directory of directories)
      await this.#options.changes.keepOnly(directory, () => [
        ...this.#store.runs.projectStates(directory).map(stateOf),
        ...this.#unstored,
      ]);
  }

  /** Of a session whose log was pruned: what it changed is no longer told. */
  async forget(session: string): Promise<void> {
    const directories = this.#store.runs.directories(session);
    if (directories.length === 0) return;
    const reason = "its log was pruned, and with it what was remembered of the project";
    await this.#store.writeWhenFree(() =>
      this.#store.runs.replaceProjects(session, textOf({ kind: "none", reason }, false)),
    );
    await this.tidy(directories);
  }

  #look(session: string, late: boolean): Promise<void> {
    return this.#inTurn(session, async () => {
      const runs = this.#store.runs.projects(session).flatMap((run) => {
        const before = isUnlooked(run) ? stateOf(run.project_before ?? "") : undefined;
        return before === undefined ? [] : [{ id: run.id, before }];
      });
      for (const { id, before } of runs) {
        const write = (state: Snapshot): void => this.#store.runs.setProjectAfter(id, textOf(state, late));
        if (before.kind === "git") await this.#take(before.directory, write);
        else await this.#store.writeWhenFree(() => write(before));
      }
    });
  }

  /** What goes wrong is told in the log: a run is not to fail for it. */
  #inTurn(session: string, work: () => Promise<void>): Promise<void> {
    const turn = (this.#pending.get(session) ?? Promise.resolve())
      .then(() => (this.#isClosed ? undefined : work()))
      .catch((err: unknown) => {
        this.#options.log.warn({ err, session }, "the state of a project could not be remembered");
      })
      .finally(() => {
        if (this.#pending.get(session) === turn) this.#pending.delete(session);
      });
    this.#pending.set(session, turn);
    return turn;
  }

  #take(directory: string, write: (state: Snapshot) => void): Promise<void> {
    const next = this.#next.get(directory);
    if (next !== undefined) {
      next.writes.push(write);
      return next.taken;
    }
    const writes = [write];
    const before = this.#last.get(directory) ?? Promise.resolve();
    const taken = before.then(async () => {
      this.#next.delete(directory);
      await this.#takeAndStore(directory, writes);
    });
    this.#next.set(directory, { writes, taken });
    const settled = taken.then(ignore, ignore).finally(() => {
      if (this.#last.get(directory) === settled) this.#last.delete(directory);
    });
    this.#last.set(directory, settled);
    return taken;
  }

  async #takeAndStore(directory: string, writes: readonly ((state: Snapshot) => void)[]): Promise<void> {
    const state = await this.#options.changes.snapshot(directory, (taken) => this.#unstored.add(taken));
    try {
      if (this.#isClosed) return;
      await this.#store.writeWhenFree(() => {
        for (const write of writes) write(state);
      });
    } finally {
      this.#unstored.delete(state);
    }
  }
}

const ignore = (): void => undefined;

const nothingToDo: Beginning = { ready: undefined, starts: ignore, hasStarted: ignore };

const isUnlooked = ({ ended_at, project_before, project_after }: RunProject): boolean =>
  ended_at !== null && project_before !== null && project_after === null;

const patience = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, patienceMs).unref());

/**
 * The worktrees of sessions, one folder each in `$COVEN_HOME/worktrees`, and what keeps them from being half-done.
 *
 * A worktree is made before its session is written down, and a session deleted after its worktree is gone. So what a
 * crash leaves is either a worktree that no session has, which nobody has worked in and the next start removes, or a
 * session whose worktree is gone, which can be sacrificed once more. In both cases a branch with commits of its own stays.
 */
import { existsSync, readFileSync, readdirSync, realpathSync, rmSync, rmdirSync, statSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { Failure } from "../errors.ts";
import type { Log } from "../log.ts";
import type { NewSession, SessionRecord, SessionWorktree } from "../store/sessions.ts";
import type { Store } from "../store/store.ts";
import type { Environment } from "./environment.ts";
import { requireWithin } from "./project-root.ts";
import { whatIsLost, worktreeState } from "./worktree-state.ts";
import { createWorktree, removeWorktree, worktreePlace } from "./worktrees.ts";

/** The start of a session's id, as people see it: their worktree and branch are called by it. */
const nameCharacters = 8;
/** Until then a checkout that was not finished may still be under way: git outlives a daemon that crashed, ms. */
const unfinishedMsMax = 300_000;

export interface SessionWorktreesOptions {
  readonly store: Store;
  /** Where all of them are. */
  readonly folder: string;
  /** For git, where no caller's is known. */
  readonly env: NodeJS.ProcessEnv;
  readonly log: Log;
}

/** What is asked of a session that is to have one. */
export interface WorktreeWanted {
  /** The project, or the worktree of a session that launches this one: where the branch begins. */
  readonly from: string;
  /** From there to the working directory. */
  readonly way: string;
}

export class SessionWorktrees {
  readonly #options: SessionWorktreesOptions;
  /** Paths that are about to be removed: nothing may be started in them. */
  readonly #going = new Set<string>();
  /** Two that are at the same commit would each go because the other has it: so one goes after the other. */
  #removal: Promise<unknown> = Promise.resolve();

  constructor(options: SessionWorktreesOptions) {
    this.#options = options;
  }

  /** Answers the session in its worktree. Nothing of it is left when it throws. */
  async make(
    session: NewSession,
    { from, way }: WorktreeWanted,
    env: Environment,
  ): Promise<NewSession & { readonly worktree: SessionWorktree }> {
    const name = session.id.slice(0, nameCharacters);
    const place = worktreePlace(this.#options.folder, session.project_root, name);
    const worktree = await createWorktree({ repository: from, place, name, env });
    const made = { ...session, worktree };
    try {
      return { ...made, cwd: cwdIn(worktree, way) };
    } catch (error) {
      await this.takeBack(made, env);
      throw error;
    }
  }

  /** Of a session that nothing was started for. What cannot be removed is named in the log; true when it is gone. */
  async takeBack(
    { id, project_root: repository, worktree }: Pick<NewSession, "id" | "project_root" | "worktree">,
    env: NodeJS.ProcessEnv = this.#options.env,
  ): Promise<boolean> {
    if (!worktree) return true;
    try {
      await this.#inTurn(() => removeWorktree({ repository, ...worktree, force: false, env }));
      removeEmpty(dirname(worktree.path));
      return true;
    } catch (err) {
      this.#options.log.error(
        { err, session: id, path: worktree.path },
        "a worktree could not be taken back",
      );
      return false;
    }
  }

  /**
   * Removes the worktree of a session that is to be deleted, unless others have it as well, does the rest, and keeps
   * everybody out meanwhile. Answers a branch that is still there. Throws `worktree_not_clean` and `session_live`, and the session stays.
   */
  async removeWith(
    session: SessionRecord,
    force: boolean,
    rest: () => Promise<void>,
  ): Promise<string | undefined> {
    const { worktree } = session;
    const { store } = this.#options;
    if (worktree === null || store.sessions.isWorktreeOfOthers(worktree.path, session.id)) {
      await rest();
      return undefined;
    }
    this.requireStays(worktree);
    const working = store.sessions.liveBelow(worktree.path);
    if (working !== undefined) throw inUse(worktree.path, working);
    this.#going.add(worktree.path);
    try {
      const isBranchKept = await this.#inTurn(() => this.#remove(session.project_root, worktree, force));
      await rest();
      return isBranchKept ? worktree.branch : undefined;
    } finally {
      this.#going.delete(worktree.path);
    }
  }

  /** In words, what would be lost with the session's worktree now; empty where nothing would, or it has none. */
  async lostWith({ id, project_root: repository, worktree }: SessionRecord): Promise<string> {
    const { store, env } = this.#options;
    if (worktree === null || store.sessions.isWorktreeOfOthers(worktree.path, id)) return "";
    const { path } = worktree;
    if (!existsSync(path)) return "";
    if (!isReachable(path) || !existsSync(repository)) return `whatever is in ${path}`;
    try {
      return whatIsLost(await worktreeState(path, env));
    } catch (error) {
      if (error instanceof Failure) return `whatever is in ${path}`;
      throw error;
    }
  }

  #inTurn<T>(remove: () => Promise<T>): Promise<T> {
    const turn = this.#removal.then(remove, remove);
    this.#removal = turn;
    return turn;
  }

  /** To be asked in the transaction that starts something in it. */
  requireStays(worktree: SessionWorktree | null | undefined): void {
    if (!worktree || !this.#going.has(worktree.path)) return;
    throw new Failure("runtime_unavailable", `the worktree ${worktree.path} is being removed`, {
      hint: "Its session is being sacrificed; ask again to see what came of it.",
    });
  }

  async #remove(repository: string, worktree: SessionWorktree, force: boolean): Promise<boolean> {
    const { env } = this.#options;
    const { path } = worktree;
    const isLost = existsSync(path) && !isReachable(path);
    if (isLost || !existsSync(repository)) {
      // Git cannot say what would be lost with it.
      if (existsSync(path) && !force) throw notKnown(path, repository);
      rmSync(path, { recursive: true, force: true });
      if (!existsSync(repository)) return false;
    }
    const { isBranchKept } = await removeWorktree({ repository, ...worktree, force, env });
    removeEmpty(dirname(path));
    return isBranchKept;
  }

  /** Removes what an earlier daemon made and could not write down any more. Throws nothing. */
  async sweep(): Promise<void> {
    const { folder, store, log } = this.#options;
    try {
      if (!existsSync(folder)) return;
      // Listed before anybody can make another.
      for (const path of foldersIn(realpathSync(folder)).flatMap(foldersIn))
        if (!store.sessions.isWorktreeOfAny(path)) await this.#sweepOne(path);
    } catch (err) {
      log.warn({ err, folder }, "the worktrees could not be looked through");
    }
  }

  async #sweepOne(path: string): Promise<void> {
    const { store, log, env } = this.#options;
    try {
      if (isBeingMade(path) || store.sessions.liveBelow(path) !== undefined) return;
      const gitDirectory = gitDirectoryOf(path);
      // What git says about itself is in the repository, which its worktree names.
      const repository = gitDirectory === undefined ? undefined : dirname(dirname(gitDirectory));
      if (gitDirectory === undefined || repository === undefined || !existsSync(repository)) {
        log.warn({ path }, "a folder among the worktrees is none of any session");
        return;
      }
      const isUnfinished = lockReason(gitDirectory) === "initializing";
      const branch = `coven/${basename(path)}`;
      if (!isUnfinished) await requireUntouched(path, branch, env);
      if (isUnfinished) rmSync(join(gitDirectory, "locked"));
      await this.#inTurn(() => removeWorktree({ repository, path, branch, force: isUnfinished, env }));
      removeEmpty(dirname(path));
      log.info({ path }, "a worktree that no session has was removed");
    } catch (err) {
      log.warn({ err, path }, "a worktree that no session has is kept");
    }
  }
}

/** In one that nobody has worked in nothing is ignored, and its own branch is checked out. Nobody is asked here. */
async function requireUntouched(path: string, branch: string, env: NodeJS.ProcessEnv): Promise<void> {
  const state = await worktreeState(path, env);
  if (state.branch === branch && state.ignored === 0) return;
  throw new Failure("worktree_not_clean", `somebody has worked in the worktree ${path}`, {
    hint: "Look into it, and remove it with git worktree remove.",
    details: { path, branch: state.branch, ignored: state.ignored },
  });
}

const inUse = (path: string, session: string): Failure =>
  new Failure("session_live", `session ${session} works in the worktree ${path}`, {
    hint: "Wait for its end (watch), or kill it, then ask again.",
    details: { sessionId: session, path },
  });

/** Throws `invalid_request` for what git does not bring along: ignored and untracked folders are the project's alone. */
function cwdIn({ path, directory }: SessionWorktree, way: string): string {
  const cwd = resolve(directory, way);
  if (existsSync(cwd) && statSync(cwd).isDirectory()) return requireWithin(path, cwd);
  throw new Failure(
    "invalid_request",
    `cwd ${relative(path, cwd)} is not in the worktree: git does not track it`,
    {
      hint: "Commit something in it, or name a working directory that has something committed.",
      details: { cwd: way },
    },
  );
}

const notKnown = (path: string, repository: string): Failure =>
  new Failure(
    "worktree_not_clean",
    `what would be lost with ${path} is not known: git finds no worktree of ${repository} there`,
    {
      hint: "Look into it, and take what is wanted; then pass force: true (CLI: --force).",
      details: { path },
    },
  );

/** Of a linked worktree the file `.git` says where git keeps what it knows of it. */
function gitDirectoryOf(path: string): string | undefined {
  const file = join(path, ".git");
  if (!existsSync(file) || !statSync(file).isFile()) return undefined;
  return /^gitdir: (.+)$/m.exec(readFileSync(file, "utf8"))?.[1];
}

export const isReachable = (path: string): boolean => {
  const gitDirectory = gitDirectoryOf(path);
  return gitDirectory !== undefined && existsSync(gitDirectory);
};

/** Git locks a worktree until it is checked out. */
function lockReason(gitDirectory: string): string | undefined {
  const file = join(gitDirectory, "locked");
  return existsSync(file) ? readFileSync(file, "utf8").trim() : undefined;
}

function isBeingMade(path: string): boolean {
  const gitDirectory = gitDirectoryOf(path);
  const isFinished = gitDirectory !== undefined && lockReason(gitDirectory) !== "initializing";
  return !isFinished && Date.now() - statSync(path).ctimeMs < unfinishedMsMax;
}

/** The project's folder goes with the last of its worktrees. */
function removeEmpty(folder: string): void {
  if (existsSync(folder) && readdirSync(folder).length === 0) rmdirSync(folder);
}

const foldersIn = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(folder, name));

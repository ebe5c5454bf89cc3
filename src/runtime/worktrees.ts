/**
 * Worktrees of lanes: each has a folder outside of the user's work tree and a branch of its own, `coven/<name>`. What
 * is removed is only what was made here, and only when nothing would be lost, or when the caller says so all the same.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative } from "node:path";
import { Failure } from "../errors.ts";
import { type GitOptions, runGit } from "./git.ts";
import { locateRepository } from "./git-repository.ts";
import {
  type WorktreeState,
  done,
  linkedWorktree,
  lostWorktreeState,
  notAWorktree,
  ownCommits,
  registeredWorktrees,
  stateIn,
  whatIsLost,
} from "./worktree-state.ts";

/** How long a checkout may take, ms: a large repository on a slow disk. */
const checkoutMsMax = 300_000;
const namePattern = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9_-])?$/;

export interface WorktreeAsked {
  /** The project's directory, as its real path. */
  readonly repository: string;
  /** The folder the worktree is to be, which nothing stands at yet. */
  readonly place: string;
  readonly name: string;
  readonly env?: NodeJS.ProcessEnv;
}

export interface Worktree {
  readonly path: string;
  /** In it, what the project's directory is in the repository. */
  readonly directory: string;
  readonly branch: string;
  readonly base: string;
}

/** Where a project's worktree of this name stands, below a folder that all projects share. */
export function worktreePlace(folder: string, repository: string, name: string): string {
  const hash = createHash("sha256").update(repository).digest("hex").slice(0, 8);
  return join(folder, `${basename(repository).slice(0, 40)}-${hash}`, name);
}

/**
 * Throws `invalid_request` for a place or name that cannot be, no repository, no commit, `worktree_taken`, and
 * `launch_failed` where git could not check out; then nothing of it is left.
 */
export async function createWorktree({ repository, place, name, env }: WorktreeAsked): Promise<Worktree> {
  requireName(name);
  const top = workTreeAround(repository) ?? repository;
  requireOutside(top, place);
  const branch = `coven/${name}`;
  // Filters run as in any checkout of the user's: without them the files would be others. The log of the branch is what
  // a failed one is taken back by.
  const config = [["core.logAllRefUpdates", "true"]] as const;
  const git: GitOptions = {
    directory: repository,
    config,
    timeoutMs: checkoutMsMax,
    ...(env ? { env } : {}),
  };
  if (existsSync(place)) throw taken(`${place} exists already`, { place });
  const startedAt = Math.floor(Date.now() / 1000);
  mkdirSync(dirname(place), { recursive: true, mode: 0o700 });
  // Git itself refuses what cannot be, so that the usual case costs one command.
  const added = await runGit(["worktree", "add", "--quiet", "--no-guess-remote", "-b", branch, place], git);
  if (added.kind === "failed") {
    const whyNot = await refusal(git, branch, added.message);
    if (whyNot === undefined) await undo(git, { place, branch, startedAt });
    throw (
      whyNot ??
      new Failure("launch_failed", `git could not make the worktree ${place}: ${added.message}`, {
        hint: "Nothing of it is left. Look at the message of git, and at the free space there.",
        details: { place, branch },
      })
    );
  }
  const path = realpathSync(place);
  return {
    path,
    directory: join(path, relative(top, repository)),
    branch,
    base: await headOf(git, path, branch),
  };
}

function requireName(name: string): void {
  if (namePattern.test(name) && !name.includes("..") && !name.endsWith(".lock")) return;
  throw new Failure("invalid_request", `${name} cannot be the name of a worktree and its branch`, {
    hint: "Use up to 64 letters, digits, dots, dashes and underscores, beginning with a letter or digit.",
    details: { name },
  });
}

/** The nearest folder that git keeps something in, without asking git. */
export function workTreeAround(directory: string): string | undefined {
  if (existsSync(join(directory, ".git"))) return directory;
  return dirname(directory) === directory ? undefined : workTreeAround(dirname(directory));
}

/** Inside, the worktree would be a folder of untracked files to the user. */
function requireOutside(top: string, place: string): void {
  const way = relative(top, realPlace(place));
  const isInside = way !== ".." && !way.startsWith("../") && !isAbsolute(way);
  if (isAbsolute(place) && !isInside) return;
  throw new Failure("invalid_request", `a worktree at ${place} would be inside of the work tree ${top}`, {
    hint: "Give an absolute path outside of it.",
    details: { place, repository: top },
  });
}

/** What stands there already may be reached by links. */
const realPlace = (place: string): string =>
  existsSync(place) || dirname(place) === place
    ? realpathOr(place)
    : join(realPlace(dirname(place)), basename(place));

const realpathOr = (path: string): string => (existsSync(path) ? realpathSync(path) : path);

const taken = (what: string, details: Readonly<Record<string, string>>): Failure =>
  new Failure("worktree_taken", what, {
    hint: "Ask again, for it gets another name; a branch of yours called coven has to make room. Nothing of it was touched.",
    details,
  });

/** Why git would not, where it is the caller's to change. */
async function refusal(git: GitOptions, branch: string, message: string): Promise<Failure | undefined> {
  const details = { repository: git.directory };
  const head = await runGit(["rev-parse", "-q", "--verify", "HEAD^{commit}"], git);
  if (head.kind === "failed") {
    const located = await locateRepository(git.directory, git.env);
    if (located.kind === "none" && !located.reason.includes("has no work tree")) {
      return new Failure("invalid_request", `no worktree of ${git.directory}: ${located.reason}`, {
        hint: "Leave the worktree out, or run git init there.",
        details,
      });
    }
    return new Failure("invalid_request", `no worktree of ${git.directory}: it has no commit yet`, {
      hint: "Commit something first, or leave the worktree out.",
      details,
    });
  }
  // Git says so before it makes anything; later it is what was made that exists.
  if (
    /already exists|cannot lock ref|is already (?:checked out|used)|missing but already registered/.test(
      message,
    )
  )
    return taken(`the worktree's branch ${branch} or its place is taken: ${message}`, { ...details, branch });
  return undefined;
}

/** Takes back what a checkout that failed has left. */
async function undo(
  git: GitOptions,
  made: { place: string; branch: string; startedAt: number },
): Promise<void> {
  const { place, branch, startedAt } = made;
  await runGit(["worktree", "remove", "--force", place], git);
  // Nothing stood there before.
  rmSync(place, { recursive: true, force: true });
  // Of the branch only what its own log proves to be made just now and never moved.
  const reference = `refs/heads/${branch}`;
  const log = await runGit(["log", "-g", "--date=unix", "--format=%gd %H", reference, "--"], git);
  const [entry = "", ...older] = log.output.split("\n").filter((line) => line !== "");
  const [, at, hash] = /@\{(\d+)\} (\S+)$/.exec(entry) ?? [];
  if (older.length > 0 || hash === undefined || Number(at) < startedAt) return;
  await runGit(["update-ref", "-d", reference, hash], git);
}

/** Where the new branch stands: read from its file, which git has just written, for a command costs as much as a check. */
async function headOf(git: GitOptions, path: string, branch: string): Promise<string> {
  const gitDirectory = readFileSync(join(path, ".git"), "utf8")
    .replace(/^gitdir: /, "")
    .trim();
  const file = join(dirname(dirname(gitDirectory)), "refs/heads", branch);
  const written = existsSync(file) ? readFileSync(file, "utf8").trim() : "";
  if (/^[0-9a-f]{40,64}$/.test(written)) return written;
  return (await done(runGit(["rev-parse", "--verify", "HEAD"], { ...git, directory: path }))).trim();
}

export interface RemovalAsked {
  /** The project's directory; the worktree's folder may be gone. */
  readonly repository: string;
  readonly path: string;
  /** The branch it was made with. */
  readonly branch: string;
  /** Although something would be lost. */
  readonly force: boolean;
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Throws `worktree_not_clean` where something would be lost and `force` is not set, `git_failed` where git does not do it. Answers whether the branch is
 * still there: one with commits of its own always is, and one that is checked out elsewhere.
 */
export async function removeWorktree(asked: RemovalAsked): Promise<{ readonly isBranchKept: boolean }> {
  const { repository, path, branch, force, env } = asked;
  const git: GitOptions = { directory: repository, timeoutMs: checkoutMsMax, ...(env ? { env } : {}) };
  const isThere = existsSync(path);
  const registered = (await registeredWorktrees(git)).find((each) => each.path === path);
  const own = isThere ? await linkedWorktree(path, env) : undefined;
  if (own !== undefined) await requireOf(repository, path, env);
  // One that git cannot look through any more can still be forced.
  if (own !== undefined && !force) requireClean(await stateIn(own, env));
  if (own === undefined && registered !== undefined && !force)
    requireClean(await lostWorktreeState(git, registered));
  if (own !== undefined || registered !== undefined) {
    const removed = await runGit(["worktree", "remove", ...(force ? ["--force"] : []), path], {
      ...git,
      // Git looks once more before it removes, and would run what a session may have configured as a filter.
      config: own?.config ?? [],
    });
    if (removed.kind === "failed") {
      throw new Failure("git_failed", `git does not remove the worktree ${path}: ${removed.message}`, {
        hint: "A locked one is unlocked with git worktree unlock.",
        details: { path },
      });
    }
  }
  return { isBranchKept: !(await removeBranch(git, branch)) };
}

function requireClean(state: WorktreeState): void {
  if (state.isClean) return;
  const { path, uncommitted, untracked, repositories, commits, operation } = state;
  throw new Failure("worktree_not_clean", `with the worktree ${path} would be lost: ${whatIsLost(state)}`, {
    hint: "Commit or merge what is wanted, or pass force: true (CLI: --force). A branch with commits of its own stays.",
    details: { path, uncommitted, untracked, repositories, commits, operation },
  });
}

/** Throws `invalid_request` for a worktree of another repository. */
async function requireOf(repository: string, path: string, env?: NodeJS.ProcessEnv): Promise<void> {
  const [common, own] = await Promise.all(
    [repository, path].map(async (directory) => {
      const args = ["rev-parse", "--path-format=absolute", "--git-common-dir"];
      return done(runGit(args, { directory, ...(env ? { env } : {}) }));
    }),
  );
  if (common !== own) throw notAWorktree(path, `it belongs to another repository than ${repository}`);
}

/** Answers whether it is gone. */
async function removeBranch(git: GitOptions, branch: string): Promise<boolean> {
  const reference = `refs/heads/${branch}`;
  if (!branch.startsWith("coven/")) return false;
  const tip = await runGit(["rev-parse", "-q", "--verify", reference], git);
  if (tip.kind === "failed") return true;
  if ((await registeredWorktrees(git)).some((each) => each.branch === reference)) return false;
  if ((await ownCommits(git, branch, tip.output.trim())) > 0) return false;
  // Only from where it was looked at: a commit made meanwhile keeps it.
  const removed = await runGit(["update-ref", "-d", reference, tip.output.trim()], git);
  if (removed.kind === "failed") return false;
  await runGit(["config", "--local", "--remove-section", `branch.${branch}`], git);
  return true;
}

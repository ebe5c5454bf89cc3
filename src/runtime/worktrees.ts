/**
 * Worktrees of lanes: each has a folder outside of the user's work tree and a branch of its own, `coven/<name>`. What
 * is removed is only what was made here, and only when nothing would be lost, or when the caller says so all the same.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, isAbsolute, join, relative } from "node:path";
import { Failure } from "../errors.ts";
import { type GitAnswer, type GitOptions, listed, runGit, shownPath } from "./git.ts";
import { locateRepository } from "./git-repository.ts";
import { copyIndex } from "./kept-index.ts";

/** How long a checkout may take, ms: a large repository on a slow disk. */
const checkoutMsMax = 300_000;
/** Paths named of what would be lost; the rest is counted. */
const namedMax = 20;

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
 * Throws `invalid_request` for a place or name that cannot be or is taken, no repository, no commit, and
 * `launch_failed` where git could not check out; then nothing of it is left.
 */
export async function createWorktree({ repository, place, name, env }: WorktreeAsked): Promise<Worktree> {
  requireName(name);
  const top = workTreeAround(repository) ?? repository;
  requireOutside(top, place);
  const branch = `coven/${name}`;
  const git: GitOptions = { directory: repository, timeoutMs: checkoutMsMax, ...(env ? { env } : {}) };
  if (existsSync(place)) throw taken(`${place} exists already`, { place });
  mkdirSync(dirname(place), { recursive: true, mode: 0o700 });
  // Git itself refuses what cannot be, so that the usual case costs one command.
  const added = await runGit(["worktree", "add", "--quiet", "--no-guess-remote", "-b", branch, place], git);
  if (added.kind === "failed") {
    const whyNot = await refusal(git, branch, added.message);
    if (whyNot === undefined || !isOthers(whyNot)) await undo(git, place, branch);
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
function workTreeAround(directory: string): string | undefined {
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
  new Failure("invalid_request", what, {
    hint: "Choose another name for the worktree.",
    details: { ...details, taken: true },
  });

const isOthers = (failure: Failure): boolean => failure.details?.["taken"] === true;

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

/** Takes back what a checkout that failed has left. A branch that got a commit meanwhile stays. */
async function undo(git: GitOptions, place: string, branch: string): Promise<void> {
  await runGit(["worktree", "remove", "--force", place], git);
  // Nothing stood there before.
  rmSync(place, { recursive: true, force: true });
  const head = await runGit(["rev-parse", "-q", "--verify", "HEAD^{commit}"], git);
  if (head.kind === "done")
    await runGit(["update-ref", "-d", `refs/heads/${branch}`, head.output.trim()], git);
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

export interface WorktreeState {
  readonly path: string;
  /** Null on a detached HEAD. */
  readonly branch: string | null;
  /** Changed or staged and not committed, conflicts included. */
  readonly uncommitted: Found;
  /** Neither tracked nor ignored. */
  readonly untracked: Found;
  /** Repositories in it, whose own changes and commits nobody has looked at. */
  readonly repositories: Found;
  /** Commits that no other branch, tag or remote has. */
  readonly commits: number;
  readonly isClean: boolean;
}

export interface Found {
  readonly count: number;
  readonly first: readonly string[];
}

/** What would be lost with a worktree. Throws `invalid_request` for a path that is none. */
export async function worktreeState(path: string, env?: NodeJS.ProcessEnv): Promise<WorktreeState> {
  const located = await locateRepository(path, env);
  if (located.kind === "none") throw notAWorktree(path, located.reason);
  if (located.gitDirectory === located.commonDirectory || located.prefix !== "")
    throw notAWorktree(path, "it is a repository's own work tree, or a folder in one");
  const { branch } = located;
  const git: GitOptions = { directory: path, config: located.config, ...(env ? { env } : {}) };
  const status = [
    "status",
    "--porcelain=v1",
    "-z",
    "--untracked-files=all",
    "--no-renames",
    "--ignore-submodules=dirty",
  ];
  const [changed, tagged, commits] = await Promise.all([
    done(runGit(status, git)).then(listed),
    done(runGit(["ls-files", "-z", "-v", "-s"], git)).then(listed),
    ownCommits(git, branch, "HEAD"),
  ]);
  const hidden = await hiddenChanges(git, located.index, tagged);
  const tracked = changed.filter((each) => !each.startsWith("??")).map((each) => each.slice(3));
  const loose = changed.filter((each) => each.startsWith("??")).map((each) => each.slice(3));
  const nested = [
    ...linksOf(tagged).filter((each) => existsSync(join(path, shownPath(each), ".git"))),
    ...loose.filter((each) => each.endsWith("/")),
  ];
  const state = {
    path,
    branch,
    uncommitted: found([...new Set([...tracked, ...hidden])]),
    untracked: found(loose.filter((each) => !each.endsWith("/"))),
    repositories: found(nested),
    commits,
  };
  return { ...state, isClean: whatIsLost(state) === "" };
}

const notAWorktree = (path: string, reason: string): Failure =>
  new Failure("invalid_request", `${path} is no worktree: ${reason}`, {
    hint: "Pass the path of a worktree that was made for a session.",
    details: { path },
  });

const found = (paths: readonly string[]): Found => ({
  count: paths.length,
  first: paths.slice(0, namedMax).map(shownPath),
});

/** Of `ls-files -v -s`: `H 160000 <hash> 0\t<path>`. */
const linksOf = (tagged: readonly string[]): string[] =>
  tagged
    .filter((each) => each.slice(2).startsWith("160000 "))
    .map((each) => each.slice(each.indexOf("\t") + 1));

/** Changes of files that git was told to take for unchanged: in a copy of the index it is not told so. */
async function hiddenChanges(git: GitOptions, index: string, tagged: readonly string[]): Promise<string[]> {
  const hidden = tagged
    .filter((each) => /^[a-zS] /.test(each))
    .map((each) => each.slice(each.indexOf("\t") + 1));
  if (hidden.length === 0) return [];
  const folder = mkdtempSync(join(tmpdir(), "coven-index-"));
  try {
    const copy = { ...git, variables: { GIT_INDEX_FILE: join(folder, "index") } };
    copyIndex(index, join(folder, "index"));
    const input = hidden.map((path) => `${path}\0`).join("");
    for (const flag of ["--no-assume-unchanged", "--no-skip-worktree"])
      await done(runGit(["update-index", "-z", flag, "--stdin"], { ...copy, input }));
    const args = ["diff-files", "-z", "--name-only", "--diff-filter=d", "--ignore-submodules=dirty"];
    const differing = new Set(listed(await done(runGit(args, copy))));
    return hidden.filter((path) => differing.has(path));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function ownCommits(git: GitOptions, branch: string | null, tip: string): Promise<number> {
  const others = [...(branch === null ? [] : [`--exclude=${branch}`]), "--branches", "--remotes", "--tags"];
  return Number(await done(runGit(["rev-list", "--count", tip, "--not", ...others], git)));
}

/** In words, empty when nothing is. */
function whatIsLost({
  uncommitted,
  untracked,
  repositories,
  commits,
}: Omit<WorktreeState, "isClean">): string {
  return [
    counted(uncommitted.count, "file with uncommitted changes", "files with uncommitted changes"),
    counted(untracked.count, "untracked file", "untracked files"),
    counted(repositories.count, "repository inside", "repositories inside"),
    counted(commits, "commit that is on no other branch", "commits that are on no other branch"),
  ]
    .filter((each) => each !== "")
    .join(", ");
}

const counted = (count: number, one: string, more: string): string =>
  count === 0 ? "" : `${count} ${count === 1 ? one : more}`;

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
 * Throws `confirmation_required` where something would be lost and `force` is not set. Answers whether the branch is
 * still there: one with commits of its own always is, and one that is checked out elsewhere.
 */
export async function removeWorktree(asked: RemovalAsked): Promise<{ readonly isBranchKept: boolean }> {
  const { repository, path, branch, force, env } = asked;
  const git: GitOptions = { directory: repository, timeoutMs: checkoutMsMax, ...(env ? { env } : {}) };
  if (existsSync(path)) {
    const state = await worktreeState(path, env);
    if (!force && !state.isClean) throw wouldBeLost(state);
    await requireOf(repository, path, env);
  }
  if (existsSync(path) || (await isRegistered(git, path))) {
    const removed = await runGit(["worktree", "remove", ...(force ? ["--force"] : []), path], git);
    if (removed.kind === "failed") {
      throw new Failure(
        "confirmation_required",
        `git does not remove the worktree ${path}: ${removed.message}`,
        {
          hint: "A locked one is unlocked with git worktree unlock; otherwise say that it is to be forced.",
          details: { path },
        },
      );
    }
  }
  return { isBranchKept: !(await removeBranch(git, branch)) };
}

function wouldBeLost(state: WorktreeState): Failure {
  const { path, uncommitted, untracked, repositories, commits } = state;
  return new Failure(
    "confirmation_required",
    `with the worktree ${path} would be lost: ${whatIsLost(state)}`,
    {
      hint: "Commit or merge what is wanted, or say that it is to be forced. A branch with commits of its own stays.",
      details: { path, uncommitted, untracked, repositories, commits },
    },
  );
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

async function isRegistered(git: GitOptions, path: string): Promise<boolean> {
  const all = listed(await done(runGit(["worktree", "list", "--porcelain", "-z"], git)));
  return all.some((line) => shownPath(line) === `worktree ${path}`);
}

/** Answers whether it is gone. */
async function removeBranch(git: GitOptions, branch: string): Promise<boolean> {
  const reference = `refs/heads/${branch}`;
  if (!branch.startsWith("coven/")) return false;
  const tip = await runGit(["rev-parse", "-q", "--verify", reference], git);
  if (tip.kind === "failed") return true;
  const worktrees = listed(await done(runGit(["worktree", "list", "--porcelain", "-z"], git)));
  if (worktrees.some((line) => shownPath(line) === `branch ${reference}`)) return false;
  if ((await ownCommits(git, branch, tip.output.trim())) > 0) return false;
  // Only from where it was looked at: a commit made meanwhile keeps it.
  const removed = await runGit(["update-ref", "-d", reference, tip.output.trim()], git);
  if (removed.kind === "failed") return false;
  await runGit(["config", "--local", "--remove-section", `branch.${branch}`], git);
  return true;
}

async function done(answer: Promise<GitAnswer>): Promise<string> {
  const answered = await answer;
  if (answered.kind === "done") return answered.output;
  throw new Failure("runtime_unavailable", `git failed: ${answered.message}`, {
    hint: "Try again once git works there.",
  });
}

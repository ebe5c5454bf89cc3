/** What would be lost with a worktree: all that git keeps nowhere else, and what git was told not to look at. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Failure } from "../errors.ts";
import { type GitAnswer, type GitOptions, listed, pathBytes, runGit, shownPath } from "./git.ts";
import { type Operation, type Repository, locateRepository } from "./git-repository.ts";
import { copyIndex } from "./kept-index.ts";

/** Paths named of what would be lost; the rest is counted. */
const namedMax = 20;

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
  /** What somebody is in the middle of: where it began and what is left to do is kept in the worktree. */
  readonly operation: Operation | null;
  /** Files and whole folders that git is to leave out: nobody asks for them, but somebody made them. */
  readonly ignored: number;
  readonly isClean: boolean;
}

export interface Found {
  readonly count: number;
  readonly first: readonly string[];
}

/** Throws `invalid_request` for a path that is no worktree beside a repository's own work tree. */
export async function linkedWorktree(path: string, env?: NodeJS.ProcessEnv): Promise<Repository> {
  const located = await locateRepository(path, env);
  if (located.kind === "none") throw notAWorktree(path, located.reason);
  if (located.gitDirectory === located.commonDirectory || located.prefix !== "")
    throw notAWorktree(path, "it is a repository's own work tree, or a folder in one");
  return located;
}

/** What would be lost with a worktree. Throws `invalid_request` for a path that is none. */
export const worktreeState = async (path: string, env?: NodeJS.ProcessEnv): Promise<WorktreeState> =>
  stateIn(await linkedWorktree(path, env), env);

export async function stateIn(located: Repository, env?: NodeJS.ProcessEnv): Promise<WorktreeState> {
  const { directory: path } = located;
  const { branch, operation } = located;
  const git: GitOptions = { directory: path, config: located.config, ...(env ? { env } : {}) };
  const status = [
    "status",
    "--porcelain=v1",
    "-z",
    "--untracked-files=all",
    "--no-renames",
    "--ignore-submodules=dirty",
  ];
  const ignored = ["ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory"];
  const [changed, tagged, commits, putAway, worktrees] = await Promise.all([
    done(runGit(status, git)).then(listed),
    done(runGit(["ls-files", "-z", "-v", "-s"], git)).then(listed),
    ownCommits(git, branch, "HEAD"),
    done(runGit(ignored, git)).then(listed),
    registeredWorktrees(git),
  ]);
  const hidden = await hiddenChanges(git, located.index, tagged);
  const tracked = changed.filter((each) => !each.startsWith("??")).map((each) => each.slice(3));
  const loose = changed.filter((each) => each.startsWith("??")).map((each) => each.slice(3));
  const nested = [
    ...linksOf(tagged).filter((each) => existsSync(join(path, shownPath(each), ".git"))),
    ...loose.filter((each) => each.endsWith("/")),
    ...putAway.filter((each) => each.endsWith("/") && existsSync(join(path, shownPath(each), ".git"))),
    ...worktrees
      .filter((each) => each.path.startsWith(`${path}/`) && existsSync(each.path))
      .map((each) => `${pathBytes(each.path.slice(path.length + 1))}/`),
  ];
  const state = {
    path,
    branch,
    uncommitted: found([...new Set([...tracked, ...hidden])]),
    untracked: found(loose.filter((each) => !each.endsWith("/"))),
    repositories: found([...new Set(nested)]),
    commits,
    operation,
    ignored: putAway.length,
  };
  return { ...state, isClean: whatIsLost(state) === "" };
}

export const notAWorktree = (path: string, reason: string): Failure =>
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

export async function ownCommits(git: GitOptions, branch: string | null, tip: string): Promise<number> {
  const others = [...(branch === null ? [] : [`--exclude=${branch}`]), "--branches", "--remotes", "--tags"];
  return Number(await done(runGit(["rev-list", "--count", tip, "--not", ...others], git)));
}

export interface RegisteredWorktree {
  readonly path: string;
  /** Null for a bare repository. */
  readonly head: string | null;
  /** As a reference; null on a detached HEAD. */
  readonly branch: string | null;
}

/** All that git knows of in the repository, its own work tree and those whose folder is gone included. */
export async function registeredWorktrees(git: GitOptions): Promise<RegisteredWorktree[]> {
  const output = await done(runGit(["worktree", "list", "--porcelain", "-z"], git));
  const records = output.split("\0\0").map((record) => record.split("\0"));
  return records.flatMap((fields) => {
    const of = (name: string): string | undefined =>
      fields.find((field) => field.startsWith(`${name} `))?.slice(name.length + 1);
    const [path, head = null, branch] = [of("worktree"), of("HEAD"), of("branch")];
    if (path === undefined) return [];
    return [{ path: shownPath(path), head, branch: branch === undefined ? null : shownPath(branch) }];
  });
}

/** Of one whose folder is gone git still keeps what was checked out, which may be commits that nothing else has. */
export async function lostWorktreeState(
  git: GitOptions,
  { path, head, branch }: RegisteredWorktree,
): Promise<WorktreeState> {
  const isHeld = head === null || branch !== null;
  const none = found([]);
  const state = {
    path,
    branch,
    uncommitted: none,
    untracked: none,
    repositories: none,
    commits: isHeld ? 0 : await ownCommits(git, null, head),
    operation: null,
    ignored: 0,
  };
  return { ...state, isClean: whatIsLost(state) === "" };
}

/** In words, empty when nothing is. */
export function whatIsLost({
  uncommitted,
  untracked,
  repositories,
  commits,
  operation,
}: Omit<WorktreeState, "isClean" | "ignored">): string {
  return [
    counted(uncommitted.count, "file with uncommitted changes", "files with uncommitted changes"),
    counted(untracked.count, "untracked file", "untracked files"),
    counted(repositories.count, "repository inside", "repositories inside"),
    counted(commits, "commit that is on no other branch", "commits that are on no other branch"),
    operation === null ? "" : `a ${operation} in progress`,
  ]
    .filter((each) => each !== "")
    .join(", ");
}

const counted = (count: number, one: string, more: string): string =>
  count === 0 ? "" : `${count} ${count === 1 ? one : more}`;

/** The output. Throws `git_failed`, for what is asked here no repository has a reason to refuse. */
export async function done(answer: Promise<GitAnswer>): Promise<string> {
  const answered = await answer;
  if (answered.kind === "done") return answered.output;
  throw new Failure("git_failed", `git failed: ${answered.message}`, {
    hint: "Try again once git works there.",
  });
}

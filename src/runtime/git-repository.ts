/** Where a directory stands in git, asked in one command, since it is asked at every launch. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type GitConfig, type GitFailed, runGit, shownPath } from "./git.ts";

export interface Repository {
  readonly kind: "git";
  /** What was asked about: the work tree, or a directory in it. */
  readonly directory: string;
  /** From the top of the work tree to the directory, empty or ending with a slash; git's bytes. */
  readonly prefix: string;
  /** Of this work tree; a linked one has its own. */
  readonly gitDirectory: string;
  readonly commonDirectory: string;
  readonly index: string;
  readonly objects: string;
  readonly format: "sha1" | "sha256";
  /** Null before the first commit. */
  readonly head: string | null;
  /** Null on a detached HEAD. */
  readonly branch: string | null;
  /** What the user is in the middle of. */
  readonly operation: Operation | null;
  /** Turns off the filters that the repository itself configures, for they are programs. */
  readonly config: GitConfig;
}

export interface NoRepository {
  readonly kind: "none";
  /** A sentence's rest: what is not there. */
  readonly reason: string;
}

const operations = [
  ["merge", "MERGE_HEAD"],
  ["rebase", "rebase-merge"],
  ["rebase", "rebase-apply"],
  ["cherry-pick", "CHERRY_PICK_HEAD"],
  ["revert", "REVERT_HEAD"],
  ["bisect", "BISECT_LOG"],
] as const;

export type Operation = (typeof operations)[number][0];

const questions = [
  "--path-format=absolute",
  "--is-inside-work-tree",
  "--show-object-format",
  "--absolute-git-dir",
  "--git-common-dir",
  "--git-path",
  "index",
  "--git-path",
  "objects",
  "--show-prefix",
];

/** An existing directory, as its real path. */
export async function locateRepository(
  directory: string,
  env?: NodeJS.ProcessEnv,
): Promise<Repository | NoRepository> {
  const place = { directory, ...(env === undefined ? {} : { env }) };
  const [asked, config] = await Promise.all([
    runGit(["rev-parse", ...questions, "HEAD", "--symbolic-full-name", "HEAD"], place),
    foreignFilters(place),
  ]);
  // Without a commit git answers everything up to HEAD and fails there.
  const lines = asked.output.split("\n");
  const [inside, format, gitDirectory = "", commonDirectory = "", index = "", objects = "", prefix = ""] =
    lines;
  if (asked.kind === "failed" && (asked.why !== "exit" || lines.length < 7)) {
    return { kind: "none", reason: whyNone(directory, asked) };
  }
  if (inside === "false")
    return {
      kind: "none",
      reason: `${directory} has no work tree: it is a bare repository, or inside of one`,
    };
  const isRead =
    (format === "sha1" || format === "sha256") &&
    [gitDirectory, commonDirectory, index, objects].every((path) => path.startsWith("/"));
  if (!isRead || lines.length > 10)
    return { kind: "none", reason: "git is older than 2.31, or a path of the repository has a line break" };
  const head = asked.kind === "done" ? (lines[7] ?? null) : null;
  const reference = asked.kind === "done" ? lines[8] : await unbornBranch(place);
  return {
    kind: "git",
    directory,
    prefix,
    gitDirectory: shownPath(gitDirectory),
    commonDirectory: shownPath(commonDirectory),
    index: shownPath(index),
    objects: shownPath(objects),
    format,
    head,
    branch: reference?.startsWith("refs/heads/") === true ? shownPath(reference.slice(11)) : null,
    operation: operations.find(([, file]) => existsSync(join(shownPath(gitDirectory), file)))?.[0] ?? null,
    config,
  };
}

function whyNone(directory: string, { why, message }: GitFailed): string {
  if (why === "exit" && /not a git repository/.test(message)) return `${directory} is no git repository`;
  return message;
}

async function unbornBranch(place: {
  directory: string;
  env?: NodeJS.ProcessEnv;
}): Promise<string | undefined> {
  const asked = await runGit(["symbolic-ref", "-q", "HEAD"], place);
  return asked.kind === "done" ? asked.output.trim() : undefined;
}

const filterKeys = ["clean", "smudge", "process", "required"] as const;

/**
 * A filter that the user configured for all repositories stays (git-lfs is one), for without it every file it handles
 * would look changed. One of the repository's own could have been written by a session and would run outside of its
 * sandbox.
 */
async function foreignFilters(place: { directory: string; env?: NodeJS.ProcessEnv }): Promise<GitConfig> {
  const asked = await runGit(
    ["config", "-z", "--show-scope", "--get-regexp", `^filter\\..*\\.(${filterKeys.join("|")})$`],
    place,
  );
  const fields = asked.output.split("\0");
  const users = new Map<string, string>();
  const foreign = new Set<string>();
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const [scope, setting = ""] = [fields[at], fields[at + 1]];
    const cut = setting.includes("\n") ? setting.indexOf("\n") : setting.length;
    const key = setting.slice(0, cut);
    if (scope === "system" || scope === "global") users.set(key, setting.slice(cut + 1));
    else foreign.add(key.slice("filter.".length, key.lastIndexOf(".")));
  }
  return [...foreign].flatMap((name) =>
    filterKeys.map((last) => {
      const key = `filter.${name}.${last}`;
      const value = users.get(key) ?? (last === "required" ? "false" : "");
      return [shownPath(key), shownPath(value)] as const;
    }),
  );
}

/** The top of the work tree. */
export function topOf({ directory, prefix }: Repository): string {
  const depth = prefix.split("/").length - 1;
  return depth === 0 ? directory : directory.split("/").slice(0, -depth).join("/") || "/";
}

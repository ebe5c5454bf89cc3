/** What happened in a project between two moments: its commits, and every file that is another now. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { basename, isAbsolute, join, relative, resolve } from "node:path";
import { Failure } from "../errors.ts";
import { type FileChange, filesBetween } from "./file-changes.ts";
import { runGit, shownPath } from "./git.ts";
import { type NoRepository, type Operation, type Repository, locateRepository } from "./git-repository.ts";
import { GitTrouble, type KeptIndex, comparing, copiedFilesMax, currentTree, ours } from "./kept-index.ts";
import { workTreeAround } from "./worktrees.ts";

/** Subjects of commits, and characters of each. */
const subjectsMax = 50;
const subjectCharactersMax = 200;
/** Small, and plain JSON: it is stored with the session. */
export type Snapshot = ProjectState | NoRepository;

export interface ProjectState {
  readonly kind: "git";
  readonly directory: string;
  readonly at: string;
  readonly head: string | null;
  readonly branch: string | null;
  readonly operation: Operation | null;
  /** Of the directory, with what is not committed and not tracked. */
  readonly tree: string;
}

type Moment = Omit<ProjectState, "kind" | "directory">;

export interface ProjectChanges {
  readonly kind: "changes";
  readonly before: Moment;
  readonly after: Moment;
  /** Made in between and part of what is checked out now; null if git has forgotten where it began. */
  readonly commits: {
    readonly count: number;
    readonly newest: readonly { readonly hash: string; readonly subject: string }[];
  } | null;
  readonly files: readonly FileChange[];
  readonly filesTotal: number;
  readonly insertions: number;
  readonly deletions: number;
  /** Files or diffs were left out for their number or size. */
  readonly truncated: boolean;
}

export interface ChangesAsked {
  readonly before: Snapshot;
  /** By default, now. */
  readonly after?: Snapshot;
  /** A file or folder, from the project's directory on or absolute. */
  readonly path?: string;
  /** Of all diffs. */
  readonly maxBytes: number;
}

export interface ChangesOptions {
  /** A folder of this daemon alone, open to nobody else, for it holds copies of files. */
  readonly root: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Untracked files that one snapshot copies. */
  readonly copiedFilesMax?: number;
}

export class Changes {
  readonly #root: string;
  readonly #env: NodeJS.ProcessEnv | undefined;
  readonly #copiedFilesMax: number;
  /** One of a project after the other, for they share its index. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor({ root, env, copiedFilesMax: most = copiedFilesMax }: ChangesOptions) {
    this.#root = root;
    this.#env = env;
    this.#copiedFilesMax = most;
  }

  /**
   * The state of the project in an existing directory. Writes nothing there. Whoever stores it does so in `store`:
   * from then on `keepOnly` finds it among what is wanted.
   */
  snapshot(directory: string, store: (state: Snapshot) => void = () => undefined): Promise<Snapshot> {
    return this.#inTurn(directory, async () => {
      const repository = await locateRepository(directory, this.#env);
      const state = repository.kind === "none" ? repository : await stateOf(this.#keptOf(repository));
      store(state);
      return state;
    });
  }

  /**
   * The state of a directory whose repository has just been checked out at that commit, without a look at its files:
   * whatever happens to them meanwhile, the answer is the same. Undefined where filters made the files others.
   */
  async checkedOut(directory: string, commit: string): Promise<ProjectState | undefined> {
    const at = new Date().toISOString();
    const repository = await locateRepository(directory, this.#env);
    if (repository.kind === "none" || repository.config.length > 0) return undefined;
    const { prefix, branch } = repository;
    const place = `${commit}:${shownPath(prefix.slice(0, -1))}`;
    const git = { directory, ...(this.#env ? { env: this.#env } : {}) };
    const tree = await runGit(["rev-parse", "-q", "--verify", place], git);
    if (tree.kind === "failed") return undefined;
    return { kind: "git", directory, at, head: commit, branch, operation: null, tree: tree.output.trim() };
  }

  async between({ before, after, path, maxBytes }: ChangesAsked): Promise<ProjectChanges | NoRepository> {
    if (before.kind === "none") return before;
    const { directory } = before;
    const pathspec = path === undefined ? [] : ["--", pathWithin(directory, path)];
    return this.#inTurn(directory, async () => {
      const repository = await locateRepository(directory, this.#env);
      if (repository.kind === "none") return repository;
      const kept = this.#keptOf(repository);
      const now = after ?? (await stateOf(kept));
      if (now.kind === "none") return now;
      const isNow = after === undefined;
      try {
        const [files, commits] = await Promise.all([
          filesBetween(kept, { before: before.tree, after: now.tree, isNow, pathspec, maxBytes }),
          commitsBetween(kept, before, now),
        ]);
        return { kind: "changes", before: momentOf(before), after: momentOf(now), commits, ...files };
      } catch (error) {
        if (!(error instanceof GitTrouble)) throw error;
        return { kind: "none", reason: `what was remembered of the project is gone: ${error.message}` };
      }
    });
  }

  /** Forgets what was kept for snapshots of the directory that are not wanted any more: asked when it is its turn. */
  keepOnly(directory: string, wanted: () => readonly Snapshot[]): Promise<void> {
    const folder = this.#folderOf(directory);
    return this.#inTurn(directory, async () => {
      const trees = wanted().flatMap((each) => (each.kind === "git" ? [each.tree] : []));
      // Without its repository nothing of it can be told again, nor can git say which part is not wanted.
      const isLost = !existsSync(directory) || workTreeAround(directory) === undefined;
      if (trees.length === 0 || isLost) rmSync(folder, { recursive: true, force: true });
      if (!existsSync(folder)) return;
      const repository = await locateRepository(directory, this.#env);
      if (repository.kind === "git") await forgetAllBut(this.#keptOf(repository), trees);
    });
  }

  /** Forgets all that was kept for other directories. To be called before anything else is. */
  keepOnlyOf(directories: readonly string[]): void {
    const wanted = new Set(directories.map((directory) => this.#folderOf(directory)));
    if (!existsSync(this.#root)) return;
    for (const name of readdirSync(this.#root)) {
      const folder = join(this.#root, name);
      if (!wanted.has(folder)) rmSync(folder, { recursive: true, force: true });
    }
  }

  #keptOf(repository: Repository): KeptIndex {
    const folder = this.#folderOf(repository.directory);
    return { repository, folder, env: this.#env, copiedFilesMax: this.#copiedFilesMax };
  }

  #folderOf(directory: string): string {
    const hash = createHash("sha256").update(directory).digest("hex").slice(0, 16);
    return join(this.#root, `${basename(directory).slice(0, 40)}-${hash}`);
  }

  async #inTurn<T>(directory: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(directory) ?? Promise.resolve()).then(work, work);
    this.#turns.set(directory, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(directory) === turn) this.#turns.delete(directory);
    }
  }
}

async function stateOf(kept: KeptIndex): Promise<Snapshot> {
  const { directory, head, branch, operation } = kept.repository;
  const at = new Date().toISOString();
  mkdirSync(kept.folder, { recursive: true, mode: 0o700 });
  try {
    return { kind: "git", directory, at, head, branch, operation, tree: await currentTree(kept) };
  } catch (error) {
    if (!(error instanceof GitTrouble)) throw error;
    return { kind: "none", reason: `git could not read the work tree: ${error.message}` };
  }
}

const momentOf = ({ at, head, branch, operation, tree }: ProjectState): Moment => ({
  at,
  head,
  branch,
  operation,
  tree,
});

function pathWithin(directory: string, path: string): string {
  const way = relative(directory, resolve(directory, path));
  if (way !== ".." && !way.startsWith("../") && !isAbsolute(way)) return way === "" ? "." : way;
  throw new Failure("invalid_request", `path ${path} is outside of the project ${directory}`, {
    hint: "Pass a path from the project's directory on.",
    details: { path, projectRoot: directory },
  });
}

/** By their time, for a branch that was switched to, or a pull, brings others' commits. */
async function commitsBetween(
  kept: KeptIndex,
  before: ProjectState,
  after: ProjectState,
): Promise<ProjectChanges["commits"]> {
  if (after.head === null || after.head === before.head) return { count: 0, newest: [] };
  const since = `--max-age=${Math.floor(Date.parse(before.at) / 1000)}`;
  const range = [since, after.head, ...(before.head === null ? [] : [`^${before.head}`])];
  const [counted, told] = await Promise.all([
    runGit(["rev-list", "--count", ...range, "--"], comparing(kept)),
    runGit(
      ["log", `-n${subjectsMax}`, "--format=%H %s", "--encoding=UTF-8", ...range, "--"],
      comparing(kept),
    ),
  ]);
  if (counted.kind === "failed" || told.kind === "failed") return null;
  const newest = told.output.split("\n").flatMap((line) => {
    const cut = line.indexOf(" ");
    if (cut <= 0) return [];
    const subject = shownPath(line.slice(cut + 1)).slice(0, subjectCharactersMax);
    return [{ hash: line.slice(0, cut), subject }];
  });
  return { count: Number(counted.output), newest };
}

/** Removes the objects of ours that none of the trees holds. They are written one in a file. */
async function forgetAllBut(kept: KeptIndex, trees: readonly string[]): Promise<void> {
  const walk = [
    "rev-list",
    "--objects",
    "--no-object-names",
    "--ignore-missing",
    "--missing=allow-any",
    "--stdin",
  ];
  const held = await runGit(walk, { ...ours(kept), input: trees.map((tree) => `${tree}\n`).join("") });
  // Nothing is forgotten where it is not known what is held.
  if (held.kind === "failed") return;
  const wanted = new Set(held.output.split("\n"));
  const objects = join(kept.folder, "objects");
  for (const start of readdirSync(objects).filter((name) => /^[0-9a-f]{2}$/.test(name))) {
    for (const rest of readdirSync(join(objects, start)))
      if (!wanted.has(start + rest)) rmSync(join(objects, start, rest));
  }
  // The index may name what is gone now, so it is begun again.
  for (const name of readdirSync(kept.folder)) if (name.startsWith("index")) rmSync(join(kept.folder, name));
}

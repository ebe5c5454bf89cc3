/**
 * The state of a work tree as one git tree, made beside the repository: an index and an object directory of our own,
 * which borrows the repository's objects. The user's index, work tree, refs and objects are only read, and nothing of
 * ours can be pruned by their `git gc` or seen in their `git log --all`.
 *
 * The index is begun as a copy of the user's, which knows the size and time of every file, and kept: the next time
 * only what changed since is read. At every time it holds what the user's index holds and every file that is not
 * ignored, as the files are.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { type GitOptions, listed, plainDiff, runGit, shownPath } from "./git.ts";
import { type Repository, topOf } from "./git-repository.ts";
import { look, passingNote } from "./noted-file.ts";

/** Larger files are noted, bytes: sources are smaller, and a copy of each version of a larger one would add up. */
const fileBytesMax = 10_000_000;
/**
 * What one snapshot copies of untracked files at most, bytes and files: some seconds, when somebody forgot to ignore a
 * folder. The others are noted. Of tracked ones git has nearly everything.
 */
const copiedBytesMax = 64_000_000;
export const copiedFilesMax = 5000;
/** How long reading what changed may take, ms. */
const readMsMax = 60_000;
/** Files looked at together. */
const looksAtOnce = 64;

/** What git said where it should have had no reason to fail. */
export class GitTrouble extends Error {}

export interface KeptIndex {
  readonly repository: Repository;
  /** The folder of this project's index and objects. */
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv | undefined;
  readonly copiedFilesMax: number;
}

/** The tree of the project as its files are now. The caller lets no two run in one folder at once. */
export async function currentTree(kept: KeptIndex): Promise<string> {
  prepareObjects(kept);
  const full = await upToDate(kept).catch(async (error: unknown) => {
    if (!(error instanceof GitTrouble)) throw error;
    // A kept index can be damaged, or lean on a shared one that is gone: begun again it is as good.
    rmSync(indexFile(kept), { force: true });
    return upToDate(kept);
  });
  const { prefix, format } = kept.repository;
  if (prefix === "") return full;
  const below = await runGit(
    ["rev-parse", "-q", "--verify", `${full}:${shownPath(prefix.slice(0, -1))}`],
    ours(kept),
  );
  return below.kind === "done" ? below.output.trim() : emptyTree[format];
}

const emptyTree = {
  sha1: "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
  sha256: "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
} as const;

async function upToDate(kept: KeptIndex): Promise<string> {
  removeLock(kept);
  if (!existsSync(indexFile(kept))) await begin(kept);
  const last = readTree(kept) ?? (await writeTree(kept));
  const differences = await differencesOf(kept, last);
  const { removals, notes, additions } = await sorted(kept, differences);
  if (removals.length + notes.size + additions.length === 0) return last;
  // Until the tree is written again the one that is remembered is not this index's.
  rmSync(treeFile(kept), { force: true });
  await setEntries(kept, removals, notes);
  // What was being written to is likely to be whole by now.
  const refused = await add(kept, await add(kept, additions));
  if (refused.length > 0) await setEntries(kept, ...(await notedOrGone(kept, refused)));
  return writeTree(kept);
}

/** Entries whose flags keep git from looking at their files are looked at all the same; conflicts are left to the files. */
async function begin(kept: KeptIndex): Promise<void> {
  const index = indexFile(kept);
  rmSync(treeFile(kept), { force: true });
  if (existsSync(kept.repository.index)) copyIndex(kept.repository.index, index);
  const options = { ...ours(kept), directory: topOf(kept.repository) };
  const tagged = listed(await git(["ls-files", "-z", "-v", "--full-name"], options));
  const assumed = tagged.filter((each) => /^[a-z] /.test(each)).map((each) => each.slice(2));
  if (assumed.length > 0) {
    await git(["update-index", "-z", "--no-assume-unchanged", "--stdin"], {
      ...options,
      input: joined(assumed),
    });
  }
  const conflicts = new Set(tagged.filter((each) => each.startsWith("M ")).map((each) => each.slice(2)));
  await setEntries(kept, [...conflicts], new Map());
  // Files as young as the index they were copied with are compared by content each time, until it is written anew.
  await runGit(["update-index", "--force-write-index"], options);
}

/** Of another time than its file's, git would take entries for settled that may not be: an older one is safe. */
export function copyIndex(from: string, to: string): void {
  const { mtimeMs } = statSync(from);
  copyFileSync(from, to);
  const second = Math.floor(mtimeMs / 1000);
  utimesSync(to, second, second);
}

interface Difference {
  readonly path: string;
  /** Git found no file. */
  readonly isGone: boolean;
  /** Not tracked by the user. */
  readonly isLoose: boolean;
  /** The noted or linked hash in our index, if it is such a link. */
  readonly link: string | undefined;
}

/** Paths from the top of the work tree. */
async function differencesOf(kept: KeptIndex, last: string) {
  const { repository } = kept;
  const users = { ...ours(kept), variables: objectVariables(kept) };
  const raw = ["--raw", "-z", "--no-renames", "--ignore-submodules=dirty", ...plainDiff];
  const [stale, loose, index] = await Promise.all([
    git(["diff-files", ...raw, "--relative", "--", "."], ours(kept)),
    git(["ls-files", "-z", "--others", "--exclude-standard", "--", "."], users),
    git(["diff-index", "--cached", ...raw, "--ita-visible-in-index", "--relative", last, "--", "."], users),
  ]);
  const fromTop = (path: string): string => repository.prefix + path;
  // A repository in the project is told as a folder.
  const others = new Set(listed(loose).map((path) => fromTop(path.replace(/\/$/, ""))));
  const differing = new Map<string, Difference>();
  const differs = (path: string, { isGone, link }: Pick<Difference, "isGone" | "link">): void =>
    void differing.set(path, { path, isGone, link, isLoose: others.has(path) });
  const there = { isGone: false, link: undefined };
  const ownOnly = new Set<string>();
  for (const { status, path } of rawChanges(index)) {
    if (status === "D") ownOnly.add(fromTop(path));
    else if (status === "A" || status === "U") differs(fromTop(path), there);
  }
  for (const path of others) if (!ownOnly.has(path)) differs(path, there);
  for (const { status, path, oldMode, oldHash } of rawChanges(stale)) {
    const link = oldMode === "160000" ? oldHash : undefined;
    differs(fromTop(path), { isGone: status === "D", link });
  }
  // Ours alone and not among the files that count: ignored since, or gone.
  for (const path of ownOnly) if (!others.has(path)) differs(path, { isGone: true, link: undefined });
  return [...differing.values()];
}

export interface RawChange {
  readonly oldMode: string;
  readonly newMode: string;
  readonly oldHash: string;
  readonly newHash: string;
  readonly status: string;
  readonly path: string;
  /** Of a rename: what it was called. */
  readonly from?: string;
}

/** Reads `--raw -z`; what follows that is not of that form is left. */
export function rawChanges(output: string): RawChange[] {
  const fields = listed(output);
  const changes: RawChange[] = [];
  for (let at = 0; at < fields.length;) {
    const [oldMode = "", newMode = "", oldHash = "", newHash = "", status = ""] = (fields[at] ?? "")
      .slice(1)
      .split(" ");
    if (fields[at]?.startsWith(":") !== true) break;
    const common = { oldMode, newMode, oldHash, newHash, status: status.slice(0, 1) };
    const [first = "", second = ""] = [fields[at + 1], fields[at + 2]];
    const isRename = status.startsWith("R") || status.startsWith("C");
    changes.push(isRename ? { ...common, path: second, from: first } : { ...common, path: first });
    at += isRename ? 3 : 2;
  }
  return changes;
}

async function sorted(kept: KeptIndex, differences: readonly Difference[]) {
  const removals: string[] = [];
  const notes = new Map<string, string>();
  const additions: string[] = [];
  let [copiedBytes, copiedFiles] = [0, 0];
  for (let at = 0; at < differences.length; at += looksAtOnce) {
    const some = differences.slice(at, at + looksAtOnce);
    const looks = await Promise.all(
      some.map(({ path, isGone }) =>
        isGone ? Promise.resolve("gone" as const) : look(kept.repository, path),
      ),
    );
    for (const [place, found] of looks.entries()) {
      const difference = some[place];
      if (difference === undefined) continue;
      const { path, link, isLoose } = difference;
      if (found === "gone") removals.push(path);
      else if (found === "small") additions.push(path);
      else {
        const { hash, bytes, isReadable } = found;
        if (hash === link) continue;
        const isInBounds =
          !isLoose || (copiedBytes + bytes <= copiedBytesMax && copiedFiles < kept.copiedFilesMax);
        const fits = isReadable && bytes <= fileBytesMax && isInBounds;
        if (fits && isLoose) [copiedBytes, copiedFiles] = [copiedBytes + bytes, copiedFiles + 1];
        if (fits) additions.push(path);
        else notes.set(path, hash);
      }
    }
  }
  return { removals, notes, additions };
}

/** Answers what git would not take: a file that vanished or changed while it was read, a repository without commits. */
async function add(kept: KeptIndex, paths: readonly string[]): Promise<string[]> {
  if (paths.length === 0) return [];
  const added = await runGit(["update-index", "-z", "--add", "--replace", "--stdin"], {
    ...ours(kept),
    directory: topOf(kept.repository),
    input: joined(paths),
    timeoutMs: readMsMax,
  });
  if (added.kind === "done") return [];
  if (added.why !== "exit") throw new GitTrouble(added.message);
  if (paths.length === 1) return [...paths];
  // Git ends at the first it cannot take, and does not always name it.
  const half = Math.ceil(paths.length / 2);
  removeLock(kept);
  return [...(await add(kept, paths.slice(0, half))), ...(await add(kept, paths.slice(half)))];
}

async function notedOrGone(
  kept: KeptIndex,
  paths: readonly string[],
): Promise<[string[], Map<string, string>]> {
  const looks = await Promise.all(
    paths.map(async (path) => [path, await look(kept.repository, path)] as const),
  );
  const gone = looks.filter(([, found]) => typeof found === "string").map(([path]) => path);
  const noted = looks.flatMap(([path, found]) =>
    typeof found === "string" ? [] : [[path, passingNote(found.hash)] as const],
  );
  return [gone, new Map(noted)];
}

async function setEntries(
  kept: KeptIndex,
  removals: readonly string[],
  notes: ReadonlyMap<string, string>,
): Promise<void> {
  if (removals.length + notes.size === 0) return;
  const none = "0".repeat(kept.repository.format === "sha1" ? 40 : 64);
  const removed = removals.map((path) => `0 ${none}\t${path}`);
  // An entry has to go before another can stand in a folder of its name.
  const noted = [...notes].flatMap(([path, hash]) => [`0 ${none}\t${path}`, `160000 ${hash} 0\t${path}`]);
  await git(["update-index", "-z", "--index-info"], { ...ours(kept), input: joined([...removed, ...noted]) });
}

async function writeTree(kept: KeptIndex): Promise<string> {
  // Objects may be missing where the repository is a partial clone.
  const tree = (await git(["write-tree", "--missing-ok"], ours(kept))).trim();
  writeFileSync(treeFile(kept), tree);
  return tree;
}

function readTree(kept: KeptIndex): string | undefined {
  const tree = existsSync(treeFile(kept)) ? readFileSync(treeFile(kept), "utf8") : "";
  return /^[0-9a-f]{40,64}$/.test(tree) ? tree : undefined;
}

/** Left by a git that was killed, for nobody else writes here. */
const removeLock = (kept: KeptIndex): void => rmSync(`${indexFile(kept)}.lock`, { force: true });

/** A sparse checkout that takes in other files has another index, or those it put away would look deleted. */
function indexFile({ repository, folder }: KeptIndex): string {
  const sparse = statSync(join(repository.gitDirectory, "info/sparse-checkout"), { throwIfNoEntry: false });
  if (sparse === undefined) return join(folder, "index");
  const seen = createHash("sha256").update(`${sparse.mtimeMs} ${sparse.size}`).digest("hex");
  return join(folder, `index-${seen.slice(0, 12)}`);
}

const treeFile = (kept: KeptIndex): string => `${indexFile(kept)}.tree`;

function prepareObjects({ repository, folder }: KeptIndex): void {
  const alternates = join(folder, "objects/info/alternates");
  mkdirSync(join(folder, "objects/info"), { recursive: true, mode: 0o700 });
  const wanted = `${repository.objects}\n`;
  if (existsSync(alternates) && readFileSync(alternates, "utf8") === wanted) return;
  writeFileSync(alternates, wanted);
}

const objectVariables = ({ folder }: KeptIndex) => ({ GIT_OBJECT_DIRECTORY: join(folder, "objects") });

/** Of our index and objects. Losing some when the power fails costs a comparison, so nobody waits for the disk. */
export function ours(kept: KeptIndex): GitOptions {
  return {
    directory: kept.repository.directory,
    ...(kept.env === undefined ? {} : { env: kept.env }),
    variables: { ...objectVariables(kept), GIT_INDEX_FILE: indexFile(kept) },
    config: [["core.fsync", "none"], ["core.fsyncObjectFiles", "false"], ...kept.repository.config],
    timeoutMs: readMsMax,
  };
}

/** Trees of a directory are compared as if it were the top, whatever the repository's is. */
export function comparing(kept: KeptIndex): GitOptions {
  const { gitDirectory, directory } = kept.repository;
  const options = ours(kept);
  return { ...options, variables: { ...options.variables, GIT_DIR: gitDirectory, GIT_WORK_TREE: directory } };
}

async function git(args: readonly string[], options: GitOptions): Promise<string> {
  const answer = await runGit(args, options);
  if (answer.kind === "failed") throw new GitTrouble(answer.message);
  return answer.output;
}

const joined = (paths: readonly string[]): string => paths.map((path) => `${path}\0`).join("");

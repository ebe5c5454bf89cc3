/** The files that differ between two trees of a project, with as much of their diffs as was asked for. */
import { lstatSync } from "node:fs";
import { listed, pathBytes, plainDiff, runGit, shownPath } from "./git.ts";
import { GitTrouble, type KeptIndex, type RawChange, comparing, rawChanges } from "./kept-index.ts";
import { notedBytes } from "./noted-file.ts";
import { type PatchSection, readPatch } from "./patch.ts";

/** Files told of one by one; the others are in the sums. */
const filesMax = 1000;
/** Of one file's diff, bytes: some 1,000 lines, so that a generated file does not hide the others. */
const fileDiffBytesMax = 64_000;
/** Added and deleted files that are compared for renames: every one with every other. */
const renamesMax = 400;

export interface FileChange {
  readonly path: string;
  /** Of a renamed one, what it was called. */
  readonly from?: string;
  readonly status: "added" | "modified" | "deleted" | "renamed";
  /** Null where there are no lines to count. */
  readonly insertions: number | null;
  readonly deletions: number | null;
  readonly diff?: string;
  /** The diff goes on. */
  readonly truncated?: true;
  /** Why there is no diff. `large`, or one of too many untracked ones. `ignored`: it is there, but no longer counts. */
  readonly omitted?: "binary" | "large" | "deleted" | "ignored" | "submodule" | "limit";
}

export interface Compared {
  readonly before: string;
  readonly after: string;
  readonly isNow: boolean;
  readonly pathspec: readonly string[];
  readonly maxBytes: number;
}

export async function filesBetween(kept: KeptIndex, { before, after, isNow, pathspec, maxBytes }: Compared) {
  if (before === after) {
    return { files: [], filesTotal: 0, insertions: 0, deletions: 0, truncated: false };
  }
  const compare = ["diff-tree", "-r", "-M", `-l${renamesMax}`, "--ignore-submodules=none", ...plainDiff];
  const trees = [before, after, ...pathspec];
  const patch = readPatch({ fileBytesMax: Math.min(fileDiffBytesMax, maxBytes), bytesMax: maxBytes });
  const [list, printed] = await Promise.all([
    runGit([...compare, "-z", "--raw", "--numstat", ...trees], comparing(kept)),
    runGit([...compare, "-p", "--diff-filter=d", ...trees], { ...comparing(kept), reader: patch.push }),
  ]);
  for (const answer of [list, printed]) if (answer.kind === "failed") throw new GitTrouble(answer.message);
  const raw = rawChanges(list.output);
  const counts = countsOf(list.output, raw);
  const sections = sectionsOf(raw, patch.sections());
  const all = raw.map((change, place): FileChange => {
    const lines = counts[place] ?? noLines;
    return fileChange({
      change,
      lines,
      section: sections[place],
      isThere: isNow && isStill(kept.repository.directory, change),
    });
  });
  const sum = (of: "insertions" | "deletions"): number =>
    all.reduce((total, file) => total + (file[of] ?? 0), 0);
  return {
    files: all.slice(0, filesMax),
    filesTotal: all.length,
    insertions: sum("insertions"),
    deletions: sum("deletions"),
    truncated:
      all.length > filesMax || all.some((file) => file.truncated === true || file.omitted === "limit"),
  };
}

interface Lines {
  readonly insertions: number | null;
  readonly deletions: number | null;
}

const noLines: Lines = { insertions: null, deletions: null };

/** What `--numstat -z` says, in the order of the raw records it stands behind. */
function countsOf(output: string, raw: readonly RawChange[]): Lines[] {
  const fields = listed(output).slice(
    raw.reduce((count, { from }) => count + (from === undefined ? 2 : 3), 0),
  );
  const counts: Lines[] = [];
  for (let at = 0; at < fields.length; at += /^[\d-]+\t[\d-]+\t$/.test(fields[at] ?? "") ? 3 : 1) {
    const [, added, deleted] = /^(\d+|-)\t(\d+|-)\t/.exec(fields[at] ?? "") ?? [];
    const isText = added !== undefined && deleted !== undefined && added !== "-";
    counts.push(isText ? { insertions: Number(added), deletions: Number(deleted) } : noLines);
  }
  return counts;
}

/** A file that became a link, or the other way round, is printed as deleted and as added. */
function sectionsOf(
  raw: readonly RawChange[],
  sections: readonly PatchSection[],
): (PatchSection | undefined)[] {
  let next = 0;
  return raw.map(({ status }) => {
    if (status === "D") return undefined;
    const own = sections.slice(next, next + (status === "T" ? 2 : 1));
    next += status === "T" ? 2 : 1;
    if (own.length === 0) return undefined;
    return {
      text: own.map(({ text }) => text).join(""),
      isTruncated: own.some(({ isTruncated }) => isTruncated),
    };
  });
}

interface Told {
  readonly change: RawChange;
  readonly lines: Lines;
  readonly section: PatchSection | undefined;
  readonly isThere: boolean;
}

function fileChange({ change, lines, section, isThere }: Told): FileChange {
  const common = {
    path: shownPath(change.path),
    ...(change.from === undefined ? {} : { from: shownPath(change.from) }),
    status: statusOf(change),
  };
  const link = linkOf(change);
  if (link !== undefined) return { ...common, ...noLines, omitted: link };
  if (change.status === "D") return { ...common, ...lines, omitted: isThere ? "ignored" : "deleted" };
  if (lines.insertions === null) return { ...common, ...lines, omitted: "binary" };
  if (section === undefined || section.text === "") return { ...common, ...lines, omitted: "limit" };
  const truncated = section.isTruncated ? { truncated: true as const } : {};
  return { ...common, ...lines, diff: shownPath(section.text), ...truncated };
}

function statusOf({ status }: RawChange): FileChange["status"] {
  if (status === "A" || status === "C") return "added";
  if (status === "D") return "deleted";
  return status === "R" ? "renamed" : "modified";
}

function linkOf({ oldMode, oldHash, newMode, newHash }: RawChange): "large" | "submodule" | undefined {
  if (notedBytes(oldMode, oldHash) !== undefined || notedBytes(newMode, newHash) !== undefined)
    return "large";
  return oldMode === "160000" || newMode === "160000" ? "submodule" : undefined;
}

function isStill(directory: string, { status, path }: RawChange): boolean {
  if (status !== "D") return false;
  try {
    // A folder of the same name is not the file.
    return !lstatSync(Buffer.from(`${pathBytes(directory)}/${path}`, "latin1")).isDirectory();
  } catch {
    return false; // gone, as was said
  }
}

/** What a session changed in its project: between the beginning of its runs and their end, or now while it lives. */
import { Failure } from "../errors.ts";
import { redactText } from "../text/redact.ts";
import type { RunProject } from "../store/runs.ts";
import type { SessionRecord } from "../store/sessions.ts";
import type { Store } from "../store/store.ts";
import type { Changes, ProjectChanges } from "./changes.ts";
import type { FileChange } from "./file-changes.ts";
import { type ProjectStates, type StoredState, directoryOf, stateOf } from "./project-states.ts";
import type { LiveSessions } from "./sessions.ts";

/** Sessions named that worked in the same files. */
const besideMax = 20;
/** Of the answer: what is not needed for the first two is for diffs as well. */
const shares = { commits: 0.1, files: 0.3, diffs: 0.6 } as const;

export interface SessionChangesAsked {
  readonly session: string;
  readonly path?: string | undefined;
  /** Only this run of it, the first is 1. */
  readonly run?: number | undefined;
  /** Of the answer, about. */
  readonly maxBytes: number;
}

export type SessionChanges =
  | { readonly known: false; readonly directory: string; readonly reason: string }
  | (Omit<ProjectChanges, "kind" | "after"> & {
      readonly known: true;
      readonly directory: string;
      /** Null where it is now. */
      readonly after: ProjectChanges["after"] | null;
      /** Other sessions that ran in the same files meanwhile: some of it may be theirs. */
      readonly sharedWith: readonly string[];
      readonly notes: readonly string[];
    });

export interface SessionChangesOptions {
  readonly store: Store;
  readonly sessions: LiveSessions;
  readonly states: ProjectStates;
  readonly changes: Changes;
}

/** Throws `session_not_found`, and `invalid_request` for a run it has not had or a path outside of its project. */
export async function changesOf(
  { store, sessions, states, changes }: SessionChangesOptions,
  { session: id, path, run, maxBytes }: SessionChangesAsked,
): Promise<SessionChanges> {
  const session = sessions.get(id);
  await states.settle(id);
  const directory = directoryOf(session);
  const runs = chosen(store.runs.projects(id), run, id);
  const [first, last] = [runs[0], runs.at(-1)];
  const before = remembered(first?.project_before);
  if (first === undefined || last === undefined || before === undefined)
    return { known: false, directory, reason: whyUnknown(session) };
  if (before.kind === "none") return { known: false, directory, reason: before.reason };
  const end = remembered(last.project_after);
  const found = await changes.between({
    before,
    maxBytes: Math.floor(maxBytes * shares.diffs),
    ...(end === undefined ? {} : { after: end }),
    ...(path === undefined ? {} : { path }),
  });
  if (found.kind === "none") return { known: false, directory, reason: found.reason };
  const { before: began, after, ...told } = found;
  const until = last.ended_at ?? new Date().toISOString();
  const sharedWith = store.sessions.beside(session, { since: first.created_at, until, limit: besideMax });
  return {
    known: true,
    directory,
    before: began,
    after: end === undefined ? null : after,
    filesTotal: told.filesTotal,
    insertions: told.insertions,
    deletions: told.deletions,
    ...bounded(told, maxBytes),
    sharedWith,
    notes: notesOf({ runs, before, end, operation: after.operation, sharedWith }),
  };
}

function chosen(runs: readonly RunProject[], run: number | undefined, id: string): readonly RunProject[] {
  if (run === undefined) return runs;
  const found = runs.filter(({ number }) => number === run);
  if (found.length > 0) return found;
  throw new Failure("invalid_request", `session ${id} has no run ${run}`, {
    hint: runs.length === 0 ? "It has had none." : `It has had ${runs.length}; the first is 1.`,
    details: { sessionId: id, run, runs: runs.length },
  });
}

const remembered = (text: string | null | undefined): StoredState | undefined =>
  text === null || text === undefined ? undefined : stateOf(text);

function whyUnknown(session: SessionRecord): string {
  if (session.external) return "it runs outside Coven, which has not seen its project";
  return `when it began ${directoryOf(session)} was no git repository, or nobody could look at it`;
}

interface Noted {
  readonly runs: readonly RunProject[];
  readonly before: StoredState;
  readonly end: StoredState | undefined;
  readonly operation: ProjectChanges["after"]["operation"];
  readonly sharedWith: readonly string[];
}

/** What keeps the answer from being all that the session did, and nothing else. */
function notesOf({ runs, before, end, operation, sharedWith }: Noted): string[] {
  const isEnded = runs.at(-1)?.ended_at !== null;
  return [
    ...(sharedWith.length === 0
      ? []
      : ["other sessions ran in the same files meanwhile: what is told may be theirs"]),
    ...(operation === null ? [] : [`a ${operation} is in progress in the repository`]),
    ...(before.isLate
      ? ["the look at its beginning came after its start: what it wrote at once may be missing"]
      : []),
    ...(end?.isLate === true ? ["nobody could look when it ended: what was changed since is in it"] : []),
    ...(isEnded && end === undefined ? ["the state at its end is not known: this is the state now"] : []),
    ...(isChangedBetween(runs) ? ["the project also changed between its runs; ask for one run alone"] : []),
  ];
}

function isChangedBetween(runs: readonly RunProject[]): boolean {
  return runs.slice(1).some(({ project_before }, index) => {
    const [end, next] = [remembered(runs[index]?.project_after), remembered(project_before)];
    return end?.kind === "git" && next?.kind === "git" && end.tree !== next.tree;
  });
}

/** Takes what fits into so many bytes of JSON. */
class Room {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  get left(): number {
    return this.#left;
  }

  takes(value: unknown): boolean {
    // With the comma behind it.
    const bytes = Buffer.byteLength(JSON.stringify(value)) + 1;
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }
}

type Listed = Pick<ProjectChanges, "files" | "commits" | "truncated">;

/** Redacted, and within the limit: commits, then all paths with their counts, as far as they fit, then diffs. */
function bounded({ files, commits, truncated }: Listed, maxBytes: number): Listed {
  const forCommits = new Room(maxBytes * shares.commits);
  const newest = (commits?.newest ?? [])
    .map(({ hash, subject }) => ({ hash, subject: redactText(subject) }))
    .filter((commit) => forCommits.takes(commit));
  const forFiles = new Room(maxBytes * shares.files);
  const named = files.map(withoutDiff);
  const first = named.findIndex((file) => !forFiles.takes(file));
  const listed = first < 0 ? named : named.slice(0, first);
  const forDiffs = new Room(maxBytes * shares.diffs + forCommits.left + forFiles.left);
  const told = listed.map((file, place): FileChange => {
    const { diff, truncated: isCut } = files[place] ?? {};
    if (diff === undefined) return file;
    const shown = { diff: redactText(diff), ...(isCut === undefined ? {} : { truncated: isCut }) };
    return forDiffs.takes(shown) ? { ...file, ...shown } : { ...file, omitted: "limit" };
  });
  const isLess = told.some((file) => file.omitted === "limit" || file.truncated === true);
  return {
    files: told,
    commits: commits && { count: commits.count, newest },
    truncated: truncated || isLess || listed.length < files.length,
  };
}

const withoutDiff = ({ path, from, status, insertions, deletions, omitted }: FileChange): FileChange => ({
  path: redactText(path),
  ...(from === undefined ? {} : { from: redactText(from) }),
  status,
  insertions,
  deletions,
  ...(omitted === undefined ? {} : { omitted }),
});

/** One row per harness process of a session: who holds it, which process it is, and how it ended. */
import * as z from "zod";
import { type EventPayload, eventPayloads, leftProcess } from "../events.ts";
import type { Ledger } from "./database.ts";
import { now, statement } from "./rows.ts";

export interface RunRecord {
  readonly id: string;
  readonly session_id: string;
  readonly number: number;
  readonly host_pid: number | null;
  readonly pid: number | null;
  /** The operating system's start time of the process, opaque; with the pid it names one process for good. */
  readonly pid_started_at: string | null;
  readonly exit_code: number | null;
  readonly signal: string | null;
  readonly reason: string | null;
  readonly result: EventPayload<"result"> | null;
  readonly last_message: string | null;
  /** What its process left running when it had ended by itself; whether it still runs is for the reader to find out. */
  readonly left_behind: readonly LeftBehind[];
  /** Of the token its process was given, which is kept nowhere itself. */
  readonly token_hash: string | null;
  /** The wake that started it; null for the first run. */
  readonly wake_id: string | null;
  /** How many wakes in a row lead to it, each asked for by a run that the one before had started. */
  readonly chain: number;
  /** Whether its session's parent is still to be told of its end. */
  readonly tells_parent: boolean;
  readonly created_at: string;
  readonly ended_at: string | null;
}

/** A process that can still be known when its number has been given to another. */
const leftBehind = leftProcess.extend({ startTime: z.string() });
export type LeftBehind = z.output<typeof leftBehind>;

interface RunRow extends Omit<RunRecord, "result" | "left_behind" | "tells_parent"> {
  tells_parent: number;
  result: string | null;
  left_behind: string | null;
}

/** What was remembered of the project when the run began and when it had ended: text of whoever remembered it. */
export interface RunProject {
  readonly id: string;
  readonly number: number;
  readonly created_at: string;
  readonly ended_at: string | null;
  readonly project_before: string | null;
  readonly project_after: string | null;
}

export interface NewRun {
  readonly id: string;
  readonly session: string;
  readonly tokenHash?: string | null;
  /** The wake that starts it: at most one run does. */
  readonly wake?: string | null;
  readonly chain?: number;
  readonly tellsParent?: boolean;
}

export interface RunEnd {
  readonly id: string;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly reason: string | null;
}

export type Runs = ReturnType<typeof openRuns>;

export function openRuns({ db }: Ledger) {
  const insert = statement(
    db,
    `INSERT INTO runs (id, session_id, number, token_hash, wake_id, chain, tells_parent, created_at)
     SELECT :id, :session, coalesce(max(number), 0) + 1, :token, :wake, :chain, :tells, :at FROM runs WHERE session_id = :session`,
  );
  const setProcess = statement(
    db,
    "UPDATE runs SET host_pid = :host, pid = :pid, pid_started_at = :started WHERE id = :id",
  );
  const setToken = statement(db, "UPDATE runs SET token_hash = :token WHERE id = :id");
  const setChain = statement(db, "UPDATE runs SET chain = :chain WHERE id = :id");
  const setTold = statement(db, "UPDATE runs SET tells_parent = 0 WHERE id = :id");
  const toTell = statement<RunRow>(db, "SELECT * FROM runs WHERE tells_parent = 1");
  const setHost = statement(db, "UPDATE runs SET host_pid = :host WHERE id = :id");
  const giveBack = statement(
    db,
    "UPDATE runs SET host_pid = NULL WHERE host_pid = :host AND pid IS NULL AND ended_at IS NULL",
  );
  const setEnd = statement(
    db,
    "UPDATE runs SET exit_code = :exit_code, signal = :signal, reason = :reason, ended_at = :at WHERE id = :id",
  );
  const setResult = statement(db, "UPDATE runs SET result = :result WHERE id = :id");
  const setLastMessage = statement(db, "UPDATE runs SET last_message = :text WHERE id = :id");
  const setLeftBehind = statement(db, "UPDATE runs SET left_behind = :processes WHERE id = :id");
  const newest = statement<RunRow>(
    db,
    "SELECT * FROM runs WHERE session_id = :session ORDER BY number DESC LIMIT 1",
  );
  const before = statement<RunRow>(
    db,
    "SELECT * FROM runs WHERE session_id = :session AND created_at <= :at ORDER BY number DESC LIMIT 1",
  );
  const projects = statement<RunProject>(
    db,
    `SELECT id, number, created_at, ended_at, project_before, project_after FROM runs
     WHERE session_id = :session ORDER BY number`,
  );
  const setBefore = statement(db, "UPDATE runs SET project_before = :state WHERE id = :id");
  const setAfter = statement(db, "UPDATE runs SET project_after = :state WHERE id = :id");
  const unlooked = statement<{ session_id: string }>(
    db,
    `SELECT DISTINCT session_id FROM runs
     WHERE project_before IS NOT NULL AND project_after IS NULL AND ended_at IS NOT NULL`,
  );
  const directoryOf = "json_extract(project_before, '$.directory')";
  const directories = statement<{ directory: string | null }>(
    db,
    `SELECT DISTINCT ${directoryOf} AS directory FROM runs WHERE session_id = :session`,
  );
  const allDirectories = statement<{ directory: string | null }>(
    db,
    `SELECT DISTINCT ${directoryOf} AS directory FROM runs WHERE project_before IS NOT NULL`,
  );
  const inDirectory = statement<Pick<RunProject, "project_before" | "project_after">>(
    db,
    `SELECT project_before, project_after FROM runs
     WHERE project_before IS NOT NULL AND ${directoryOf} = :directory`,
  );
  const forget = statement(
    db,
    `UPDATE runs SET project_before = :state, project_after = :state
     WHERE session_id = :session AND ended_at IS NOT NULL AND ${directoryOf} IS NOT NULL`,
  );
  const open = statement<RunRow>(db, "SELECT * FROM runs WHERE ended_at IS NULL");
  const byId = statement<RunRow>(db, "SELECT * FROM runs WHERE id = :id");
  const byToken = statement<RunRow>(db, "SELECT * FROM runs WHERE token_hash = :token");

  return {
    create({ id, session, tokenHash = null, wake = null, chain = 0, tellsParent = false }: NewRun): void {
      insert.run({ id, session, token: tokenHash, wake, chain, tells: tellsParent ? 1 : 0, at: now() });
    },
    /** Of a run that is launched once more because nobody knows its first token. */
    setToken: (id: string, tokenHash: string): void => {
      setToken.run({ id, token: tokenHash });
    },
    /** Says which host will hold the run, before it is asked to. */
    giveTo: (id: string, host: number): void => {
      setHost.run({ id, host });
    },
    /** A host that leaves says which of those given to it it was never asked for: all that it has not begun. */
    giveBack: (host: number): void => {
      giveBack.run({ host });
    },
    started: (id: string, host: number, pid: number, startedAt: string | null): void => {
      setProcess.run({ id, host, pid, started: startedAt });
    },
    ended: ({ id, exitCode, signal, reason }: RunEnd): void => {
      setEnd.run({ id, exit_code: exitCode, signal, reason, at: now() });
    },
    setResult: (id: string, result: EventPayload<"result">): void => {
      setResult.run({ id, result: JSON.stringify(result) });
    },
    setLastMessage: (id: string, text: string): void => {
      setLastMessage.run({ id, text });
    },
    setLeftBehind: (id: string, processes: readonly LeftBehind[]): void => {
      setLeftBehind.run({ id, processes: JSON.stringify(processes) });
    },
    /** Of a live run that a wake was said to. */
    setChain: (id: string, chain: number): void => {
      setChain.run({ id, chain });
    },
    setTold: (id: string): void => {
      setTold.run({ id });
    },
    /** Those, live or ended, whose end a parent is still to be told of. */
    toTell: (): RunRecord[] => toTell.all().flatMap((row) => toRecord(row) ?? []),
    find: (id: string): RunRecord | undefined => toRecord(byId.get({ id })),
    findByToken: (tokenHash: string): RunRecord | undefined => toRecord(byToken.get({ token: tokenHash })),
    newest: (session: string): RunRecord | undefined => toRecord(newest.get({ session })),
    /** The run that was the session's newest at a time. */
    before: (session: string, at: string): RunRecord | undefined => toRecord(before.get({ session, at })),
    /** Of each run of the session, in order. */
    projects: (session: string): RunProject[] => projects.all({ session }),
    setProjectBefore: (id: string, state: string): void => {
      setBefore.run({ id, state });
    },
    setProjectAfter: (id: string, state: string): void => {
      setAfter.run({ id, state });
    },
    /** Sessions with an ended run after which nobody has looked at the project. */
    unlooked: (): string[] => unlooked.all().map(({ session_id }) => session_id),
    /** Where the session's runs found a project. */
    directories: (session: string): string[] =>
      directories.all({ session }).flatMap(({ directory }) => directory ?? []),
    /** Where any run did. */
    allDirectories: (): string[] => allDirectories.all().flatMap(({ directory }) => directory ?? []),
    /** Everything that is remembered of the project in a directory. */
    projectStates: (directory: string): string[] =>
      inDirectory
        .all({ directory })
        .flatMap(({ project_before, project_after }) => [project_before ?? [], project_after ?? []].flat()),
    /** Puts this in the place of what the session's ended runs remember. */
    replaceProjects: (session: string, state: string): void => {
      forget.run({ session, state });
    },
    /** Runs without an ending, live ones and those whose host is lost. */
    open: (): RunRecord[] => open.all().flatMap((row) => toRecord(row) ?? []),
  };
}

const resultColumn = z.string().transform((json) => eventPayloads.result.parse(JSON.parse(json)));
const leftBehindColumn = z.string().transform((json) => z.array(leftBehind).parse(JSON.parse(json)));

function toRecord(row: RunRow | undefined): RunRecord | undefined {
  return (
    row && {
      ...row,
      result: row.result === null ? null : resultColumn.parse(row.result),
      left_behind: row.left_behind === null ? [] : leftBehindColumn.parse(row.left_behind),
      tells_parent: row.tells_parent === 1,
    }
  );
}

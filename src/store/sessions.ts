/** The durable record of each harness conversation, and the one function that moves it between states. */
import * as z from "zod";
import { type EventPayload, type SessionStatus, activity, isLive } from "../events.ts";
import type { Ledger } from "./database.ts";
import type { EventLog } from "./events.ts";
import { now, statement } from "./rows.ts";

/** What a session does, and since when (RFC 3339). */
const recordedActivity = activity.extend({ since: z.string() });
export type Activity = z.output<typeof recordedActivity>;
const activityColumn = z.string().transform((json) => recordedActivity.parse(JSON.parse(json)));

/** A git worktree that was made for a session, and the branch it was made with. */
const worktree = z.object({
  path: z.string(),
  /** In it, what the project's root is in the repository. */
  directory: z.string(),
  branch: z.string(),
  /** The commit it was begun at. */
  base: z.string(),
});
export type SessionWorktree = z.output<typeof worktree>;
const worktreeColumn = z.string().transform((json) => worktree.parse(JSON.parse(json)));

/** A session as every surface shows it: the published record's fields first, then ours. */
export interface SessionRecord {
  readonly id: string;
  readonly project_root: string;
  readonly harness: string;
  readonly title: string;
  readonly status: SessionStatus;
  readonly exit_code: number | null;
  readonly archived_at: string | null;
  readonly created_at: string;
  readonly updated_at: string;
  readonly conversation_id: string | null;
  readonly familiar_id: string | null;
  readonly execution_binding: null;
  readonly labels: readonly string[];
  readonly visibility: string;
  readonly external: boolean;
  readonly transcript_path: string | null;
  readonly cwd: string;
  readonly launch_mode: string;
  readonly permission: string | null;
  readonly model: string | null;
  readonly add_dirs: readonly string[];
  readonly harness_session_id: string | null;
  readonly last_activity_at: string;
  /** The familiar that launched it for another one. */
  readonly caller_familiar_id: string | null;
  /** The session whose run launched it; null for what the owner launched. */
  readonly parent_id: string | null;
  /** How many sessions lead from the owner to it: 1 for what the owner launched. */
  readonly depth: number;
  /** Whether its harness is given Coven's own tools. */
  readonly tools: boolean;
  /** Whether its parent is woken when a run of it ends. */
  readonly wake_parent: boolean;
  /** What it does, while it lives and there is evidence of it. */
  readonly activity: Activity | null;
  /** Where it works, unless that is the project itself. */
  readonly worktree: SessionWorktree | null;
}

export type NewSession = Pick<
  SessionRecord,
  "id" | "project_root" | "cwd" | "harness" | "title" | "launch_mode"
> &
  Partial<
    Pick<
      SessionRecord,
      | "permission"
      | "model"
      | "add_dirs"
      | "labels"
      | "conversation_id"
      | "familiar_id"
      | "caller_familiar_id"
      | "external"
      | "transcript_path"
      | "parent_id"
      | "depth"
      | "tools"
      | "wake_parent"
      | "worktree"
    >
  > & {
    /** The first of the sessions that one call launched, and which of them it is. */
    readonly lane_of?: string | null;
    readonly lane?: number | null;
  };

interface SessionRow extends Omit<
  SessionRecord,
  "labels" | "add_dirs" | "external" | "execution_binding" | "tools" | "wake_parent" | "activity" | "worktree"
> {
  labels: string;
  add_dirs: string;
  external: number;
  tools: number;
  wake_parent: number;
  activity: string | null;
  worktree: string | null;
  lane_of: string | null;
  lane: number | null;
}

/** Where a listing goes on: the last row that was shown. */
export interface ListPosition {
  readonly createdAt: string;
  readonly id: string;
}

export interface ListFilter {
  readonly status: SessionStatus | undefined;
  readonly projectRoot: string | undefined;
  readonly label: string | undefined;
  readonly parent: string | undefined;
  /** The path or the branch of one. */
  readonly worktree?: string | undefined;
  /** Only live ones that ask something. */
  readonly attention: boolean;
  readonly includeArchived: boolean;
  readonly limit: number;
  readonly before: ListPosition | undefined;
}

/** From each state, where a session may go. An ended one that is woken is about to hold a process again. */
const moves: Readonly<Record<SessionStatus, readonly SessionStatus[]>> = {
  created: ["running", "failed", "killed", "orphaned"],
  running: ["completed", "idle", "failed", "killed", "orphaned"],
  idle: ["created"],
  completed: ["created"],
  failed: ["created"],
  killed: ["created"],
  orphaned: ["created"],
};

export interface Move {
  readonly session: string;
  readonly run: string | null;
  readonly to: SessionStatus;
  readonly exitCode?: number | null;
  readonly reason?: string | undefined;
}

export type Sessions = ReturnType<typeof openSessions>;

export function openSessions({ db, write }: Ledger, events: EventLog) {
  const insert = statement(
    db,
    `INSERT INTO sessions (id, project_root, cwd, harness, title, status, launch_mode, permission, model, add_dirs,
       labels, conversation_id, familiar_id, caller_familiar_id, external, transcript_path,
       parent_id, depth, lane_of, lane, tools, wake_parent, worktree, created_at, updated_at, last_activity_at)
     VALUES (:id, :project_root, :cwd, :harness, :title, :status, :launch_mode, :permission, :model, :add_dirs,
       :labels, :conversation_id, :familiar_id, :caller_familiar_id, :external, :transcript_path,
       :parent_id, :depth, :lane_of, :lane, :tools, :wake_parent, :worktree, :at, :at, :at)`,
  );
  const byId = statement<SessionRow>(db, "SELECT * FROM sessions WHERE id = :id");
  const statusOf = statement<{ status: SessionStatus }>(db, "SELECT status FROM sessions WHERE id = :id");
  // What was only registered with Coven runs elsewhere: its status is told by others and nothing here can end it.
  const isOurs = "status IN ('created', 'running') AND external = 0";
  const live = statement<SessionRow>(db, `SELECT * FROM sessions WHERE ${isOurs}`);
  const liveCount = statement<{ count: number }>(
    db,
    `SELECT count(*) AS count FROM sessions WHERE ${isOurs} AND (:root IS NULL OR project_root = :root)`,
  );
  const list = statement<SessionRow>(
    db,
    `SELECT * FROM sessions
     WHERE (:status IS NULL OR status = :status)
       AND (:root IS NULL OR project_root = :root)
       AND (:label IS NULL OR EXISTS (SELECT 1 FROM json_each(labels) WHERE value = :label))
       AND (:parent IS NULL OR parent_id = :parent)
       AND (:worktree IS NULL OR :worktree IN (worktree ->> 'path', worktree ->> 'branch'))
       AND (:attention = 0 OR (${isOurs} AND json_extract(activity, '$.state') = 'attention'))
       AND (:archived = 1 OR archived_at IS NULL)
       AND (:before_at IS NULL OR (created_at, id) < (:before_at, :before_id))
     ORDER BY created_at DESC, id DESC LIMIT :limit`,
  );
  const liveChildren = statement<{ count: number }>(
    db,
    `SELECT count(*) AS count FROM sessions WHERE parent_id = :parent AND ${isOurs}`,
  );
  const inWorktree = statement<{ id: string }>(
    db,
    "SELECT id FROM sessions WHERE worktree ->> 'path' = :path AND id <> :except LIMIT 1",
  );
  const liveBelow = statement<{ id: string }>(
    db,
    `SELECT id FROM sessions
     WHERE status IN ('created', 'running') AND (cwd = :path OR substr(cwd, 1, length(:path) + 1) = :path || '/')
     LIMIT 1`,
  );
  const beside = statement<{ id: string }>(
    db,
    `SELECT id FROM sessions AS other
     WHERE project_root = :root AND worktree ->> 'path' IS :path AND id <> :id AND EXISTS
       (SELECT 1 FROM runs WHERE session_id = other.id AND created_at < :until AND coalesce(ended_at, :until) > :since)
     ORDER BY created_at DESC, id DESC LIMIT :limit`,
  );
  const setWorktree = statement(db, "UPDATE sessions SET worktree = :worktree WHERE id = :id");
  const lanes = statement<SessionRow>(db, "SELECT * FROM sessions WHERE lane_of = :first ORDER BY lane");
  const setStatus = statement(
    db,
    `UPDATE sessions SET status = :status, exit_code = :exit_code, activity = NULL, updated_at = :at,
       last_activity_at = :at
     WHERE id = :id`,
  );
  const setArchived = statement(
    db,
    "UPDATE sessions SET archived_at = :archived, updated_at = :at WHERE id = :id",
  );
  const setHarnessSession = statement(db, "UPDATE sessions SET harness_session_id = :value WHERE id = :id");
  const elsewhere = statement<{ id: string }>(
    db,
    `SELECT id FROM sessions WHERE harness_session_id = :value AND harness = :harness AND project_root <> :root LIMIT 1`,
  );
  const setActivity = statement(db, "UPDATE sessions SET activity = :activity WHERE id = :id");
  const touch = statement(db, "UPDATE sessions SET last_activity_at = :at WHERE id = :id");
  const remove = statement(db, "DELETE FROM sessions WHERE id = :id");
  const adoptChildren = statement(
    db,
    `UPDATE sessions SET parent_id = (SELECT parent_id FROM sessions WHERE id = :id), wake_parent = 0
     WHERE parent_id = :id`,
  );

  const find = (id: string): SessionRecord | undefined => {
    const row = byId.get({ id });
    return row && toRecord(row);
  };

  return {
    find,

    /** Of whoever looks often: a third of what the whole record costs. */
    statusOf: (id: string): SessionStatus | undefined => statusOf.get({ id })?.status,

    /** Writes the record in its first state, with its status event. */
    create(session: NewSession, run: string | null, status: SessionStatus = "created"): void {
      write(() => {
        const {
          labels = [],
          add_dirs = [],
          external = false,
          tools = false,
          wake_parent = false,
          worktree: place = null,
          ...fields
        } = session;
        insert.run({
          ...absent,
          ...fields,
          status,
          labels: JSON.stringify(labels),
          add_dirs: JSON.stringify(add_dirs),
          external: external ? 1 : 0,
          tools: tools ? 1 : 0,
          wake_parent: wake_parent ? 1 : 0,
          worktree: place === null ? null : JSON.stringify(place),
          at: now(),
        });
        events.append(session.id, run, "status", { from: null, to: status });
      });
    },

    /** The only way a session changes its state; appends the status event in the same transaction. */
    move({ session, run, to, exitCode = null, reason }: Move): void {
      write(() => {
        const from = find(session)?.status;
        if (from === undefined) throw new Error(`session ${session} is gone`);
        if (!moves[from].includes(to)) throw new Error(`session ${session} cannot go from ${from} to ${to}`);
        setStatus.run({ id: session, status: to, exit_code: exitCode, at: now() });
        events.append(session, run, "status", reason === undefined ? { from, to } : { from, to, reason });
      });
    },

    list: (filter: ListFilter): SessionRecord[] =>
      list
        .all({
          status: filter.status ?? null,
          root: filter.projectRoot ?? null,
          label: filter.label ?? null,
          parent: filter.parent ?? null,
          worktree: filter.worktree ?? null,
          attention: filter.attention ? 1 : 0,
          archived: filter.includeArchived ? 1 : 0,
          before_at: filter.before?.createdAt ?? null,
          before_id: filter.before?.id ?? null,
          limit: filter.limit,
        })
        .map(toRecord),

    live: (): SessionRecord[] => live.all().map(toRecord),
    /** Of one project, or of all. */
    liveCount: (projectRoot?: string): number => liveCount.get({ root: projectRoot ?? null })?.count ?? 0,
    liveChildren: (parent: string): number => liveChildren.get({ parent })?.count ?? 0,
    /** Those that were launched by one call, in its order, by the first of them. */
    lanesOf: (first: string): SessionRecord[] => lanes.all({ first }).map(toRecord),
    /** Whether another session than this one works, or has worked, in the worktree. */
    isWorktreeOfOthers: (path: string, except: string): boolean =>
      inWorktree.get({ path, except }) !== undefined,
    /** Whether any session does. */
    isWorktreeOfAny: (path: string): boolean => inWorktree.get({ path, except: "" }) !== undefined,
    /** A live session that works in that folder, whether or not it was launched for it. */
    liveBelow: (path: string): string | undefined => liveBelow.get({ path })?.id,
    /** The worktree is gone. */
    forgetWorktree: (id: string): void => {
      setWorktree.run({ id, worktree: null });
    },
    /** Other sessions with a run in the same files at some time between, the newest first. */
    beside: (
      { id, project_root, worktree: place }: SessionRecord,
      { since, until, limit }: { readonly since: string; readonly until: string; readonly limit: number },
    ): string[] =>
      beside
        .all({ id, root: project_root, path: place?.path ?? null, since, until, limit })
        .map((row) => row.id),
    setArchived: (id: string, archived: boolean): void => {
      setArchived.run({ id, archived: archived ? now() : null, at: now() });
    },
    setHarnessSession: (id: string, value: string): void => {
      setHarnessSession.run({ id, value });
    },
    /** Whether a session of another project has that conversation of the same harness. */
    isConversationElsewhere: (
      { harness, project_root: root }: Pick<SessionRecord, "harness" | "project_root">,
      value: string,
    ): boolean => elsewhere.get({ harness, root, value }) !== undefined,
    /** What a live session does from now on, with its event. */
    setActivity(id: string, run: string, activity: EventPayload<"activity">): void {
      write(() => {
        setActivity.run({ id, activity: JSON.stringify({ ...activity, since: now() }) });
        events.append(id, run, "activity", activity);
      });
    },
    touch: (id: string): void => {
      touch.run({ id, at: now() });
    },

    /** Deletes an ended session with its runs and events; its children become its parent's, who never asked to be told of them. Answers whether there was one. */
    remove: (id: string): boolean =>
      write(() => {
        const status = find(id)?.status;
        if (status === undefined || isLive(status)) return false;
        adoptChildren.run({ id });
        return remove.run({ id }).changes > 0;
      }),
  };
}

const absent = {
  permission: null,
  model: null,
  conversation_id: null,
  familiar_id: null,
  caller_familiar_id: null,
  transcript_path: null,
  parent_id: null,
  depth: 1,
  lane_of: null,
  lane: null,
};

/** Column by column: to copy the rest of so wide a row takes longer than to read it from the store. */
function toRecord(row: SessionRow): SessionRecord {
  return {
    id: row.id,
    project_root: row.project_root,
    harness: row.harness,
    title: row.title,
    status: row.status,
    exit_code: row.exit_code,
    archived_at: row.archived_at,
    created_at: row.created_at,
    updated_at: row.updated_at,
    conversation_id: row.conversation_id,
    familiar_id: row.familiar_id,
    execution_binding: null,
    labels: stringList(row.labels),
    visibility: row.visibility,
    external: row.external === 1,
    transcript_path: row.transcript_path,
    cwd: row.cwd,
    launch_mode: row.launch_mode,
    permission: row.permission,
    model: row.model,
    add_dirs: stringList(row.add_dirs),
    harness_session_id: row.harness_session_id,
    last_activity_at: row.last_activity_at,
    caller_familiar_id: row.caller_familiar_id,
    parent_id: row.parent_id,
    depth: row.depth,
    tools: row.tools === 1,
    wake_parent: row.wake_parent === 1,
    // A host of an older version leaves it there when the session ends.
    activity: row.activity === null || !isLive(row.status) ? null : activityColumn.parse(row.activity),
    worktree: row.worktree === null ? null : worktreeColumn.parse(row.worktree),
  };
}

function stringList(json: string): string[] {
  const value: unknown = JSON.parse(json);
  return Array.isArray(value) ? value.map(String) : [];
}

import * as z from "zod";
import { activityStates, isLive, leftProcess, sessionStatuses } from "../events.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { SessionRecord } from "../store/sessions.ts";
import { listedProject } from "./authority.ts";
import { capability } from "./capability.ts";
import { runOutcome, sessionActivity, sessionId, sessionRecord, wakeRecord } from "./records.ts";
import { outcomeOf } from "./run-outcome.ts";
import { shortened } from "./shortened.ts";

/** Live sessions named in an overview, and children of one session: a screenful. */
const namedMax = 20;
/** Longest title, bytes: of the session itself, and of one among those. */
const titleBytesMax = { whole: 500, named: 60 } as const;

const brief = z.object({
  id: z.string(),
  title: z.string(),
  harness: z.string(),
  status: z.enum(sessionStatuses),
  /** What a live one does. */
  activity: z.enum(activityStates).optional(),
  lastActivityAt: z.string(),
});

const session = runOutcome.extend({
  id: z.string(),
  title: z.string(),
  harness: z.string(),
  status: z.enum(sessionStatuses),
  /** Whether a process is running for it now. */
  active: z.boolean(),
  /** What that does, since when, and what says so. */
  activity: sessionActivity.optional(),
  archived: z.boolean(),
  projectRoot: z.string(),
  cwd: z.string(),
  /** Where it works, unless that is the project itself. */
  worktree: sessionRecord.shape.worktree.unwrap().pick({ path: true, branch: true }).optional(),
  launchMode: z.string(),
  permission: z.string().nullable(),
  model: z.string().nullable(),
  runs: z.int(),
  pid: z.int().nullable(),
  /** What the newest run left running when it ended by itself, and still runs: kill ends it. */
  leftBehind: z.array(leftProcess).optional(),
  /** Present while the disk is full: the harness is paused, and goes on when there is space. */
  store: z.literal("store_full").optional(),
  /** Follow-ups that wait: for their time, and for their turn. */
  wakes: z.object({ pending: z.int(), queued: z.int(), held: wakeRecord.shape.held }).optional(),
  /** The session that launched it; null for the owner. */
  parent: z.string().nullable(),
  /** Those it launched itself, newest first, as far as they fit. */
  children: z.array(brief).optional(),
  createdAt: z.string(),
  lastActivityAt: z.string(),
  endedAt: z.string().nullable(),
  cursor: z.string(),
});

const overview = z.object({
  live: z.int(),
  /** Present while the disk is full: harnesses are paused, and go on when there is space. */
  store: z.literal("store_full").optional(),
  sessions: z.array(brief),
  cursor: z.string(),
});

export const status = capability({
  name: "status",
  summary:
    "One session in a screenful: state, how it ended, last message, denied permissions, usage. Without one, what is live.",
  effect: "read",
  input: z.strictObject({ session: sessionId.optional().describe("session id; leave out for an overview") }),
  output: z.union([session, overview]),
  failures: ["session_not_found"],
  right: "project",
  tool: {
    title: "Session status",
    description:
      "How an agent session stands: state, result, last message (up to 2 KB; tail has all of it), what it was denied, wakes that wait, usage. Use it to read a result after watch; to wait, use watch instead of asking again. Without a session: what runs now.",
    core: true,
  },
  positional: ["session"],
  async run({ session: id }, context) {
    const { sessions, activities, leftovers, reader, listSessions, liveCount, storeState } = context;
    const cursor = reader.cursorAt(reader.lastSeq());
    const store = storeState() === "store_full" ? { store: "store_full" as const } : {};
    if (id === undefined) {
      const projectRoot = listedProject(context, undefined);
      const live = listSessions({ ...newest, status: "running", projectRoot });
      return { live: liveCount(projectRoot), ...store, sessions: live.map(inBrief(activities)), cursor };
    }
    const record = sessions.get(id);
    const run = sessions.newestRun(id);
    const children = listSessions({ ...newest, parent: id });
    const activity = activities.shown(record);
    const left = leftovers.leftBehind(id).map(({ pid, command }) => ({ pid, command }));
    return {
      id,
      title: shortened(record.title, titleBytesMax.whole),
      harness: record.harness,
      status: record.status,
      active: isLive(record.status),
      ...(activity === null ? {} : { activity }),
      archived: record.archived_at !== null,
      ...outcomeOf(record, run),
      projectRoot: record.project_root,
      cwd: record.cwd,
      ...(record.worktree === null
        ? {}
        : { worktree: { path: record.worktree.path, branch: record.worktree.branch } }),
      launchMode: record.launch_mode,
      permission: record.permission,
      model: record.model,
      runs: run?.number ?? 0,
      pid: isLive(record.status) ? (run?.pid ?? null) : null,
      ...(left.length > 0 ? { leftBehind: left } : {}),
      ...store,
      ...waiting(context.wakes.counts(id)),
      parent: record.parent_id,
      ...(children.length > 0 ? { children: children.map(inBrief(activities)) } : {}),
      createdAt: record.created_at,
      lastActivityAt: record.last_activity_at,
      endedAt: run?.ended_at ?? null,
      cursor,
    };
  },
});

/** Said only where there are some. */
const waiting = ({ pending, queued, hold }: ReturnType<Runtime["wakes"]["counts"]>) =>
  pending + queued === 0 ? {} : { wakes: { pending, queued, ...(hold === undefined ? {} : { held: hold }) } };

const newest = {
  status: undefined,
  projectRoot: undefined,
  label: undefined,
  parent: undefined,
  includeArchived: true,
  limit: namedMax,
  before: undefined,
  attention: false,
};

const inBrief =
  (activities: Runtime["activities"]) =>
  (record: SessionRecord): z.input<typeof brief> => {
    const { id, title, harness, status, last_activity_at } = record;
    const activity = activities.shown(record);
    return {
      id,
      title: shortened(title, titleBytesMax.named),
      harness,
      status,
      ...(activity === null ? {} : { activity: activity.state }),
      lastActivityAt: last_activity_at,
    };
  };

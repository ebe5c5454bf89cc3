import * as z from "zod";
import { isLive, leftProcess, sessionStatuses } from "../events.ts";
import { capability } from "./capability.ts";
import { runOutcome, sessionId } from "./records.ts";
import { outcomeOf } from "./run-outcome.ts";

/** Live sessions named in an overview: a screenful. */
const namedMax = 20;

const session = runOutcome.extend({
  id: z.string(),
  title: z.string(),
  harness: z.string(),
  status: z.enum(sessionStatuses),
  /** Whether a process is running for it now. */
  active: z.boolean(),
  archived: z.boolean(),
  projectRoot: z.string(),
  cwd: z.string(),
  launchMode: z.string(),
  permission: z.string().nullable(),
  model: z.string().nullable(),
  runs: z.int(),
  pid: z.int().nullable(),
  /** What the newest run left running when it ended by itself, and still runs: kill ends it. */
  leftBehind: z.array(leftProcess).optional(),
  /** Present while the disk is full: the harness is paused, and goes on when there is space. */
  store: z.literal("store_full").optional(),
  createdAt: z.string(),
  lastActivityAt: z.string(),
  endedAt: z.string().nullable(),
  cursor: z.string(),
});

const overview = z.object({
  live: z.int(),
  /** Present while the disk is full: harnesses are paused, and go on when there is space. */
  store: z.literal("store_full").optional(),
  sessions: z.array(
    z.object({
      id: z.string(),
      title: z.string(),
      harness: z.string(),
      status: z.string(),
      lastActivityAt: z.string(),
    }),
  ),
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
      "How one agent session stands, in a screenful: state, result, the whole last message, what it was denied, usage. Use it to read a result after watch; to wait, use watch instead of asking again. Without a session: an overview of what runs now.",
    core: true,
  },
  positional: ["session"],
  async run({ session: id }, { sessions, leftovers, reader, listSessions, liveCount, storeState }) {
    const cursor = reader.cursorAt(reader.lastSeq());
    const store = storeState() === "store_full" ? { store: "store_full" as const } : {};
    if (id === undefined) {
      const recent = {
        projectRoot: undefined,
        label: undefined,
        includeArchived: true,
        limit: namedMax,
        before: undefined,
      };
      return {
        live: liveCount(),
        ...store,
        sessions: listSessions({ ...recent, status: "running" }).map((live) => ({
          id: live.id,
          title: live.title,
          harness: live.harness,
          status: live.status,
          lastActivityAt: live.last_activity_at,
        })),
        cursor,
      };
    }
    const record = sessions.get(id);
    const run = sessions.newestRun(id);
    const left = leftovers.leftBehind(id).map(({ pid, command }) => ({ pid, command }));
    return {
      id,
      title: record.title,
      harness: record.harness,
      status: record.status,
      active: isLive(record.status),
      archived: record.archived_at !== null,
      ...outcomeOf(record, run),
      projectRoot: record.project_root,
      cwd: record.cwd,
      launchMode: record.launch_mode,
      permission: record.permission,
      model: record.model,
      runs: run?.number ?? 0,
      pid: isLive(record.status) ? (run?.pid ?? null) : null,
      ...(left.length > 0 ? { leftBehind: left } : {}),
      ...store,
      createdAt: record.created_at,
      lastActivityAt: record.last_activity_at,
      endedAt: run?.ended_at ?? null,
      cursor,
    };
  },
});

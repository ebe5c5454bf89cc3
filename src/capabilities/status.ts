import * as z from "zod";
import { isLive, sessionStatuses } from "../events.ts";
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
  createdAt: z.string(),
  lastActivityAt: z.string(),
  endedAt: z.string().nullable(),
  cursor: z.string(),
});

const overview = z.object({
  live: z.int(),
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
  tool: true,
  positional: ["session"],
  async run({ session: id }, { sessions, reader, listSessions, liveCount }) {
    const cursor = reader.cursorAt(reader.lastSeq());
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
      createdAt: record.created_at,
      lastActivityAt: record.last_activity_at,
      endedAt: run?.ended_at ?? null,
      cursor,
    };
  },
});

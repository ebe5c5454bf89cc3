/** The shapes that several actions answer. */
import * as z from "zod";
import { activity, deniedPermission, sessionStatuses, usage, wakeStates } from "../events.ts";

/** No longer than a request line; whether there is such a session is for the store to say. */
export const sessionId = z.string().max(16 * 1024);

/** What a live session does, since when, and what says so. */
export const sessionActivity = activity.extend({ since: z.string() });

/** The published session record, then our additions. */
export const sessionRecord = z.object({
  id: z.string(),
  project_root: z.string(),
  harness: z.string(),
  title: z.string(),
  status: z.enum(sessionStatuses),
  exit_code: z.int().nullable(),
  archived_at: z.string().nullable(),
  created_at: z.string(),
  updated_at: z.string(),
  conversation_id: z.string().nullable(),
  familiar_id: z.string().nullable(),
  execution_binding: z.null(),
  labels: z.array(z.string()).readonly(),
  visibility: z.string(),
  external: z.boolean(),
  transcript_path: z.string().nullable(),
  cwd: z.string(),
  launch_mode: z.string(),
  permission: z.string().nullable(),
  model: z.string().nullable(),
  add_dirs: z.array(z.string()).readonly(),
  harness_session_id: z.string().nullable(),
  last_activity_at: z.string(),
  caller_familiar_id: z.string().nullable(),
  parent_id: z.string().nullable(),
  depth: z.int(),
  tools: z.boolean(),
  wake_parent: z.boolean(),
  activity: sessionActivity.nullable(),
  /** Where it works, unless that is the project itself. */
  worktree: z
    .object({ path: z.string(), directory: z.string(), branch: z.string(), base: z.string() })
    .nullable(),
});

/** A follow-up, and how its delivery stands. */
export const wakeRecord = z.object({
  wake: z.string(),
  session: z.string(),
  state: z.enum(wakeStates),
  /** Why it has expired, failed or was cancelled. */
  reason: z.string().optional(),
  /** Why the session's queue does not go on by itself. */
  held: z.enum(["run_failed", "revive_required"]).optional(),
  /** What it says, redacted and shortened. */
  message: z.string(),
  when: z.enum(["idle", "now"]),
  /** The session that asked for it; null for the owner. */
  from: z.string().nullable(),
  createdAt: z.string(),
  dueAt: z.string(),
  expiresAt: z.string().optional(),
  /** How late it came into the queue, ms. */
  lateMs: z.int().optional(),
  /** The run that has it. */
  runId: z.string().optional(),
  deliveredAt: z.string().optional(),
});

/** What a model is shown of a session that it did something to. */
export const briefRecord = sessionRecord.pick({
  id: true,
  title: true,
  status: true,
  exit_code: true,
  archived_at: true,
});

export const eventRecord = z.object({
  seq: z.int(),
  id: z.string(),
  session_id: z.string(),
  kind: z.string(),
  payload_json: z.string(),
  created_at: z.string(),
});

export const eventPage = z.object({
  events: z.array(eventRecord),
  nextCursor: z.object({ afterSeq: z.int() }).nullable(),
  hasMore: z.boolean(),
});

/** How the newest run of a session stands, in a few lines. */
export const runOutcome = z.object({
  exitCode: z.int().nullable(),
  signal: z.string().optional(),
  reason: z.string().optional(),
  lastMessage: z.string().optional(),
  /** What the harness was not allowed to do: a lane that ended well may still have done nothing. */
  denied: z.array(deniedPermission).optional(),
  error: z.string().optional(),
  usage: usage.optional(),
  costUsd: z.number().optional(),
});

export const capabilityRecord = z.object({
  id: z.string(),
  label: z.string(),
  /** Who owns it. */
  adapter: z.string(),
  status: z.enum(["available", "planned", "disabled", "missingSetup"]),
  policy: z.enum(["allow", "requiresApproval"]),
  actions: z.array(z.string()),
  /** Of a harness: the launch modes it has. */
  modes: z
    .array(z.enum(["interactive", "nonInteractive", "stream"]))
    .readonly()
    .optional(),
  /** Of a harness: who owns its login; Coven stores no credentials. */
  authOwner: z.string().optional(),
  /** Of a harness: where the daemon finds it, or how to install it. */
  path: z.string().optional(),
  hint: z.string().optional(),
});
export type CapabilityRecord = z.output<typeof capabilityRecord>;

/**
 * The event vocabulary: one schema per kind of log row.
 *
 * `output`, `input`, `kill`, `exit`, `cast` and `output_truncated` are the published daemon's kinds with its payloads;
 * the others are additional rows that older clients skip. Within a run the `exit` event is the last one.
 */
import * as z from "zod";

export const sessionStatuses = [
  "created",
  "running",
  "idle",
  "completed",
  "failed",
  "killed",
  "orphaned",
] as const;
export type SessionStatus = (typeof sessionStatuses)[number];

/** A session in one of these states holds, or is about to hold, a process. */
export const isLive = (status: SessionStatus): boolean => status === "created" || status === "running";

export const usage = z.strictObject({
  inputTokens: z.int().nonnegative(),
  outputTokens: z.int().nonnegative(),
  cachedInputTokens: z.int().nonnegative().optional(),
});
export type Usage = z.output<typeof usage>;

export const deniedPermission = z.strictObject({
  /** The harness's own name of the tool it was denied. */
  tool: z.string(),
  /** What it wanted to do with it, shortened to one line. */
  input: z.string().optional(),
});
export type DeniedPermission = z.output<typeof deniedPermission>;

export const leftProcess = z.strictObject({ pid: z.int(), command: z.string() });
export type LeftProcess = z.output<typeof leftProcess>;

/** A wake waits for its time, then for its turn, and leaves the queue in one of the other ways. */
export const wakeStates = ["pending", "queued", "delivered", "expired", "cancelled", "failed"] as const;
export type WakeState = (typeof wakeStates)[number];

/** What a live session is doing, as far as there is evidence; `attention`: it asks somebody something. */
export const activityStates = ["busy", "waiting", "attention", "unknown"] as const;
export type ActivityState = (typeof activityStates)[number];

export const question = z.strictObject({
  /** Names this very question: an answer to it is refused once it is gone. */
  id: z.string(),
  text: z.string(),
  /** What may be chosen, as far as it is known. */
  choices: z.array(z.string()),
});
export type Question = z.output<typeof question>;

export const activity = z.strictObject({
  state: z.enum(activityStates),
  /** What says so: a hook, an event of the structured output, the screen. */
  evidence: z.string(),
  question: question.optional(),
});

/** Size of a run's terminal until a `resize` says another: the published daemon's. */
export const initialTerminalSize = { columns: 80, rows: 24 };

export const eventPayloads = {
  /** What the harness printed. `stream` is absent for a pty, where both streams are one. */
  output: z.strictObject({ data: z.string(), stream: z.enum(["stdout", "stderr"]).optional() }),
  /** What was sent to a live harness. */
  input: z.strictObject({ data: z.string() }),
  kill: z.strictObject({ status: z.literal("killed") }),
  /** A Cast Code, as it was submitted. */
  cast: z.strictObject({ cast_id: z.string(), code: z.string(), target: z.string().nullable() }),
  /** The window of whoever controls the terminal, in characters. */
  resize: z.strictObject({ columns: z.int(), rows: z.int() }),
  /** Stands where rows of an ended session were pruned. */
  output_truncated: z.strictObject({
    droppedEvents: z.int().nonnegative(),
    droppedBytes: z.int().nonnegative(),
  }),
  /** Processes of the run that were still there when it had ended by itself. */
  left_behind: z.strictObject({ processes: z.array(leftProcess) }),
  exit: z.strictObject({
    status: z.enum(sessionStatuses),
    exitCode: z.int().nullable(),
    signal: z.string().optional(),
    reason: z.string().optional(),
  }),
  status: z.strictObject({
    from: z.enum(sessionStatuses).nullable(),
    to: z.enum(sessionStatuses),
    reason: z.string().optional(),
  }),
  /** A follow-up to the session, at each step of its delivery. */
  wake: z.strictObject({
    wakeId: z.string(),
    state: z.enum(wakeStates),
    reason: z.string().optional(),
    /** What it says, shortened; with its first step only. */
    message: z.string().optional(),
    /** The session that sent it. */
    from: z.string().optional(),
    dueAt: z.string().optional(),
    /** How long after its time it was delivered, ms; absent where it was on time. */
    lateMs: z.int().optional(),
    runId: z.string().optional(),
  }),
  /** What the harness does from now on, whenever that changes while it lives. */
  activity,
  /** What was launched for a run. */
  metadata: z.strictObject({
    harness: z.string(),
    path: z.string(),
    version: z.string().nullable(),
    launchMode: z.string(),
    permission: z.string().nullable(),
    cwd: z.string(),
    model: z.string().nullable(),
    pid: z.int(),
  }),
  /** The harness's own id for its conversation, as soon as it is known. */
  conversation: z.strictObject({ harnessSessionId: z.string() }),
  /** Something said in the conversation. `more` marks a text that goes on in the next row. */
  message: z.strictObject({
    role: z.enum(["user", "assistant"]),
    text: z.string(),
    more: z.literal(true).optional(),
  }),
  /** A tool the harness used, once when it starts and once when it ends. */
  tool: z.strictObject({
    toolId: z.string(),
    name: z.string(),
    state: z.enum(["started", "completed", "failed"]),
    input: z.string().optional(),
    output: z.string().optional(),
  }),
  /** How a turn of a structured harness ended. */
  result: z.strictObject({
    outcome: z.enum(["success", "error"]),
    text: z.string().optional(),
    error: z.string().optional(),
    usage: usage.optional(),
    costUsd: z.number().nonnegative().optional(),
    durationMs: z.number().nonnegative().optional(),
    turns: z.int().nonnegative().optional(),
    deniedPermissions: z.array(deniedPermission).optional(),
  }),
} as const;

export type EventKind = keyof typeof eventPayloads;
export type EventPayload<K extends EventKind> = z.output<(typeof eventPayloads)[K]>;

/** What each kind of event carries, as JSON text in its `payload_json`. */
export type EventPayloads = { readonly [K in EventKind]: EventPayload<K> };

/** What a structured harness says, read from its output lines by a parser in `runtime/harness`. */
export type TypedEvent = {
  [K in "conversation" | "message" | "tool" | "result"]: { kind: K; payload: EventPayload<K> };
}["conversation" | "message" | "tool" | "result"];

/** An event's id says its place in the log. */
export const eventId = (seq: number): string => `evt-${seq}`;

/** The place an event's id names; undefined for what is no id of ours. */
export function seqOfEventId(id: string): number | undefined {
  const seq = /^evt-(\d{1,15})$/.exec(id)?.[1];
  return seq === undefined ? undefined : Number(seq);
}

/** A row of the log as every surface shows it (the published daemon's record). */
export interface EventRecord {
  readonly seq: number;
  readonly id: string;
  readonly session_id: string;
  readonly kind: string;
  /** JSON text, as published. */
  readonly payload_json: string;
  /** RFC 3339, UTC. */
  readonly created_at: string;
}

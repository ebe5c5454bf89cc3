import * as z from "zod";
import { Failure } from "../errors.ts";
import type { ListedWake } from "../runtime/wakes.ts";
import { requireDescendant, requireSameProject } from "./authority.ts";
import { capability } from "./capability.ts";
import { duration, moment, msOf, requireToCome } from "./duration.ts";
import { sessionId, wakeRecord } from "./records.ts";

/** Longest message, bytes: as long as a prompt may be. */
const messageBytesMax = 500_000;

const message = z
  .string()
  .refine((text) => text.trim() !== "", "must not be blank")
  .refine((text) => Buffer.byteLength(text) <= messageBytesMax, `must be at most ${messageBytesMax} bytes`);

export const wake = capability({
  name: "wake",
  summary:
    "Gives a session a follow-up: when it is idle, or at a later time; an ended one goes on with its conversation.",
  effect: "write",
  input: z.strictObject({
    session: sessionId.describe("session id"),
    message: message.describe("what it is told"),
    delay: duration.optional().describe("time from now: 30s, 5m, 2h, 1d"),
    at: moment.optional().describe("or a date: 2030-01-31T09:00:00Z"),
    expiresIn: duration.optional().describe("not wanted later than this from now"),
    when: z
      .enum(["idle", "now"])
      .default("idle")
      .describe("idle: after what it does now; now: a live one is told at once"),
    model: z.string().min(1).max(200).optional().describe("model id for the run that it starts"),
    revive: z.boolean().default(false).describe("even if killed or orphaned"),
    handoff: sessionId.optional().describe("session to take over from"),
  }),
  output: wakeRecord.extend({ cursor: z.string() }),
  failures: [
    "session_not_found",
    "session_archived",
    "revive_required",
    "not_resumable",
    "payload_too_large",
    "limit_exceeded",
    "runtime_unavailable",
  ],
  right: "project",
  tool: {
    title: "Wake a session",
    description:
      "Sends a follow-up message to an agent session, or with a delay to yourself (reminder, timer): kept until it is idle, delivered once; an ended one resumes its conversation. Use it to continue earlier work instead of a new run, and with a delay instead of polling. Next: watch with the cursor.",
    core: true,
    get input(): z.ZodObject {
      return wake.input.omit({ model: true, expiresIn: true, handoff: true });
    },
    get output(): z.ZodObject {
      return briefWake.extend({ cursor: z.string() });
    },
  },
  positional: ["session", "message"],
  async run(input, { wakes, sessions, handoffs, reader, caller, intent }) {
    const { identity, env } = caller;
    if (input.delay !== undefined && input.at !== undefined) {
      throw new Failure("invalid_request", "wake: delay and at exclude each other", {
        hint: "Pass one of them.",
      });
    }
    const at = input.at === undefined ? undefined : new Date(input.at);
    if (at !== undefined && intent?.begun === undefined) requireToCome(at, "wake: at");
    const dueAt = at ?? fromNow(input.delay);
    const expiresAt = fromNow(input.expiresIn);
    if (dueAt !== undefined && expiresAt !== undefined && expiresAt <= dueAt) {
      throw new Failure("invalid_request", "wake: it would expire before it is due", {
        hint: "expiresIn counts from now: make it longer than the delay, or leave it out.",
        details: { dueAt: dueAt.toISOString(), expiresAt: expiresAt.toISOString() },
      });
    }
    // Who was killed does not go on because a sibling says so.
    if (input.revive) requireDescendant(identity, input.session, sessions, "revive");
    if (input.handoff !== undefined) requireSameProject(identity, input.handoff, sessions);
    const asked = intent?.begun === undefined ? undefined : wakes.asked(intent.key);
    const done =
      asked ??
      (await wakes.wake(
        {
          session: input.session,
          message: input.message,
          carried:
            input.handoff === undefined ? undefined : await handoffs.carried(input.handoff, input.message),
          dueAt,
          expiresAt,
          urgency: input.when,
          model: input.model,
          revive: input.revive,
        },
        {
          run: identity.kind === "owner" ? undefined : identity.run,
          env,
          intentKey: intent?.key,
          remember: intent?.begin,
        },
      ));
    return {
      ...shownWake({ ...done, hold: wakes.holdNow(done) }),
      cursor: reader.cursorAt(done.asked_seq - 1),
    };
  },
});

/** What a model is shown of a wake that it did something to. */
export const briefWake = wakeRecord.pick({
  wake: true,
  session: true,
  state: true,
  reason: true,
  held: true,
  dueAt: true,
});

const fromNow = (duration: string | undefined): Date | undefined =>
  duration === undefined ? undefined : new Date(Date.now() + msOf(duration));

/** A wake as callers see it; what it says is shortened. */
export const shownWake = (wake: ListedWake): z.input<typeof wakeRecord> => ({
  wake: wake.id,
  session: wake.session_id,
  state: wake.state,
  ...(wake.reason === null ? {} : { reason: wake.reason }),
  ...(wake.hold === undefined ? {} : { held: wake.hold }),
  message: wake.preview,
  when: wake.urgency,
  from: wake.from_session,
  createdAt: wake.created_at,
  dueAt: wake.due_at,
  ...(wake.expires_at === null ? {} : { expiresAt: wake.expires_at }),
  ...(wake.late_ms === null ? {} : { lateMs: wake.late_ms }),
  ...(wake.run_id === null ? {} : { runId: wake.run_id }),
  ...(wake.delivered_at === null ? {} : { deliveredAt: wake.delivered_at }),
});

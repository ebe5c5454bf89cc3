import * as z from "zod";
import { Failure } from "../errors.ts";
import type { ListedWake } from "../runtime/wakes.ts";
import { requireDescendant } from "./authority.ts";
import { capability } from "./capability.ts";
import { duration, moment } from "./duration.ts";
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
    delay: duration.optional().describe("how long from now: 30s, 5m, 2h, 1d"),
    at: moment.optional().describe("when, with zone: 2030-01-31T09:00:00Z"),
    expiresIn: duration.optional().describe("not wanted any more after this long"),
    when: z
      .enum(["idle", "now"])
      .default("idle")
      .describe("idle waits for the end of what it does; now is said to a live one at once"),
    model: z.string().min(1).max(200).optional().describe("for the run that it starts"),
    revive: z.boolean().default(false).describe("even if it was killed or orphaned"),
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
      "Sends a follow-up message to another agent session, or to yourself with a delay (a reminder, a timer): it is kept until the session is idle and then resumes its conversation, once. Next: watch until settled with the cursor.",
    core: true,
  },
  positional: ["session", "message"],
  async run(input, { wakes, sessions, reader, caller, intent }) {
    const { identity, env } = caller;
    if (input.delay !== undefined && input.at !== undefined) {
      throw new Failure("invalid_request", "wake: delay and at exclude each other", {
        hint: "Pass one of them.",
      });
    }
    // Who was killed does not go on because a sibling says so.
    if (input.revive) requireDescendant(identity, input.session, sessions, "revive");
    const asked = intent?.begun === undefined ? undefined : wakes.asked(intent.key);
    const done =
      asked ??
      (await wakes.wake(
        {
          session: input.session,
          message: input.message,
          dueAt: input.at ?? (input.delay === undefined ? undefined : new Date(Date.now() + input.delay)),
          expiresAt: input.expiresIn === undefined ? undefined : new Date(Date.now() + input.expiresIn),
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

import * as z from "zod";
import { capability } from "./capability.ts";
import { sessionId } from "./records.ts";

/** Bytes of a packet, unless told and at most: the former leaves room in an agent's context, the latter is published. */
const usualBytes = 8 * 1024;
const bytesMax = 64 * 1024;
/** Less has no room for a packet whose every text is a few words. */
const bytesMin = 2048;

const endpoint = z.object({
  harness: z.string(),
  runId: z.string().nullable(),
  endedAt: z.int().nullable(),
  hint: z.string().nullable(),
});

const handoffPacket = z.object({
  schema: z.literal("coven.handoff.v1"),
  trigger: z.enum(["user_initiated", "harness_initiated"]),
  from: endpoint,
  to: endpoint,
  taskContext: z.object({
    originalGoal: z.string(),
    constraints: z.array(z.string()).readonly(),
    scopeNotes: z.string(),
  }),
  currentState: z.object({
    lastAction: z.string(),
    loadedContextSummary: z.string(),
    openQuestions: z.array(z.string()).readonly(),
  }),
  filesTouched: z
    .array(z.object({ path: z.string(), changedFileArtifactId: z.string().nullable(), summary: z.string() }))
    .readonly(),
  risks: z
    .array(z.object({ kind: z.string(), detail: z.string(), blockingForNextStep: z.boolean() }))
    .readonly(),
  verification: z.object({
    latestVerdicts: z.array(z.never()).readonly(),
    stale: z.boolean(),
    notes: z.string(),
  }),
  nextAction: z.object({
    instruction: z.string(),
    doNotDo: z.array(z.string()).readonly(),
    expectedOutcome: z.string(),
  }),
  meta: z.object({
    sessionId: z.string(),
    createdAt: z.int(),
    redactionVersion: z.literal(1),
    cursor: z.string(),
  }),
});

export const handoff = capability({
  name: "handoff",
  summary: "What another agent must know to go on with a session's work: a packet, bounded and redacted.",
  effect: "read",
  input: z.strictObject({
    session: sessionId.describe("session id"),
    maxBytes: z.int().min(bytesMin).max(bytesMax).default(usualBytes).describe("bytes of the packet at most"),
  }),
  output: handoffPacket,
  failures: ["session_not_found"],
  right: "project",
  tool: {
    title: "Hand over",
    description: "What to know to go on with a session: goal, state, files, risks",
    get input(): z.ZodObject {
      return handoff.input.pick({ session: true });
    },
    output: z.looseObject({ schema: z.string() }),
  },
  positional: ["session"],
  run: async ({ session, maxBytes }, { handoffs, caller }) =>
    handoffs.packet(session, {
      trigger: caller.identity.kind === "owner" ? "user_initiated" : "harness_initiated",
      bytesMax: maxBytes,
    }),
});

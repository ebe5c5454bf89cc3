import * as z from "zod";
import { Failure } from "../errors.ts";
import { capability } from "./capability.ts";

/** Largest event, bytes of JSON: several times what `coven hook` sends. */
const eventBytesMax = 64 * 1024;
/** Objects and lists in one another, in an event: `coven hook` sends a few. One of thousands could not be written as JSON again. */
const levelsMax = 64;

export const hook = capability({
  name: "hook",
  summary: "What a run's harness tells of itself at its hooks, by coven hook.",
  effect: "write",
  input: z.strictObject({
    harness: z.string().min(1).max(100).describe("which harness calls"),
    event: z
      .record(z.string(), z.unknown())
      .refine(isShallow, `must be at most ${levelsMax} levels deep`)
      .describe("as the harness gave it"),
  }),
  output: z.object({ ok: z.literal(true) }),
  failures: ["not_permitted", "payload_too_large"],
  right: "anyone",
  tool: false,
  async run({ harness, event }, { caller: { identity }, hooks, sessions }) {
    if (identity.kind === "owner") {
      throw new Failure("not_permitted", "hook speaks for a run, and the caller is none", {
        hint: "A session's harness calls it, with the token of its run in COVEN_TOKEN.",
      });
    }
    const bytes = Buffer.byteLength(JSON.stringify(event));
    if (bytes > eventBytesMax) {
      throw new Failure("payload_too_large", `hook: the event has ${bytes} bytes, at most ${eventBytesMax}`, {
        hint: "Leave out what tools were given and answered.",
        details: { bytes, bytesMax: eventBytesMax },
      });
    }
    const own = sessions.get(identity.session).harness;
    if (own !== harness) {
      throw new Failure("invalid_request", `hook: session ${identity.session} runs ${own}, not ${harness}`, {
        hint: "The hooks of another harness inside of a session are not the session's.",
        details: { sessionId: identity.session, harness: own },
      });
    }
    await hooks.hooked(identity.run, event);
    return { ok: true as const };
  },
});

const membersOf = (value: unknown): unknown[] =>
  typeof value === "object" && value !== null ? Object.values(value).map((each: unknown) => each) : [];

/** Level by level: what calls itself for each would end where the event is too deep. */
function isShallow(event: unknown): boolean {
  let level: unknown[] = [event];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > levelsMax) return false;
    level = level.flatMap(membersOf);
  }
  return true;
}

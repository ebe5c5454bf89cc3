import * as z from "zod";
import { Failure } from "../errors.ts";
import { capability } from "./capability.ts";

/** Largest event, bytes of JSON: several times what `coven hook` sends. */
const eventBytesMax = 64 * 1024;

export const hook = capability({
  name: "hook",
  summary: "What a run's harness tells of itself at its hooks, by coven hook.",
  effect: "write",
  input: z.strictObject({
    harness: z.string().min(1).max(100).describe("which harness calls"),
    event: z.record(z.string(), z.unknown()).describe("as the harness gave it"),
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

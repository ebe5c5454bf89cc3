/** `POST /actions`: any action by its name, in the published envelope. */
import type { FastifyInstance } from "fastify";
import * as z from "zod";
import { Failure, failures } from "../errors.ts";
import { wireFailure } from "./failure.ts";
import { jsonBody, untilGone } from "./request.ts";
import type { Services } from "./services.ts";

const envelope = z.object({
  action: z.string(),
  args: z.unknown().optional(),
  origin: z.string().optional(),
  intentId: z.string().optional(),
  /** The environment the caller runs in: what a harness it launches is to see. */
  env: z.record(z.string(), z.string()).optional(),
});
type Envelope = z.output<typeof envelope>;

/** The published kind of the one action it knows; every other is told as done. */
const eventKinds: ReadonlyMap<string, string> = new Map([
  ["coven.capabilities.refresh", "capabilities.refreshed"],
]);

export function addActions(app: FastifyInstance, { invoke, caller }: Services): void {
  app.post("/actions", async (request, reply) => {
    let action = "(unknown)";
    try {
      const body = jsonBody(request);
      action = nameOf(body);
      const { args, origin, intentId, env } = parse(body);
      const { output: payload, replayed } = await invoke(
        action,
        args,
        caller({ signal: untilGone(reply), env, intentId }),
      );
      const event = {
        kind: eventKinds.get(action) ?? `${action}.completed`,
        action,
        origin,
        intentId,
        payload,
      };
      const answered = { ok: true, accepted: true, action, status: "completed", event };
      return replayed ? { ...answered, replayed } : answered;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      const rejection = { ok: false, accepted: false, action, status: "rejected", reason: error.message };
      return reply.code(failures[error.code].http).send({ ...rejection, error: wireFailure(error) });
    }
  });
}

/** As published: `(unknown)` for a body that is no object, empty for a missing or blank name. */
function nameOf(body: unknown): string {
  if (typeof body !== "object" || body === null || Array.isArray(body)) return "(unknown)";
  return "action" in body && typeof body.action === "string" ? body.action.trim() : "";
}

function parse(body: unknown): Envelope {
  const parsed = envelope.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new Failure("invalid_request", `not an action: ${z.prettifyError(parsed.error)}`, {
    hint: 'Send {"action": name, "args": {…}} with origin and intentId as you like.',
  });
}

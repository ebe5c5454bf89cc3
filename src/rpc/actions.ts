/** `POST /actions`: any action by its name, in the published envelope. */
import type { FastifyInstance, FastifyReply } from "fastify";
import * as z from "zod";
import type { Caller } from "../capabilities/capability.ts";
import { Failure, failures, shown } from "../errors.ts";
import type { Log } from "../log.ts";
import { failureOf, wireFailure } from "./failure.ts";
import { jsonBody, tokenOf, untilGone } from "./request.ts";
import type { Services } from "./services.ts";

const envelope = z.object({
  action: z.string(),
  args: z.unknown().optional(),
  /** As published, what is no text, or blank, counts as not sent. */
  origin: z.string().trim().min(1).optional().catch(undefined),
  intentId: z.string().nullish(),
  /** The environment the caller runs in: what a harness it launches is to see. */
  env: z.record(z.string(), z.string()).nullish(),
});
type Envelope = z.output<typeof envelope>;

/** The published kind of the one action it knows; every other is told as done. */
const eventKinds: ReadonlyMap<string, string> = new Map([
  ["coven.capabilities.refresh", "capabilities.refreshed"],
]);

export async function addActions(
  app: FastifyInstance,
  { invoke, identify }: Services,
  log: Log,
): Promise<void> {
  await app.register(async (scope) => {
    // What is refused before the body is read has no name yet, but the same shape.
    scope.setErrorHandler(async (error, request, reply) =>
      reject(reply, "(unknown)", await failureOf(error, request, log)),
    );
    scope.post("/actions", async (request, reply) => {
      let action = "(unknown)";
      try {
        const body = jsonBody(request);
        action = nameOf(body);
        const { args, origin, intentId, env } = parse(body);
        const caller: Caller = {
          identity: identify(tokenOf(request.headers)),
          surface: "http",
          signal: untilGone(reply),
          env: env ?? undefined,
          intentId: intentId ?? undefined,
        };
        const { output: payload, replayed } = await invoke(action, args, caller);
        const kind = eventKinds.get(action) ?? `${action}.completed`;
        // Whoever shows a run's token speaks for its session, whatever it calls itself.
        const from = caller.identity.kind === "run" ? `session:${caller.identity.session}` : origin;
        const event = { kind, action, origin: from, intentId: intentId ?? undefined, payload };
        const answered = { ok: true, accepted: true, action, status: "completed", event };
        return replayed ? { ...answered, replayed } : answered;
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        return reject(reply, action, error);
      }
    });
  });
}

const reject = (reply: FastifyReply, action: string, failure: Failure): FastifyReply =>
  reply.code(failures[failure.code].http).send({
    ok: false,
    accepted: false,
    action: shown(action),
    status: "rejected",
    reason: failure.message,
    error: wireFailure(failure),
  });

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

/** Reading a request: its JSON body, its query, and when its caller is gone. */
import type { FastifyReply, FastifyRequest } from "fastify";
import * as z from "zod";
import { Failure } from "../errors.ts";

const anyObject = z.record(z.string(), z.unknown());

/** The body as a JSON object; without one, an empty object. */
export function jsonObject(request: FastifyRequest): Record<string, unknown> {
  const value = jsonBody(request);
  const object = anyObject.safeParse(value);
  if (object.success) return object.data;
  throw new Failure("invalid_request", "the body is not a JSON object");
}

/** The body as JSON, whatever its content type; undefined when it is empty. Throws `invalid_request`. */
export function jsonBody(request: FastifyRequest): unknown {
  const { body } = request;
  if (!Buffer.isBuffer(body) || body.length === 0) return {};
  try {
    return JSON.parse(body.toString("utf8"));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Failure("invalid_request", `the body is not JSON: ${why}`, { cause });
  }
}

const flatQuery = z.record(z.string(), z.union([z.string(), z.array(z.string())]));

/** The query by name; of a repeated parameter the first counts. */
export function query(request: FastifyRequest): ReadonlyMap<string, string> {
  const entries = Object.entries(flatQuery.parse(request.query));
  return new Map(
    entries.map(([name, value]) => [name, typeof value === "string" ? value : (value[0] ?? "")]),
  );
}

/** A whole number of the query. Throws `invalid_request` with the parameter and its value. */
export function wholeNumber(parameters: ReadonlyMap<string, string>, name: string): number | undefined {
  const value = parameters.get(name);
  if (value === undefined) return undefined;
  if (/^\d{1,15}$/.test(value)) return Number(value);
  throw new Failure("invalid_request", `${name} must be a whole number, not ${value}`, {
    details: { [name]: value },
  });
}

/** What the caller calls that which it wants done; see `capabilities/intents.ts`. */
export function intentOf(request: FastifyRequest): string | undefined {
  const key = request.headers["idempotency-key"];
  return typeof key === "string" ? key : key?.[0];
}

const idParameter = z.object({ id: z.string() });

export function pathId(request: FastifyRequest): string {
  return idParameter.parse(request.params).id;
}

/** Aborted when the caller hangs up before the answer is complete. */
export function untilGone(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  // Every answer ends with a close; only one that comes before its end is told, since an abort costs a stack trace.
  reply.raw.once("close", () => {
    if (!reply.raw.writableFinished) gone.abort();
  });
  return gone.signal;
}

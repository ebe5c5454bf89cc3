/** Reading a request: its JSON body, its query, and when its caller is gone. */
import type { IncomingHttpHeaders } from "node:http";
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

/** Clients send null for what they leave out. */
export const withoutNulls = (object: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null));

/** Clients of other releases say things that are not known here. */
export const knownOnly = (
  object: Readonly<Record<string, unknown>>,
  known: Readonly<Record<string, unknown>>,
): Record<string, unknown> =>
  Object.fromEntries(Object.entries(object).filter(([name]) => Object.hasOwn(known, name)));

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

/** The query by name; of a repeated parameter the first counts. */
export const query = (request: FastifyRequest): ReadonlyMap<string, string> =>
  new Map(parameters(request).reverse());

/** All values of a parameter that may be repeated. */
export const queryAll = (request: FastifyRequest, name: string): string[] =>
  parameters(request).flatMap(([each, value]) => (each === name ? [value] : []));

/** As published, an id in the query is not decoded. */
function parameters({ url }: FastifyRequest): [string, string][] {
  const start = url.indexOf("?");
  const found = start < 0 ? [] : url.slice(start + 1).matchAll(/([^&=]+)=([^&]*)/g);
  return [...found].map(([, name = "", value = ""]) => [name, name === "sessionId" ? value : decoded(value)]);
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value.replaceAll("+", " "));
  } catch {
    return value; // a percent sign that encodes nothing stands for itself
  }
}

/** A whole number of the query, with or without a sign. Throws `invalid_request` with the parameter and its value. */
export function wholeNumber(parameters: ReadonlyMap<string, string>, name: string): number | undefined {
  const value = parameters.get(name);
  if (value === undefined) return undefined;
  const number = /^[ +-]?\d{1,19}$/.test(value) ? Number(value) : NaN;
  // What is no longer exact is beyond the end of any log, and as good as its end.
  if (Math.abs(number) < 2 ** 63) return Math.min(number, Number.MAX_SAFE_INTEGER);
  throw badParameter(parameters, name, "a whole number");
}

/** `true` or `false` of the query, and nothing else. Throws as `wholeNumber` does. */
export function booleanOf(parameters: ReadonlyMap<string, string>, name: string): boolean | undefined {
  const value = parameters.get(name);
  if (value === undefined) return undefined;
  if (value === "true" || value === "false") return value === "true";
  throw badParameter(parameters, name, "true or false");
}

export function badParameter(parameters: ReadonlyMap<string, string>, name: string, wanted: string): Failure {
  const value = parameters.get(name) ?? "";
  return new Failure("invalid_request", `${name} must be ${wanted}, not ${value}`, {
    details: { [name]: value },
  });
}

/** What the caller calls that which it wants done; see `capabilities/intents.ts`. */
export function intentOf(request: FastifyRequest): string | undefined {
  const key = request.headers["idempotency-key"];
  return typeof key === "string" ? key : key?.[0];
}

/** The bearer token that the request shows. Whoever shows anything else is not taken for one who shows nothing. */
export const tokenOf = ({ authorization }: IncomingHttpHeaders): string | undefined =>
  authorization === undefined ? undefined : (/^Bearer +(\S+) *$/i.exec(authorization)?.[1] ?? "");

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

/**
 * The published REST routes. A row names the action and translates; it decides nothing.
 */
import type { FastifyInstance, FastifyRequest } from "fastify";
import * as z from "zod";
import { Failure } from "../errors.ts";
import { pageSizeMax } from "../capabilities/list.ts";
import { launchArguments } from "./launch.ts";
import {
  badParameter,
  booleanOf,
  intentOf,
  jsonObject,
  pathId,
  query,
  untilGone,
  wholeNumber,
  withoutNulls,
} from "./request.ts";
import { rituals } from "./rituals.ts";
import type { Services } from "./services.ts";

export interface Route {
  readonly method: "GET" | "POST" | "DELETE";
  readonly path: string;
  readonly action: string;
  readonly decode: (request: FastifyRequest) => Record<string, unknown>;
  /** The action's output as the published body; as it is, unless said. */
  readonly encode?: (output: unknown, request: FastifyRequest) => unknown;
  readonly status?: number | ((output: unknown) => number);
  /** The session must be live, which is looked at before the body is. */
  readonly live?: true;
}

const nothing = (): Record<string, unknown> => ({});
const bySession = (request: FastifyRequest): Record<string, unknown> => ({ session: pathId(request) });
const body = (request: FastifyRequest): Record<string, unknown> => withoutNulls(jsonObject(request));
const accepted = (): object => ({ ok: true, accepted: true });
const withRefresh = (request: FastifyRequest): Record<string, unknown> => ({
  refresh: query(request).get("refresh") === "1",
});

const page = z.object({ sessions: z.unknown(), nextCursor: z.unknown() });
const registered = z.object({ session: z.unknown(), isNew: z.boolean() });

const routes: readonly Route[] = [
  { method: "GET", path: "/health", action: "health", decode: nothing },
  { method: "GET", path: "/api-version", action: "api_version", decode: nothing },
  { method: "GET", path: "/capabilities", action: "capabilities", decode: nothing },
  {
    method: "GET",
    path: "/capabilities/harnesses",
    action: "harness_capabilities",
    decode: withRefresh,
  },
  {
    method: "GET",
    path: "/capabilities/:id",
    action: "harness_capabilities",
    decode: (request) => ({ harness: pathId(request), ...withRefresh(request) }),
  },
  { method: "POST", path: "/cast", action: "cast", decode: body, status: 202 },
  { method: "GET", path: "/cast-codes", action: "cast_codes", decode: nothing },
  { method: "GET", path: "/sessions", action: "list", decode: listArguments, encode: listBody },
  { method: "POST", path: "/sessions", action: "run", decode: launchArguments, status: 201 },
  {
    method: "POST",
    path: "/sessions/external",
    action: "register",
    decode: body,
    encode: (output) => registered.parse(output).session,
    status: (output) => (registered.parse(output).isNew ? 201 : 200),
  },
  { method: "GET", path: "/sessions/:id", action: "record", decode: bySession },
  { method: "GET", path: "/sessions/:id/log", action: "log", decode: bySession },
  {
    method: "POST",
    path: "/sessions/:id/input",
    action: "input",
    decode: (request) => ({ ...body(request), ...bySession(request) }),
    status: 202,
    live: true,
  },
  {
    method: "POST",
    path: "/sessions/:id/kill",
    action: "kill",
    decode: bySession,
    encode: accepted,
    status: 202,
  },
  {
    method: "POST",
    path: "/sessions/:id/complete",
    action: "complete",
    decode: (request) => ({ ...body(request), ...bySession(request) }),
  },
  {
    method: "GET",
    path: "/sessions/:id/events",
    action: "events",
    decode: (request) => ({ ...pageArguments(request), ...bySession(request) }),
  },
  {
    method: "GET",
    path: "/events",
    action: "events",
    decode: (request) => ({ session: query(request).get("sessionId"), ...pageArguments(request) }),
  },
];

export function addRoutes(app: FastifyInstance, { invoke, caller, data }: Services): void {
  for (const { method, path, action, decode, encode, status = 200, live } of [...routes, ...rituals]) {
    app.route({
      method,
      url: path,
      handler: async (request, reply) => {
        const from = { signal: untilGone(reply), intentId: intentOf(request) };
        if (live) data.requireLive(pathId(request));
        const input = decode(request);
        const { output, replayed } = await invoke(action, input, caller(from));
        if (replayed) reply.header("idempotent-replayed", "true");
        reply.code(typeof status === "number" ? status : status(output));
        return reply.send(encode ? encode(output, request) : output);
      },
      ...(path.startsWith("/sessions/:id") ? { errorHandler: nameSession } : {}),
    });
  }
}

/** As published, a request that is wrong says of which session it was. */
function nameSession(error: unknown, request: FastifyRequest): never {
  if (!(error instanceof Failure) || error.code !== "invalid_request") throw error;
  const { message, hint, details } = error;
  throw new Failure("invalid_request", message, {
    ...(hint === undefined ? {} : { hint }),
    details: { sessionId: pathId(request), ...details },
  });
}

/** As published, a limit out of range is brought into it. */
function pageArguments(request: FastifyRequest): Record<string, unknown> {
  const parameters = query(request);
  const limit = wholeNumber(parameters, "limit");
  const afterSeq = wholeNumber(parameters, "afterSeq");
  const afterEventId = parameters.get("afterEventId");
  return {
    ...(afterSeq === undefined ? {} : { afterSeq: Math.max(afterSeq, 0) }),
    ...(afterEventId === undefined ? {} : { afterEventId }),
    ...(limit === undefined ? {} : { limit: Math.min(Math.max(limit, 1), 1000) }),
  };
}

const listParameters = ["limit", "cursor", "includeArchived"];

function listArguments(request: FastifyRequest): Record<string, unknown> {
  const parameters = query(request);
  if (!isPaged(request)) return { limit: pageSizeMax };
  const limit = wholeNumber(parameters, "limit");
  const includeArchived = booleanOf(parameters, "includeArchived");
  const cursor = parameters.get("cursor");
  if (limit !== undefined && (limit < 1 || limit > pageSizeMax))
    throw badParameter(parameters, "limit", `from 1 to ${pageSizeMax}`);
  return {
    ...(limit === undefined ? {} : { limit }),
    ...(cursor === undefined ? {} : { cursor }),
    ...(includeArchived === undefined ? {} : { includeArchived }),
  };
}

const isPaged = (request: FastifyRequest): boolean => listParameters.some((name) => query(request).has(name));

/** As published: a bare array unless a page was asked for, and `next_cursor` in snake case. */
function listBody(output: unknown, request: FastifyRequest): unknown {
  const { sessions, nextCursor } = page.parse(output);
  return isPaged(request) ? { sessions, next_cursor: nextCursor } : sessions;
}

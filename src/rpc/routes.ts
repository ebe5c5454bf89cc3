/**
 * The published REST routes. A row names the action and translates; it decides nothing.
 */
import type { FastifyInstance, FastifyRequest } from "fastify";
import * as z from "zod";
import { sessionRecord } from "../capabilities/records.ts";
import { jsonObject, pathId, query, untilGone, wholeNumber } from "./request.ts";
import { rituals } from "./rituals.ts";
import type { Services } from "./services.ts";

export interface Route {
  readonly method: "GET" | "POST" | "DELETE";
  readonly path: string;
  readonly action: string;
  readonly decode: (request: FastifyRequest) => Record<string, unknown>;
  /** The action's output as the published body; as it is, unless said. */
  readonly encode?: (output: unknown, request: FastifyRequest) => unknown;
  readonly status?: number;
  /** What it takes in its query or body, where that is not what the action takes; and its body, where it is encoded. */
  readonly takes?: z.ZodObject;
  readonly answer?: z.ZodType;
}

const bySession = (request: FastifyRequest): Record<string, unknown> => ({ session: pathId(request) });
const accepted = (): object => ({ ok: true, accepted: true });

const nothing = z.object({});
const pageSize = z.int().min(1).max(1000).optional();
const pageQuery = z.object({ afterSeq: z.int().min(0).optional(), limit: pageSize });
const listQuery = z.object({
  limit: pageSize,
  cursor: z.string().optional(),
  includeArchived: z.boolean().optional(),
});
const listAnswer = z
  .union([
    z.array(sessionRecord),
    z.object({ sessions: z.array(sessionRecord), next_cursor: z.string().nullable() }),
  ])
  .describe("a page if one was asked for");
const acceptedAnswer = z.object({ ok: z.literal(true), accepted: z.literal(true) });

export const routes: readonly Route[] = [
  { method: "GET", path: "/health", action: "health", decode: () => ({}) },
  { method: "GET", path: "/capabilities", action: "capabilities", decode: () => ({}) },
  {
    method: "GET",
    path: "/sessions",
    action: "list",
    decode: listArguments,
    encode: listBody,
    takes: listQuery,
    answer: listAnswer,
  },
  { method: "POST", path: "/sessions", action: "run", decode: launchArguments, status: 201 },
  { method: "GET", path: "/sessions/:id", action: "record", decode: bySession },
  {
    method: "POST",
    path: "/sessions/:id/input",
    action: "input",
    decode: (request) => ({ ...jsonObject(request), ...bySession(request) }),
    status: 202,
  },
  {
    method: "POST",
    path: "/sessions/:id/kill",
    action: "kill",
    decode: bySession,
    encode: accepted,
    status: 202,
    takes: nothing,
    answer: acceptedAnswer,
  },
  {
    method: "GET",
    path: "/sessions/:id/events",
    action: "events",
    decode: (request) => ({ ...pageArguments(request), ...bySession(request) }),
    takes: pageQuery,
  },
  {
    method: "GET",
    path: "/events",
    action: "events",
    decode: (request) => ({ session: query(request).get("sessionId"), ...pageArguments(request) }),
    takes: pageQuery.extend({ sessionId: z.string() }),
  },
];

export function addRoutes(app: FastifyInstance, { invoke, caller }: Services): void {
  for (const { method, path, action, decode, encode, status = 200 } of [...routes, ...rituals]) {
    app.route({
      method,
      url: path,
      handler: async (request, reply) => {
        const output = await invoke(action, decode(request), caller(untilGone(reply), undefined));
        return reply.code(status).send(encode ? encode(output, request) : output);
      },
    });
  }
}

/** The published default is a terminal; our action's own is a lane that ends by itself. */
function launchArguments(request: FastifyRequest): Record<string, unknown> {
  return { launchMode: "interactive", ...jsonObject(request) };
}

/** As published, a limit out of range is brought into it. */
function pageArguments(request: FastifyRequest): Record<string, unknown> {
  const parameters = query(request);
  const limit = wholeNumber(parameters, "limit");
  return {
    afterSeq: wholeNumber(parameters, "afterSeq") ?? 0,
    ...(limit === undefined ? {} : { limit: Math.min(Math.max(limit, 1), 1000) }),
  };
}

const listParameters = ["limit", "cursor", "includeArchived"];

function listArguments(request: FastifyRequest): Record<string, unknown> {
  const parameters = query(request);
  if (!isPaged(request)) return { limit: 1000 };
  const includeArchived = parameters.get("includeArchived");
  const cursor = parameters.get("cursor");
  return {
    ...(parameters.has("limit") ? { limit: wholeNumber(parameters, "limit") } : {}),
    ...(cursor === undefined ? {} : { cursor }),
    ...(includeArchived === undefined ? {} : { includeArchived: booleanOf(includeArchived) }),
  };
}

/** Anything else is left as it is, for the action to refuse. */
const booleanOf = (value: string): boolean | string =>
  value === "true" ? true : value === "false" ? false : value;

const isPaged = (request: FastifyRequest): boolean => listParameters.some((name) => query(request).has(name));

/** As published: a bare array unless a page was asked for, and `next_cursor` in snake case. */
function listBody(output: unknown, request: FastifyRequest): unknown {
  if (typeof output !== "object" || output === null || !("sessions" in output)) return output;
  if (!isPaged(request)) return output.sessions;
  return { sessions: output.sessions, next_cursor: "nextCursor" in output ? output.nextCursor : null };
}

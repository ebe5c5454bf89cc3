/** Pages as the published daemon has them: of sessions by an opaque cursor, of events by the place in the log. */
import type { FastifyRequest } from "fastify";
import * as z from "zod";
import { pageSizeMax } from "../capabilities/list.ts";
import { sessionRecord } from "../capabilities/records.ts";
import { badParameter, booleanOf, query, wholeNumber } from "./request.ts";

/** Most events on a page, as published. */
const eventsMax = 1000;

export const eventsQuery = z.object({
  afterSeq: z.int().optional(),
  afterEventId: z.string().optional().describe("the same by the id of an event; afterSeq counts before it"),
  limit: z.int().optional().describe(`brought into 1 to ${eventsMax}`),
});

export function eventsArguments(request: FastifyRequest): Record<string, unknown> {
  const parameters = query(request);
  const limit = wholeNumber(parameters, "limit");
  const afterSeq = wholeNumber(parameters, "afterSeq");
  const afterEventId = parameters.get("afterEventId");
  return {
    ...(afterSeq === undefined ? {} : { afterSeq: Math.max(afterSeq, 0) }),
    ...(afterEventId === undefined ? {} : { afterEventId }),
    ...(limit === undefined ? {} : { limit: Math.min(Math.max(limit, 1), eventsMax) }),
  };
}

export const sessionsQuery = z.object({
  limit: z.int().min(1).max(pageSizeMax).optional(),
  cursor: z.string().optional(),
  includeArchived: z.boolean().optional(),
});

export function sessionsArguments(request: FastifyRequest): Record<string, unknown> {
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

const isPaged = (request: FastifyRequest): boolean =>
  Object.keys(sessionsQuery.shape).some((name) => query(request).has(name));

const page = z.object({ sessions: z.unknown(), nextCursor: z.unknown() });

export const sessionsAnswer = z
  .union([
    z.array(sessionRecord),
    z.object({ sessions: z.array(sessionRecord), next_cursor: z.string().nullable() }),
  ])
  .describe("a page if any of the parameters was given");

/** As published: a bare array unless a page was asked for, and `next_cursor` in snake case. */
export function sessionsBody(output: unknown, request: FastifyRequest): unknown {
  const { sessions, nextCursor } = page.parse(output);
  return isPaged(request) ? { sessions, next_cursor: nextCursor } : sessions;
}

/** The routes of the published daemon. */
import type { FastifyRequest } from "fastify";
import * as z from "zod";
import { cast } from "../capabilities/cast.ts";
import { complete } from "../capabilities/complete.ts";
import { events } from "../capabilities/events.ts";
import { input } from "../capabilities/input.ts";
import { checkedInput } from "../capabilities/invoke.ts";
import { sessionRecord } from "../capabilities/records.ts";
import { register } from "../capabilities/register.ts";
import { Failure } from "../errors.ts";
import { familiarsAnswer, familiarsBody } from "./familiars.ts";
import { launchArguments, launchBody } from "./launch.ts";
import {
  eventsArguments,
  eventsQuery,
  sessionsAnswer,
  sessionsArguments,
  sessionsBody,
  sessionsQuery,
} from "./paging.ts";
import { jsonObject, knownOnly, pathId, query, withoutNulls } from "./request.ts";
import { type Route, bySession } from "./route.ts";
import type { DataPlane } from "./services.ts";

const nothing = z.object({});
const none = (): Record<string, unknown> => ({});
/** As published, members that the route does not know are left alone. */
const bodyOf =
  ({ shape }: z.ZodObject) =>
  (request: FastifyRequest): Record<string, unknown> =>
    knownOnly(withoutNulls(jsonObject(request)), shape);
const bodyOfSession =
  (schema: z.ZodObject) =>
  (request: FastifyRequest): Record<string, unknown> => ({
    ...bodyOf(schema)(request),
    ...bySession(request),
  });

const acceptedAnswer = z.object({ ok: z.literal(true), accepted: z.literal(true) });
const accepted = (): object => ({ ok: true, accepted: true });

const refreshQuery = z.object({ refresh: z.literal("1").optional() });
const withRefresh = (request: FastifyRequest): Record<string, unknown> => ({
  refresh: query(request).get("refresh") === "1",
});

function eventsPage(from: Record<string, unknown>, data: DataPlane): Buffer {
  const { session, ...place } = checkedInput(events, from);
  data.requireSession(session);
  return data.eventsPage(session, place);
}

/** As published, a text is only kept, and every one is; on demand its codes are done as well. */
const castBody = cast.input.omit({ store: true }).extend({
  execute: z.boolean().default(false).describe("also do what its codes say"),
});

function castArguments(request: FastifyRequest): Record<string, unknown> {
  const { execute, ...given } = bodyOf(castBody)(request);
  if (execute === true) return { ...given, store: "also" };
  if (execute === undefined || execute === false)
    return { ...knownOnly(given, { code: 0, target: 0 }), store: "only" };
  throw new Failure("invalid_request", "execute must be true or false", { details: { execute } });
}

const registered = z.object({ session: z.unknown(), isNew: z.boolean() });

export const routes: readonly Route[] = [
  { method: "GET", path: "/health", action: "health", decode: none },
  { method: "GET", path: "/api-version", action: "api_version", decode: none },
  { method: "GET", path: "/capabilities", action: "capabilities", decode: none },
  {
    method: "GET",
    path: "/capabilities/harnesses",
    action: "harness_capabilities",
    decode: withRefresh,
    takes: refreshQuery,
  },
  {
    method: "GET",
    path: "/capabilities/:id",
    action: "harness_capabilities",
    decode: (request) => ({ harness: pathId(request), ...withRefresh(request) }),
    takes: refreshQuery,
  },
  { method: "POST", path: "/cast", action: "cast", decode: castArguments, takes: castBody, status: 202 },
  { method: "GET", path: "/cast-codes", action: "cast_codes", decode: none },
  {
    method: "GET",
    path: "/familiars",
    action: "familiars",
    decode: none,
    encode: familiarsBody,
    answer: familiarsAnswer,
  },
  {
    method: "GET",
    path: "/sessions",
    action: "list",
    decode: sessionsArguments,
    encode: sessionsBody,
    takes: sessionsQuery,
    answer: sessionsAnswer,
  },
  {
    method: "POST",
    path: "/sessions",
    action: "run",
    decode: launchArguments,
    status: 201,
    takes: launchBody,
  },
  {
    method: "POST",
    path: "/sessions/external",
    action: "register",
    decode: bodyOf(register.input),
    encode: (output) => registered.parse(output).session,
    status: 201,
    isKnown: (output) => !registered.parse(output).isNew,
    answer: sessionRecord,
  },
  { method: "GET", path: "/sessions/:id", action: "record", decode: bySession },
  { method: "GET", path: "/sessions/:id/log", action: "log", decode: bySession },
  {
    method: "POST",
    path: "/sessions/:id/input",
    action: "input",
    decode: bodyOfSession(input.input),
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
    takes: nothing,
    answer: acceptedAnswer,
  },
  {
    method: "POST",
    path: "/sessions/:id/complete",
    action: "complete",
    decode: bodyOfSession(complete.input),
  },
  {
    method: "GET",
    path: "/sessions/:id/events",
    action: "events",
    decode: (request) => ({ ...eventsArguments(request), ...bySession(request) }),
    takes: eventsQuery,
    direct: eventsPage,
  },
  {
    method: "GET",
    path: "/events",
    action: "events",
    decode: (request) => ({ session: query(request).get("sessionId"), ...eventsArguments(request) }),
    takes: eventsQuery.extend({ sessionId: z.string().optional().describe("needed for a page") }),
    direct: eventsPage,
  },
];

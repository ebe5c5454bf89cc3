/** The routes of the published daemon. */
import type { FastifyRequest } from "fastify";
import * as z from "zod";
import { events } from "../capabilities/events.ts";
import { checkedInput } from "../capabilities/invoke.ts";
import { sessionRecord } from "../capabilities/records.ts";
import { launchArguments, launchBody } from "./launch.ts";
import {
  eventsArguments,
  eventsQuery,
  sessionsAnswer,
  sessionsArguments,
  sessionsBody,
  sessionsQuery,
} from "./paging.ts";
import { jsonObject, pathId, query, withoutNulls } from "./request.ts";
import { type Route, bySession } from "./route.ts";
import type { DataPlane } from "./services.ts";

const nothing = z.object({});
const none = (): Record<string, unknown> => ({});
const body = (request: FastifyRequest): Record<string, unknown> => withoutNulls(jsonObject(request));
const bodyOfSession = (request: FastifyRequest): Record<string, unknown> => ({
  ...body(request),
  ...bySession(request),
});

const acceptedAnswer = z.object({ ok: z.literal(true), accepted: z.literal(true) });
const accepted = (): object => ({ ok: true, accepted: true });

const refreshQuery = z.object({ refresh: z.literal("1").optional() });
const withRefresh = (request: FastifyRequest): Record<string, unknown> => ({
  refresh: query(request).get("refresh") === "1",
});

function eventsPage(input: Record<string, unknown>, data: DataPlane): Buffer {
  const { session, ...from } = checkedInput(events, input);
  data.requireSession(session);
  return data.eventsPage(session, from);
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
  { method: "POST", path: "/cast", action: "cast", decode: body, status: 202 },
  { method: "GET", path: "/cast-codes", action: "cast_codes", decode: none },
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
    decode: body,
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
    decode: bodyOfSession,
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
  { method: "POST", path: "/sessions/:id/complete", action: "complete", decode: bodyOfSession },
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
    takes: eventsQuery.extend({ sessionId: z.string() }),
    direct: eventsPage,
  },
];

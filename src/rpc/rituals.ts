/**
 * Routes that the published daemon does not have: waiting for one session, its follow-ups, its changes, handing it
 * over, and the rituals.
 * A sacrifice is confirmed in the query (`?confirm=true`) or in the body, since not every client sends a body with DELETE.
 */
import type { FastifyRequest } from "fastify";
import * as z from "zod";
import { booleanOf, jsonObject, pathId, query, wholeNumber, withoutNulls } from "./request.ts";
import { type Route, bySession } from "./route.ts";

export const rituals: readonly Route[] = [
  { method: "GET", path: "/sessions/:id/wait", action: "watch", decode: waitArguments },
  { method: "POST", path: "/sessions/:id/wakes", action: "wake", decode: bodyOfSession, status: 201 },
  { method: "GET", path: "/sessions/:id/wakes", action: "wakes", decode: wakesArguments },
  {
    method: "DELETE",
    path: "/sessions/:id/wakes/:wake",
    action: "unwake",
    decode: (request) => ({ ...bySession(request), ...wakeInPath.parse(request.params) }),
    takes: z.object({}),
  },
  { method: "GET", path: "/sessions/:id/changes", action: "changes", decode: changesArguments },
  { method: "GET", path: "/sessions/:id/handoff", action: "handoff", decode: handoffArguments },
  { method: "POST", path: "/sessions/:id/answer", action: "answer", decode: bodyOfSession },
  { method: "POST", path: "/sessions/:id/archive", action: "archive", decode: ofSession },
  { method: "POST", path: "/sessions/:id/summon", action: "summon", decode: ofSession },
  { method: "DELETE", path: "/sessions/:id", action: "sacrifice", decode: sacrificeArguments },
];

function ofSession(request: FastifyRequest): Record<string, unknown> {
  return { ...jsonObject(request), ...bySession(request) };
}

/** The watch of one session; what is no number is left for the action to refuse. */
function waitArguments(request: FastifyRequest): Record<string, unknown> {
  const parameters = query(request);
  const count = parameters.get("count");
  const timeoutMs = wholeNumber(parameters, "timeoutMs");
  return {
    ...Object.fromEntries(parameters),
    sessions: [pathId(request)],
    ...(count !== undefined && /^\d{1,9}$/.test(count) ? { count: Number(count) } : {}),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
}

function bodyOfSession(request: FastifyRequest): Record<string, unknown> {
  return { ...withoutNulls(jsonObject(request)), ...bySession(request) };
}

function wakesArguments(request: FastifyRequest): Record<string, unknown> {
  const parameters = query(request);
  const all = booleanOf(parameters, "all");
  const limit = wholeNumber(parameters, "limit");
  return {
    ...Object.fromEntries(parameters),
    ...bySession(request),
    ...(all === undefined ? {} : { all }),
    ...(limit === undefined ? {} : { limit }),
  };
}

function handoffArguments(request: FastifyRequest): Record<string, unknown> {
  const parameters = query(request);
  const maxBytes = wholeNumber(parameters, "maxBytes");
  return {
    ...Object.fromEntries(parameters),
    ...bySession(request),
    ...(maxBytes === undefined ? {} : { maxBytes }),
  };
}

const wakeInPath = z.object({ wake: z.string() });

function sacrificeArguments(request: FastifyRequest): Record<string, unknown> {
  const parameters = query(request);
  const given = ["confirm", "force"].flatMap((name): [string, unknown][] => {
    const value = parameters.get(name);
    return value === undefined ? [] : [[name, value === "true" ? true : value === "false" ? false : value]];
  });
  return { ...ofSession(request), ...Object.fromEntries<unknown>(given) };
}

function changesArguments(request: FastifyRequest): Record<string, unknown> {
  const parameters = query(request);
  const numbers = ["run", "maxBytes"].flatMap((name): [string, unknown][] => {
    const value = wholeNumber(parameters, name);
    return value === undefined ? [] : [[name, value]];
  });
  return {
    ...Object.fromEntries(parameters),
    ...bySession(request),
    ...Object.fromEntries<unknown>(numbers),
  };
}

/**
 * Routes that the published daemon does not have: waiting for one session, and the rituals. A sacrifice is confirmed in
 * the query (`?confirm=true`) or in the body, since not every client sends a body with DELETE.
 */
import type { FastifyRequest } from "fastify";
import { jsonObject, pathId, query, wholeNumber } from "./request.ts";
import { type Route, bySession } from "./route.ts";

export const rituals: readonly Route[] = [
  { method: "GET", path: "/sessions/:id/wait", action: "watch", decode: waitArguments },
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

function sacrificeArguments(request: FastifyRequest): Record<string, unknown> {
  const confirm = query(request).get("confirm");
  return {
    ...ofSession(request),
    ...(confirm === undefined
      ? {}
      : { confirm: confirm === "true" ? true : confirm === "false" ? false : confirm }),
  };
}

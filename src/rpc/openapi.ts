/**
 * The OpenAPI document of the socket, made from the table of actions and the table of routes: it says nothing that is
 * not written there, except of the few routes that are no action (streams, the terminal, the daemon's own end).
 *
 * It is kept in the repository (`npm run generate`), and served as it was built.
 */
import type { FastifyInstance } from "fastify";
import * as z from "zod";
import type { Capability } from "../capabilities/capability.ts";
import { capabilities } from "../capabilities/registry.ts";
import {
  type Schema,
  answer,
  componentSchemas,
  pathParameters,
  ref,
  refusals,
  refusalsOfWrites,
  schemaOf,
} from "./openapi-schemas.ts";
import { otherRoutes } from "./openapi-streams.ts";
import { rituals } from "./rituals.ts";
import type { Route } from "./route.ts";
import { routes } from "./routes.ts";

type Operation = Record<string, unknown>;

export function addOpenApi(app: FastifyInstance): void {
  let document: object | undefined;
  app.get("/openapi.json", async () => (document ??= openApiDocument()));
}

export function openApiDocument(): object {
  const paths: Record<string, Record<string, Operation>> = {};
  const add = (path: string, method: string, operation: Operation): void => {
    paths[path] = { ...paths[path], [method.toLowerCase()]: operation };
  };
  for (const route of [...routes, ...rituals]) add(templateOf(route.path), route.method, operationOf(route));
  for (const { method, path, ...operation } of otherRoutes) {
    const known = paths[path]?.[method];
    add(path, method, known === undefined ? { ...operation } : alsoAsStream(known, operation));
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Coven",
      version: "coven.daemon.v1",
      description:
        "Coding agents, run, watched, fed and ended: HTTP/1.1 over the Unix socket `$COVEN_HOME/coven.sock`.",
    },
    servers: [
      { url: "http://coven/api/v1" },
      { url: "http://coven", description: "The same routes, without their prefix." },
    ],
    paths,
    components: { schemas: componentSchemas() },
  };
}

function operationOf(route: Route): Operation {
  const action = capabilities.get(route.action);
  if (action === undefined) throw new Error(`${route.method} ${route.path} names no action: ${route.action}`);
  const { summary, failures: codes } = action;
  const input = inputOf(route, action);
  const isInQuery = route.method !== "POST";
  const takesBody = !isInQuery || route.method === "DELETE";
  const { status = 200, isKnown } = route;
  const answered = answer(
    route.answer === undefined
      ? route.encode
        ? {}
        : ref(`${action.name}.output`)
      : schemaOf(route.answer, "output"),
  );
  return {
    operationId: operationId(route.method, route.path),
    summary,
    "x-action": action.name,
    parameters: [
      ...pathParameters(route.path),
      ...(isInQuery ? queryParameters(input) : []),
      ...(action.effect === "read" ? [] : [idempotencyKey]),
    ],
    ...(takesBody ? bodyOf(input) : {}),
    responses: {
      [status]: answered,
      ...(isKnown ? { 200: answered } : {}),
      ...refusals([
        ...codes,
        ...(action.effect === "read" ? [] : refusalsOfWrites),
        ...(takesBody ? bodyTooLarge : []),
      ]),
    },
  };
}

const bodyTooLarge = ["payload_too_large"] as const;

const idempotencyKey = {
  name: "Idempotency-Key",
  in: "header",
  required: false,
  description:
    "Done once, however often it is asked under this key within a day; an answer to a repetition has the header Idempotent-Replayed.",
  schema: { type: "string", minLength: 1, maxLength: 256 },
};

/** What the route takes beside its path: as the row says, else what the action takes. */
function inputOf({ path, takes }: Route, { input }: Capability): Schema {
  const schema = schemaOf(takes ?? input, "input");
  if (takes !== undefined || !path.includes("/:")) return schema;
  const fromPath = new Set(["session", "sessions"]);
  const { properties, required } = objectShape.parse(schema);
  return {
    ...schema,
    properties: Object.fromEntries(Object.entries(properties).filter(([name]) => !fromPath.has(name))),
    required: required.filter((name) => !fromPath.has(name)),
  };
}

const objectShape = z.object({
  properties: z.record(z.string(), z.record(z.string(), z.unknown())).default({}),
  required: z.array(z.string()).default([]),
});

function queryParameters(input: Schema): object[] {
  const { properties, required } = objectShape.parse(input);
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: "query",
    required: required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema,
  }));
}

function bodyOf(input: Schema): object {
  const { properties, required } = objectShape.parse(input);
  if (Object.keys(properties).length === 0) return {};
  return {
    requestBody: { required: required.length > 0, content: { "application/json": { schema: input } } },
  };
}

/** One path, two answers: a page for those who ask for nothing else, a stream for those who accept one. */
function alsoAsStream(known: Operation, stream: Operation): Operation {
  const { parameters: named = [], responses } = operationParts.parse(known);
  const added = operationParts.parse(stream);
  const names = new Set(added.parameters?.map(({ name }) => name));
  const content = { ...responses[200]?.content, ...added.responses[200]?.content };
  return {
    ...known,
    description: stream["description"],
    parameters: [...named.filter(({ name }) => !names.has(name)), ...(added.parameters ?? [])],
    responses: { ...responses, 200: { description: added.responses[200]?.description, content } },
  };
}

const operationParts = z.object({
  parameters: z.array(z.looseObject({ name: z.string() })).optional(),
  responses: z.record(
    z.string(),
    z.object({ description: z.string(), content: z.record(z.string(), z.unknown()).optional() }),
  ),
});

const templateOf = (path: string): string => path.replace(/:(\w+)/g, "{$1}");

const operationId = (method: string, path: string): string =>
  `${method.toLowerCase()}${path.replace(/[/:.-]+/g, "_")}`;

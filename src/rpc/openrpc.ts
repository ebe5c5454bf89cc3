/**
 * The OpenRPC document of the JSON-RPC surface, made from the table of actions and that of the connection's own methods,
 * when it is first asked for. Answered by `rpc.discover` and at `/openrpc.json`.
 */
import type { FastifyInstance } from "fastify";
import * as z from "zod";
import type { Capability } from "../capabilities/capability.ts";
import { eventRecord } from "../capabilities/records.ts";
import { capabilities } from "../capabilities/registry.ts";
import type { FailureCode } from "../errors.ts";
import { besideArguments } from "./json-rpc/arguments.ts";
import { errorNumber } from "./json-rpc/error.ts";
import { type OwnMethod, ownMethods } from "./json-rpc/own-methods.ts";
import { refusalsOfWrites } from "./openapi-schemas.ts";

type Schema = Record<string, unknown>;

export function addOpenRpc(app: FastifyInstance): void {
  app.get("/openrpc.json", async () => openRpcDocument());
}

let made: object | undefined;

export const openRpcDocument = (): object => (made ??= document());

const document = (): object => ({
  openrpc: "1.3.2",
  info: {
    title: "Coven",
    version: "coven.daemon.v1",
    description: [
      "Coding agents, run, watched, fed and ended: JSON-RPC 2.0 over the Unix socket `$COVEN_HOME/coven.sock`, as a WebSocket or by POST.",
      "Arguments go by name. Every error has `data.code`, the failure's own name, and may have `data.hint` and `data.details`;",
      "its number is one of the specification, or the HTTP status of the failure. A call that was cancelled is answered with 499, `cancelled`.",
    ].join(" "),
  },
  servers: [
    { name: "WebSocket", url: "ws://coven/api/v1/rpc" },
    { name: "POST", url: "http://coven/api/v1/rpc", description: "Without subscriptions." },
  ],
  methods: [...[...capabilities.values()].map(actionMethod), ...ownMethods.map(ownMethod), discover],
  "x-notifications": notifications(),
});

function actionMethod({ name, summary, effect, input, output, failures: codes }: Capability): object {
  const isRead = effect === "read";
  return {
    name,
    summary,
    paramStructure: "by-name",
    params: [...paramsOf(input), ...(isRead ? [] : paramsOf(besideArguments))],
    result: { name: `${name}.output`, schema: schemaOf(output, "output") },
    errors: errorsOf(isRead ? codes : [...codes, ...refusalsOfWrites]),
    "x-effect": effect,
  };
}

const ownMethod = ({ name, summary, input, output }: OwnMethod): object => ({
  name,
  summary,
  paramStructure: "by-name",
  params: paramsOf(input),
  result: { name: `${name}.output`, schema: schemaOf(output, "output") },
});

const discover = {
  name: "rpc.discover",
  summary: "This document.",
  paramStructure: "by-name",
  params: [],
  result: { name: "OpenRPC document", schema: { type: "object" } },
};

/** OpenRPC knows no calls from the server, so they stand beside its methods. */
const notifications = (): object[] => [
  {
    name: "event",
    summary: "An event of a subscription, in the order of the log.",
    params: paramsOf(z.object({ subscription: z.string(), event: eventRecord })),
  },
  {
    name: "subscription_ended",
    summary: "All sessions of the subscription were sacrificed (gone), or it could not go on (failed).",
    params: paramsOf(
      z.object({
        subscription: z.string(),
        reason: z.enum(["gone", "failed"]),
        error: z.object({ code: z.int(), message: z.string(), data: z.unknown() }).optional(),
      }),
    ),
  },
];

const objectShape = z.object({
  properties: z.record(z.string(), z.record(z.string(), z.unknown())).default({}),
  required: z.array(z.string()).default([]),
});

function paramsOf(input: z.ZodObject): object[] {
  const { properties, required } = objectShape.parse(schemaOf(input, "input"));
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    required: required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema,
  }));
}

/** By number, which must be there once: several failures have one HTTP status. */
function errorsOf(codes: readonly FailureCode[]): object[] {
  const byNumber = new Map<number, FailureCode[]>();
  for (const code of new Set(codes))
    byNumber.set(errorNumber(code), [...(byNumber.get(errorNumber(code)) ?? []), code]);
  return [...byNumber].map(([code, named]) => ({
    code,
    message: named.join(" or "),
    data: { codes: named },
  }));
}

/** In the draft that OpenRPC is written for. */
function schemaOf(schema: z.ZodType, io: "input" | "output"): Schema {
  const entries = Object.entries(z.toJSONSchema(schema, { io, target: "draft-7" }));
  return Object.fromEntries(entries.filter(([name]) => name !== "$schema"));
}

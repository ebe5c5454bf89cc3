/** The parts of the OpenAPI document that its routes refer to: failures, and the input and output of every action. */
import * as z from "zod";
import type { Capability } from "../capabilities/capability.ts";
import { capabilities } from "../capabilities/registry.ts";
import { type FailureCode, failures } from "../errors.ts";

export type Schema = Record<string, unknown>;

export const componentSchemas = (): Record<string, Schema> => ({ ...failureSchemas(), ...actionSchemas() });

export const answer = (schema: Schema): object => ({
  description: "Done.",
  content: { "application/json": { schema } },
});

/** What any action that changes something may meet: another call of the same intent, and a store that takes no writes. */
export const refusalsOfWrites: readonly FailureCode[] = [
  "intent_conflict",
  "store_full",
  "runtime_unavailable",
];

/** Beside what the action can raise, any request may be wrong, and any may meet a bug. */
export function refusals(codes: readonly FailureCode[], schema: Schema = ref("Failure")): object {
  const all = new Set<FailureCode>(["invalid_request", ...codes, "internal_error"]);
  const byStatus = new Map<number, FailureCode[]>();
  for (const code of all)
    byStatus.set(failures[code].http, [...(byStatus.get(failures[code].http) ?? []), code]);
  return Object.fromEntries(
    [...byStatus].map(([status, named]) => [
      status,
      { description: named.join(", "), content: { "application/json": { schema } } },
    ]),
  );
}

export const pathParameters = (path: string): object[] =>
  [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    description: "As it stands in the path: it is not percent-decoded.",
    schema: { type: "string", minLength: 1, maxLength: 256 },
  }));

function failureSchemas(): Record<string, Schema> {
  const error = {
    type: "object",
    required: ["code", "message"],
    properties: {
      code: { enum: Object.keys(failures) },
      message: { type: "string", description: "What happened, with the value that was wrong." },
      details: { type: "object" },
      hint: { type: "string", description: "What to do next." },
    },
  };
  return {
    Failure: { type: "object", required: ["error"], properties: { error } },
    ActionRejected: {
      type: "object",
      required: ["ok", "accepted", "action", "status", "reason", "error"],
      properties: {
        ok: { const: false },
        accepted: { const: false },
        action: { type: "string" },
        status: { const: "rejected" },
        reason: { type: "string" },
        error,
      },
    },
  };
}

function actionSchemas(): Record<string, Schema> {
  const all = [...capabilities.values()];
  return {
    Action: { oneOf: all.map(({ name }) => ref(`${name}.request`)) },
    ActionDone: { oneOf: all.map(({ name }) => ref(`${name}.done`)) },
    ...Object.fromEntries(all.flatMap(schemasOf)),
  };
}

const schemasOf = ({ name, summary, input, output }: Capability): [string, Schema][] => [
  [`${name}.input`, schemaOf(input, "input")],
  [`${name}.output`, schemaOf(output, "output")],
  [
    `${name}.request`,
    {
      type: "object",
      description: summary,
      required: input.safeParse({}).success ? ["action"] : ["action", "args"],
      properties: {
        action: { const: name },
        args: ref(`${name}.input`),
        origin: { type: "string" },
        intentId: { type: "string" },
        env: { type: "object", additionalProperties: { type: "string" } },
      },
    },
  ],
  [
    `${name}.done`,
    {
      type: "object",
      required: ["ok", "accepted", "action", "status", "event"],
      properties: {
        ok: { const: true },
        accepted: { const: true },
        action: { const: name },
        status: { const: "completed" },
        event: {
          type: "object",
          required: ["kind", "action", "payload"],
          properties: {
            kind: { type: "string" },
            action: { const: name },
            origin: { type: "string" },
            intentId: { type: "string" },
            payload: ref(`${name}.output`),
          },
        },
      },
    },
  ],
];

/** A schema as JSON, of what is sent or of what is answered. */
export function schemaOf(schema: z.ZodType, io: "input" | "output"): Schema {
  const entries = Object.entries(z.toJSONSchema(schema, { io }));
  return Object.fromEntries(entries.filter(([name]) => name !== "$schema"));
}

export function ref(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

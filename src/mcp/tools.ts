/**
 * Actions as tools: what is listed of each, what a call's arguments mean, and what it answers. Knows nothing of a
 * protocol library, so that another revision's server can stand beside this one.
 */
import * as z from "zod";
import type { Capability, Tool } from "../capabilities/capability.ts";
import { checkedInput } from "../capabilities/invoke.ts";
import { capabilities } from "../capabilities/registry.ts";
import type { Failure } from "../errors.ts";

type Offered = Capability & { readonly tool: Tool };

const isOffered = (record: Capability): record is Offered => record.tool !== false;

/** By name; what is not in it is no tool. */
export const tools: ReadonlyMap<string, Offered> = new Map(
  [...capabilities.values()].filter(isOffered).map((record) => [record.name, record]),
);

const intentId = z.string().optional();
/** Said where it matters most: there are many tools, and the instructions say it of all. */
const describedIntentId = intentId.describe("done once per id");

/** What a model may give: an action's own arguments or fewer of them, and for one that does something its intent. */
const argumentsOf = ({ tool, input, effect }: Offered): z.ZodObject => {
  const offered = tool.input ?? input;
  if (effect === "read") return offered;
  return offered.extend({ intentId: tool.core === true ? describedIntentId : intentId });
};

const outputOf = ({ tool, output }: Offered): z.ZodType => tool.output ?? output;

/**
 * What clients decide by whether a call needs a person's consent; a hint that is left out is understood as the protocol
 * says, or decides nothing: what reads needs none, what destroys always.
 */
const hints = {
  read: { readOnlyHint: true },
  write: { destructiveHint: false, openWorldHint: false },
  destroy: { destructiveHint: true },
} as const;

export type ToolDefinition = ReturnType<typeof definitionOf>;

function definitionOf(record: Offered) {
  const { name, tool, effect } = record;
  return {
    name,
    title: tool.title,
    description: tool.description,
    inputSchema: schemaOf(argumentsOf(record), "input"),
    outputSchema: schemaOf(outputOf(record), "output"),
    annotations: hints[effect],
    // Claude Code and Codex hide other tools behind a search.
    ...(tool.core === true ? { _meta: { "anthropic/alwaysLoad": true } } : {}),
  };
}

let defined: readonly ToolDefinition[] | undefined;

/** In the order of the table, made when first asked for. */
export const toolDefinitions = (): readonly ToolDefinition[] =>
  (defined ??= [...tools.values()].map(definitionOf));

/** A schema without what costs a model's context and says nothing. Its root is an object, as clients demand. */
function schemaOf(schema: z.ZodType, io: "input" | "output"): { type: "object"; [key: string]: unknown } {
  const json = z.toJSONSchema(schema, {
    io,
    override: ({ jsonSchema, path }) => {
      // Whoever reads an answer can do nothing with the promise that there is no more in it; whoever sends more is told.
      delete jsonSchema.additionalProperties;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      // Nobody means to send an empty text or list, or one that is far too long; whoever does is told.
      delete jsonSchema.minLength;
      delete jsonSchema.maxLength;
      delete jsonSchema.minItems;
      delete jsonSchema.maxItems;
      delete jsonSchema.minimum;
      if (jsonSchema.description === `${String(path.at(-1))} id`) delete jsonSchema.description;
      if (jsonSchema.default === false || isEmptyList(jsonSchema.default)) delete jsonSchema.default;
    },
  });
  // It names the dialect, which is the protocol's own.
  delete json.$schema;
  return { ...json, type: "object" };
}

const isEmptyList = (value: unknown): boolean => Array.isArray(value) && value.length === 0;

export interface ToolCall {
  readonly name: string;
  readonly input: unknown;
  /** The caller's own, where an argument gives it. */
  readonly intentId: string | undefined;
}

/** What a call means, defaults filled in. Throws `invalid_request` naming what is wrong and what is accepted. */
export function decodeCall(record: Offered, given: unknown): ToolCall {
  const asked = checkedInput({ ...record, input: argumentsOf(record) }, given);
  const parsed: Record<string, unknown> = { ...record.tool.usual, ...asked };
  if (record.effect === "read") return { name: record.name, input: parsed, intentId: undefined };
  const { intentId: named, ...input } = parsed;
  return { name: record.name, input, intentId: typeof named === "string" ? named : undefined };
}

/**
 * The client's own id of the call, by which its repetition is known: Claude Code's id of the tool use, or Codex's of
 * the call in its thread. Undefined where it sends none.
 */
export function callIdOf(meta: unknown): string | undefined {
  const { "claudecode/toolUseId": toolUse, callId, threadId } = callMeta.parse(meta);
  if (toolUse !== undefined) return toolUse;
  return callId === undefined ? undefined : [threadId, callId].filter((id) => id !== undefined).join(":");
}

const id = z.string().min(1).optional().catch(undefined);
const callMeta = z.object({ "claudecode/toolUseId": id, callId: id, threadId: id }).catch({});

export interface ToolResult {
  readonly content: { readonly type: "text"; readonly text: string }[];
  readonly structuredContent: Record<string, unknown>;
  readonly isError?: true;
  // The SDK's results are open.
  readonly [key: string]: unknown;
}

const object = z.record(z.string(), z.unknown());

/** What an action answered, as far as a model is shown it. */
export const resultOf = (record: Offered, output: unknown): ToolResult =>
  inBoth(object.parse(record.tool.output === undefined ? output : record.tool.output.parse(output)));

/** The same as structure and as text: clients show a model either the one or the other. */
function inBoth(structuredContent: Record<string, unknown>): ToolResult {
  return { content: [{ type: "text", text: JSON.stringify(structuredContent) }], structuredContent };
}

export const failureResult = ({ code, message, hint, details }: Failure): ToolResult => ({
  ...inBoth({ code, message, ...(hint === undefined ? {} : { hint }), ...(details && { details }) }),
  isError: true,
});

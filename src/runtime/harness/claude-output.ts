/**
 * Claude Code's `--output-format stream-json`: `system/init` names the conversation, `assistant` lines carry one
 * content block each, `user` lines carry tool results (and echoes of what was sent, which are dropped), `result` ends
 * a turn. In mode stream `init` comes again with each turn; it is told when it names another conversation. Measured with 2.1.197: a turn whose every tool was denied exits 0 with `subtype: "success"`; a model error
 * has `subtype: "success"` too, so only `is_error` tells.
 */
import * as z from "zod";
import type { EventPayload, TypedEvent, Usage } from "../../events.ts";
import type { OutputParser } from "./harness.ts";
import { denied, firstDenied, parseObject, resultText, toolInput, toolOutput } from "./output-text.ts";

/** Calls whose end was not seen yet. A turn with more of them at once loses only the names of the oldest. */
const openToolsMax = 1000;

export function createClaudeParser(): OutputParser {
  const openTools = new Map<string, string>();
  let conversation: string | undefined;

  const init = (value: unknown): TypedEvent[] => {
    const harnessSessionId = initLine.safeParse(value).data?.session_id;
    if (harnessSessionId === undefined || harnessSessionId === conversation) return [];
    conversation = harnessSessionId;
    return [{ kind: "conversation", payload: { harnessSessionId } }];
  };

  const started = (id: string, name: string, input: unknown): TypedEvent => {
    openTools.set(id, name);
    for (const oldest of openTools.keys()) {
      if (openTools.size <= openToolsMax) break;
      openTools.delete(oldest);
    }
    return { kind: "tool", payload: { toolId: id, name, state: "started", input: toolInput(input) } };
  };

  const ended = (block: ToolResult): TypedEvent => {
    const name = openTools.get(block.tool_use_id) ?? "unknown";
    openTools.delete(block.tool_use_id);
    const state = block.is_error === true ? "failed" : "completed";
    const output = toolOutput(textOf(block.content));
    return { kind: "tool", payload: { toolId: block.tool_use_id, name, state, output } };
  };

  const assistant = (value: unknown): TypedEvent[] => {
    const line = assistantLine.safeParse(value).data;
    if (line === undefined) return [];
    // A subagent's text is said to the agent, not to the person; an API error comes again as the result.
    const isSaid = line.parent_tool_use_id == null && line.error === undefined;
    return line.message.content.flatMap((value): TypedEvent[] => {
      const block = assistantBlock.safeParse(value).data;
      if (block === undefined) return [];
      if (block.type === "tool_use") return [started(block.id, block.name, block.input)];
      return isSaid && block.text.trim() !== ""
        ? [{ kind: "message", payload: { role: "assistant", text: block.text } }]
        : [];
    });
  };

  const user = (value: unknown): TypedEvent[] =>
    (userLine.safeParse(value).data?.message.content ?? []).flatMap((value) => {
      const block = toolResult.safeParse(value).data;
      return block === undefined ? [] : [ended(block)];
    });

  return {
    line: (text) => {
      const value = parseObject(text);
      switch (value?.["type"]) {
        case "system":
          return init(value);
        case "assistant":
          return assistant(value);
        case "user":
          return user(value);
        case "result":
          return result(value);
        default:
          return [];
      }
    },
    errorLine: () => undefined,
  };
}

const initLine = z.object({ subtype: z.literal("init"), session_id: z.string().min(1) });

const assistantLine = z.object({
  message: z.object({ content: z.array(z.unknown()) }),
  parent_tool_use_id: z.string().nullish(),
  error: z.unknown().optional(),
});

const assistantBlock = z.discriminatedUnion("type", [
  z.object({ type: z.literal("text"), text: z.string() }),
  z.object({ type: z.literal("tool_use"), id: z.string(), name: z.string(), input: z.unknown() }),
]);

const userLine = z.object({ message: z.object({ content: z.array(z.unknown()) }) });

const toolResult = z.object({
  type: z.literal("tool_result"),
  tool_use_id: z.string(),
  is_error: z.boolean().nullish(),
  content: z.union([z.string(), z.array(z.unknown())]).nullish(),
});
type ToolResult = z.output<typeof toolResult>;

const resultLine = z.object({
  subtype: z.string(),
  is_error: z.boolean(),
  result: z.string().optional(),
  errors: z.array(z.string()).optional().catch(undefined),
  duration_ms: z.number().nonnegative().optional().catch(undefined),
  num_turns: z.int().nonnegative().optional().catch(undefined),
  total_cost_usd: z.number().nonnegative().optional().catch(undefined),
  usage: z
    .object({
      input_tokens: z.int().nonnegative(),
      output_tokens: z.int().nonnegative(),
      cache_creation_input_tokens: z.int().nonnegative().nullish(),
      cache_read_input_tokens: z.int().nonnegative().nullish(),
    })
    .optional()
    .catch(undefined),
  permission_denials: z
    .array(z.object({ tool_name: z.string(), tool_input: z.unknown() }))
    .optional()
    .catch(undefined),
});
type ResultLine = z.output<typeof resultLine>;

function result(value: unknown): TypedEvent[] {
  const line = resultLine.safeParse(value).data;
  if (line === undefined) return [];
  const payload: EventPayload<"result"> = {
    ...outcomeOf(line),
    ...(line.usage && { usage: usageOf(line.usage) }),
    ...(line.total_cost_usd !== undefined && { costUsd: line.total_cost_usd }),
    ...(line.duration_ms !== undefined && { durationMs: line.duration_ms }),
    ...(line.num_turns !== undefined && { turns: line.num_turns }),
    ...(line.permission_denials && {
      deniedPermissions: firstDenied(
        line.permission_denials.map(({ tool_name, tool_input }) => denied(tool_name, toolInput(tool_input))),
      ),
    }),
  };
  return [{ kind: "result", payload }];
}

function outcomeOf(line: ResultLine): Pick<EventPayload<"result">, "outcome" | "text" | "error"> {
  if (!line.is_error && line.subtype === "success") {
    return { outcome: "success", ...(line.result !== undefined && { text: resultText(line.result) }) };
  }
  return { outcome: "error", error: resultText(line.result ?? line.errors?.join("\n") ?? line.subtype) };
}

/** Claude counts cached input apart from the rest; here, as with Codex, it is a part of the input. */
function usageOf(usage: NonNullable<ResultLine["usage"]>): Usage {
  const cached = usage.cache_read_input_tokens ?? 0;
  return {
    inputTokens: usage.input_tokens + (usage.cache_creation_input_tokens ?? 0) + cached,
    outputTokens: usage.output_tokens,
    cachedInputTokens: cached,
  };
}

const textBlock = z.object({ type: z.literal("text"), text: z.string() });

function textOf(content: ToolResult["content"]): string {
  if (typeof content === "string") return content;
  return (content ?? []).flatMap((block) => textBlock.safeParse(block).data?.text ?? []).join("\n");
}

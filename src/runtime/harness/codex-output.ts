/**
 * Codex's `exec --json`: `thread.started` names the conversation, `item.started` and `item.completed` tell of messages
 * and tools, `turn.completed` or `turn.failed` ends the one turn of the process. Measured with 0.169.0:
 *
 * - A refusal is told in three ways, and one is silent. An MCP call that needed an approval fails with a fixed message;
 *   a command or patch may be `declined`; what the approval policy refuses before it is tried has no item at all, only
 *   a line on standard error. A command that the sandbox stops at once has neither: the model sees its failure, nobody
 *   else does. Guessing it from words like "Read-only file system" would be wrong as often as right.
 * - `error` items are warnings, and a top-level `error` is repeated by `turn.failed` where it was fatal.
 * - Usage counts the whole thread: after a resume it includes the earlier runs.
 */
import * as z from "zod";
import type { DeniedPermission, EventPayload, TypedEvent, Usage } from "../../events.ts";
import type { OutputParser } from "./harness.ts";
import { denied, firstDenied, parseObject, resultText, toolInput, toolOutput } from "./output-text.ts";

export function createCodexParser(): OutputParser {
  let lastMessage: string | undefined;
  let refusals: DeniedPermission[] = [];

  const item = (value: unknown, isStart: boolean): TypedEvent[] => {
    const found = itemLine.safeParse(value).data?.item;
    if (found === undefined) return [];
    if (found.type === "agent_message") {
      if (isStart || found.text.trim() === "") return [];
      lastMessage = found.text;
      return [{ kind: "message", payload: { role: "assistant", text: found.text } }];
    }
    const tool = toolOf(found);
    if (isStart) {
      const { name, input } = tool;
      return [{ kind: "tool", payload: { toolId: found.id, name, state: "started", input } }];
    }
    if (tool.isDenied) refusals.push(denied(tool.name, tool.input));
    return [{ kind: "tool", payload: endOf(found.id, tool) }];
  };

  const result = (payload: EventPayload<"result">): TypedEvent[] => {
    const deniedPermissions = firstDenied(refusals);
    refusals = [];
    return [
      { kind: "result", payload: { ...payload, ...(deniedPermissions.length > 0 && { deniedPermissions }) } },
    ];
  };

  const completed = (value: unknown): TypedEvent[] => {
    const usage = turnCompleted.safeParse(value).data?.usage;
    const text = lastMessage;
    lastMessage = undefined;
    return result({
      outcome: "success",
      ...(text !== undefined && { text: resultText(text) }),
      ...(usage && { usage: usageOf(usage) }),
    });
  };

  const failed = (value: unknown): TypedEvent[] => {
    const error = turnFailed.safeParse(value).data?.error.message;
    return error === undefined ? [] : result({ outcome: "error", error: resultText(innerMessage(error)) });
  };

  return {
    line: (text) => {
      const value = parseObject(text);
      switch (value?.["type"]) {
        case "thread.started":
          return threadStarted(value);
        case "item.started":
          return item(value, true);
        case "item.completed":
          return item(value, false);
        case "turn.completed":
          return completed(value);
        case "turn.failed":
          return failed(value);
        default:
          return [];
      }
    },
    errorLine: (text) => {
      const refusal = refusalOf(text);
      if (refusal !== undefined) refusals.push(refusal);
    },
  };
}

const threadLine = z.object({ thread_id: z.string().min(1) });

function threadStarted(value: unknown): TypedEvent[] {
  const line = threadLine.safeParse(value).data;
  return line === undefined ? [] : [{ kind: "conversation", payload: { harnessSessionId: line.thread_id } }];
}

const status = z.string().optional();

/** Items of other types (reasoning, plans, warnings) are no part of the conversation. */
const itemLine = z.object({
  item: z.discriminatedUnion("type", [
    z.object({ type: z.literal("agent_message"), id: z.string(), text: z.string() }),
    z.object({
      type: z.literal("command_execution"),
      id: z.string(),
      status,
      command: z.string(),
      aggregated_output: z.string().catch(""),
      exit_code: z.int().nullish(),
    }),
    z.object({
      type: z.literal("file_change"),
      id: z.string(),
      status,
      changes: z.array(z.object({ path: z.string(), kind: z.string() })),
    }),
    z.object({
      type: z.literal("mcp_tool_call"),
      id: z.string(),
      status,
      server: z.string(),
      tool: z.string(),
      arguments: z.unknown(),
      result: z
        .object({ content: z.array(z.unknown()) })
        .nullish()
        .catch(undefined),
      error: z.object({ message: z.string() }).nullish().catch(undefined),
    }),
    z.object({
      type: z.literal("collab_tool_call"),
      id: z.string(),
      status,
      tool: z.string(),
      prompt: z.string().nullish(),
    }),
    z.object({ type: z.literal("web_search"), id: z.string(), query: z.string() }),
  ]),
});
type Item = z.output<typeof itemLine>["item"];
type ToolItem = Exclude<Item, { type: "agent_message" }>;

interface Tool {
  readonly name: string;
  readonly input: string;
  readonly output: string;
  readonly hasFailed: boolean;
  readonly isDenied: boolean;
}

function toolOf(item: ToolItem): Tool {
  switch (item.type) {
    case "command_execution": {
      const { aggregated_output: output, exit_code: code } = item;
      return {
        name: item.type,
        input: toolInput(item.command),
        output: output.trim() === "" && code != null && code !== 0 ? `exit code ${code}` : toolOutput(output),
        ...ending(item.status),
      };
    }
    case "file_change": {
      const changes = item.changes.map(({ kind, path }) => `${kind} ${path}`).join(", ");
      return { name: item.type, input: toolInput(changes), output: "", ...ending(item.status) };
    }
    case "mcp_tool_call": {
      const { hasFailed, isDenied } = ending(item.status);
      return {
        // The name under which the model, and Claude Code too, knows the tool.
        name: `mcp__${item.server}__${item.tool}`,
        input: toolInput(item.arguments),
        output: toolOutput(item.error?.message ?? textOf(item.result?.content ?? [])),
        hasFailed,
        isDenied: isDenied || (item.error != null && mcpRefusal.test(item.error.message)),
      };
    }
    case "collab_tool_call":
      return { name: item.tool, input: toolInput(item.prompt ?? ""), output: "", ...ending(item.status) };
    case "web_search":
      return { name: item.type, input: toolInput(item.query), output: "", ...ending(undefined) };
  }
}

const ending = (status: string | undefined): Pick<Tool, "hasFailed" | "isDenied"> => ({
  hasFailed: status === "failed" || status === "declined",
  isDenied: status === "declined",
});

const mcpRefusal =
  /^(?:MCP tool call (?:requires approval|cancelled)|user (?:rejected|cancelled) MCP tool call)/;

function endOf(toolId: string, { name, input, output, hasFailed }: Tool): EventPayload<"tool"> {
  const state = hasFailed ? "failed" : "completed";
  return { toolId, name, state, input, ...(output !== "" && { output }) };
}

const tokens = z.int().nonnegative();
const turnCompleted = z.object({
  usage: z
    .object({ input_tokens: tokens, output_tokens: tokens, cached_input_tokens: tokens.optional() })
    .optional()
    .catch(undefined),
});

const turnFailed = z.object({ error: z.object({ message: z.string() }) });

function usageOf(usage: NonNullable<z.output<typeof turnCompleted>["usage"]>): Usage {
  const { input_tokens, output_tokens, cached_input_tokens } = usage;
  return {
    inputTokens: input_tokens,
    outputTokens: output_tokens,
    ...(cached_input_tokens !== undefined && { cachedInputTokens: cached_input_tokens }),
  };
}

const providerError = z.object({ error: z.object({ message: z.string() }) });

/** Codex passes a provider's answer on as it is, often JSON inside the message. */
const innerMessage = (message: string): string =>
  providerError.safeParse(parseObject(message)).data?.error.message ?? message;

const textBlock = z.object({ type: z.literal("text"), text: z.string() });

const textOf = (content: readonly unknown[]): string =>
  content.flatMap((block) => textBlock.safeParse(block).data?.text ?? []).join("\n");

const routerError = /codex_core::tools::router: error=(.*)$/s;

/** What the approval policy refused, from Codex's own log line; the wording is that of 0.169.0. */
function refusalOf(line: string): DeniedPermission | undefined {
  const reason = routerError.exec(line)?.[1];
  if (reason === undefined) return undefined;
  if (reason.startsWith("patch rejected")) return denied("apply_patch");
  if (reason.startsWith("approval policy is Never; reject command")) return denied("exec_command");
  if (reason.startsWith("exec command rejected")) return denied("exec_command");
  const command = /Rejected\(\\?"`(.*)` rejected: /s.exec(reason)?.[1];
  return command === undefined ? undefined : denied("exec_command", command);
}

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { eventPayloads, type TypedEvent } from "../../../src/events.ts";
import type { OutputFormat } from "../../../src/runtime/harness/harness.ts";
import { createOutputParser } from "../../../src/runtime/harness/output.ts";
import { conversationId } from "./requests.ts";

const linesOf = (fixture: string): string[] =>
  readFileSync(new URL(`fixtures/${fixture}`, import.meta.url), "utf8")
    .split("\n")
    .filter(Boolean);

function read(format: OutputFormat, fixture: string, errorFixture?: string): TypedEvent[] {
  const parser = createOutputParser(format);
  for (const line of errorFixture === undefined ? [] : linesOf(errorFixture)) parser.errorLine(line);
  return linesOf(fixture).flatMap(parser.line);
}

const resultOf = (events: TypedEvent[]) => events.filter(({ kind }) => kind === "result");

describe("what Claude Code prints", () => {
  it("becomes the conversation, what was said and the result", () => {
    expect(read("claude", "claude-text.jsonl")).toEqual([
      { kind: "conversation", payload: { harnessSessionId: conversationId } },
      { kind: "message", payload: { role: "assistant", text: "Hello from the script." } },
      {
        kind: "result",
        payload: {
          outcome: "success",
          text: "Hello from the script.",
          usage: { inputTokens: 10, outputTokens: 20, cachedInputTokens: 0 },
          costUsd: 0.00055,
          durationMs: 140,
          turns: 1,
          deniedPermissions: [],
        },
      },
    ]);
  });

  it("keeps the conversation id when it resumes", () => {
    expect(read("claude", "claude-resume.jsonl")[0]).toEqual({
      kind: "conversation",
      payload: { harnessSessionId: conversationId },
    });
  });

  it("tells of each tool when it starts and how it ended", () => {
    const events = read("claude", "claude-work.jsonl");
    expect(events.filter(({ kind }) => kind === "tool").map(({ payload }) => payload)).toEqual([
      { toolId: "toolu_mock000001", name: "Write", state: "started", input: "note.txt" },
      {
        toolId: "toolu_mock000001",
        name: "Write",
        state: "completed",
        output:
          "File created successfully at: note.txt (file state is current in your context — no need to Read it back)",
      },
      { toolId: "toolu_mock000003", name: "Edit", state: "started", input: "note.txt" },
      {
        toolId: "toolu_mock000003",
        name: "Edit",
        state: "completed",
        output:
          "The file note.txt has been updated successfully. (file state is current in your context — no need to Read it back)",
      },
      { toolId: "toolu_mock000005", name: "Bash", state: "started", input: "sh ./test.sh" },
      { toolId: "toolu_mock000005", name: "Bash", state: "completed", output: "ran ok" },
      { toolId: "toolu_mock000007", name: "Bash", state: "started", input: "echo bad >&2; exit 3" },
      { toolId: "toolu_mock000007", name: "Bash", state: "failed", output: "Exit code 3\nbad" },
    ]);
  });

  it("names what it was denied, although it calls the turn a success", () => {
    expect(resultOf(read("claude", "claude-denied.jsonl"))).toMatchObject([
      {
        payload: {
          outcome: "success",
          deniedPermissions: [
            { tool: "Write", input: "/home/dev/project/note.txt" },
            { tool: "Bash", input: "sh ./test.sh" },
            { tool: "Bash", input: "echo bad >&2; exit 3" },
          ],
        },
      },
    ]);
  });

  it("ends in an error when the model only errs, and does not say the error twice", () => {
    const events = read("claude", "claude-model-error.jsonl");
    expect(events.map(({ kind }) => kind)).toEqual(["conversation", "result"]);
    expect(events.at(-1)?.payload).toMatchObject({
      outcome: "error",
      error: "API Error: 400 scripted refusal",
    });
  });

  it("ends in an error when the conversation to resume is not known", () => {
    expect(read("claude", "claude-unknown-conversation.jsonl")).toMatchObject([
      {
        kind: "result",
        payload: {
          outcome: "error",
          error: "No conversation found with session ID: 11111111-2222-4333-8444-555555555500",
        },
      },
    ]);
  });

  it("drops echoes of what was sent to it, and what a subagent says to the agent", () => {
    const parser = createOutputParser("claude");
    const user = (content: unknown) => JSON.stringify({ type: "user", message: { role: "user", content } });
    expect(parser.line(user("fix the test"))).toEqual([]);
    expect(parser.line(user([{ type: "text", text: "fix the test" }]))).toEqual([]);
    const text = { content: [{ type: "text", text: "I looked." }] };
    expect(
      parser.line(JSON.stringify({ type: "assistant", message: text, parent_tool_use_id: "t" })),
    ).toEqual([]);
    expect(parser.line(JSON.stringify({ type: "assistant", message: text }))).toHaveLength(1);
  });
});

describe("what Codex prints", () => {
  it("becomes the conversation, what was said and the result", () => {
    expect(read("codex", "codex-text.jsonl")).toEqual([
      { kind: "conversation", payload: { harnessSessionId: "01a1f8ec-b549-7992-9ee7-229f54d7ed6f" } },
      { kind: "message", payload: { role: "assistant", text: "Hello from the script." } },
      {
        kind: "result",
        payload: {
          outcome: "success",
          text: "Hello from the script.",
          usage: { inputTokens: 10, outputTokens: 20, cachedInputTokens: 0 },
        },
      },
    ]);
  });

  it("keeps the conversation id when it resumes", () => {
    const [first] = read("codex", "codex-resume.jsonl");
    expect(first).toEqual(read("codex", "codex-text.jsonl")[0]);
  });

  it("tells of commands and patches when they start and how they ended", () => {
    const events = read("codex", "codex-work.jsonl");
    const command = "/bin/bash -lc 'sleep 0.3; echo before; echo x > /outside/file.txt'";
    expect(events.filter(({ kind }) => kind === "tool").map(({ payload }) => payload)).toEqual([
      { toolId: "item_1", name: "command_execution", state: "started", input: command },
      {
        toolId: "item_1",
        name: "command_execution",
        state: "failed",
        input: command,
        output: "before\n/bin/bash: line 1: /outside/file.txt: Read-only file system",
      },
      { toolId: "item_2", name: "file_change", state: "started", input: "add /home/dev/project/patched.txt" },
      {
        toolId: "item_2",
        name: "file_change",
        state: "completed",
        input: "add /home/dev/project/patched.txt",
      },
      {
        toolId: "item_3",
        name: "file_change",
        state: "started",
        input: "update /home/dev/project/patched.txt",
      },
      {
        toolId: "item_3",
        name: "file_change",
        state: "completed",
        input: "update /home/dev/project/patched.txt",
      },
    ]);
  });

  it("names an MCP call that needed an approval as denied, and one that failed as failed", () => {
    const events = read("codex", "codex-mcp.jsonl");
    expect(events.flatMap(({ kind, payload }) => (kind === "tool" ? [payload] : []))).toMatchObject([
      { name: "mcp__p__look", state: "started", input: '{"a":1}' },
      { name: "mcp__p__look", state: "completed", output: "did look" },
      { name: "mcp__p__wreck", state: "started" },
      {
        name: "mcp__p__wreck",
        state: "failed",
        output: "MCP tool call requires approval, but approval policy is never",
      },
      { name: "mcp__p__fail", state: "started" },
      { name: "mcp__p__fail", state: "failed", output: "did fail" },
    ]);
    expect(resultOf(events)).toMatchObject([
      { payload: { outcome: "success", deniedPermissions: [{ tool: "mcp__p__wreck", input: '{"b":2}' }] } },
    ]);
  });

  it("names what only standard error tells of: refused commands and patches", () => {
    expect(resultOf(read("codex", "codex-work.jsonl", "codex-work.stderr.txt"))).toMatchObject([
      {
        payload: {
          deniedPermissions: [
            { tool: "exec_command", input: "/bin/bash -lc 'rm -rf /'" },
            { tool: "apply_patch" },
            { tool: "exec_command" },
          ],
        },
      },
    ]);
  });

  it("names a declined command as denied", () => {
    const parser = createOutputParser("codex");
    const item = { id: "i", type: "command_execution", command: "make", status: "declined" };
    expect(parser.line(JSON.stringify({ type: "item.completed", item }))).toMatchObject([
      { payload: { state: "failed" } },
    ]);
    expect(parser.line('{"type":"turn.completed"}')).toEqual([
      {
        kind: "result",
        payload: { outcome: "success", deniedPermissions: [{ tool: "command_execution", input: "make" }] },
      },
    ]);
  });

  it("ends in an error when the model only errs, with the provider's own words", () => {
    expect(read("codex", "codex-model-error.jsonl")).toMatchObject([
      { kind: "conversation" },
      { kind: "result", payload: { outcome: "error", error: "scripted refusal" } },
    ]);
  });
});

describe.each(["claude", "codex"] as const)("the parser for %s", (format) => {
  const all = ["claude", "codex"].flatMap((name) =>
    ["text", "resume", "model-error", "work"].flatMap((what) => linesOf(`${name}-${what}.jsonl`)),
  );

  it.each([
    "",
    "not JSON",
    "{",
    "[]",
    "null",
    '"text"',
    "{}",
    '{"type":1}',
    '{"type":"__proto__"}',
    '{"type":"of tomorrow","item":{}}',
    '{"type":"item.completed","item":{"id":"i","type":"of tomorrow"}}',
    "Reading additional input from stdin...",
  ])("gives nothing for %j", (line) => {
    const parser = createOutputParser(format);
    parser.errorLine(line);
    expect(parser.line(line)).toEqual([]);
  });

  it("survives every line with any field missing, of another type, or cut off", () => {
    const parser = createOutputParser(format);
    for (const line of all) {
      const parsed: unknown = JSON.parse(line);
      for (const broken of [...variantsOf(parsed).map((value) => JSON.stringify(value)), line.slice(0, -5)]) {
        for (const { kind, payload } of parser.line(broken)) {
          expect(eventPayloads[kind].safeParse(payload).error).toBeUndefined();
        }
      }
    }
  });

  it("gives payloads that fit the event vocabulary", () => {
    const parser = createOutputParser(format);
    for (const { kind, payload } of all.flatMap(parser.line)) {
      expect(eventPayloads[kind].safeParse(payload).error).toBeUndefined();
    }
  });
});

/** The value with each of its fields, at any depth, once missing and once of another type. */
function variantsOf(value: unknown): unknown[] {
  if (typeof value !== "object" || value === null) return [-1.5, null, { a: 1 }, [7], "text"];
  if (isList(value)) {
    return [
      {},
      ...value.flatMap((inner, index) => variantsOf(inner).map((variant) => value.with(index, variant))),
    ];
  }
  return Object.entries(value).flatMap(([key, inner]) => [
    Object.fromEntries(Object.entries(value).filter(([name]) => name !== key)),
    ...(key === "type" ? [] : variantsOf(inner)).map((variant) => ({ ...value, [key]: variant })),
  ]);
}

const isList = (value: object): value is unknown[] => Array.isArray(value);

describe("long texts", () => {
  const parser = createOutputParser("claude");
  const toolUse = (input: unknown) =>
    parser.line(
      JSON.stringify({
        type: "assistant",
        message: { content: [{ type: "tool_use", id: "t", name: "Bash", input }] },
      }),
    )[0]?.payload;
  const toolResult = (content: unknown) =>
    parser.line(
      JSON.stringify({
        type: "user",
        message: { content: [{ type: "tool_result", tool_use_id: "t", content }] },
      }),
    )[0]?.payload;

  const outputOf = (payload: TypedEvent["payload"] | undefined) =>
    payload !== undefined && "output" in payload ? (payload.output ?? "") : "";

  it("are one line of at most 500 characters as a tool's input", () => {
    expect(toolUse({ command: "cat <<EOF\n  one\n  two\nEOF" })).toMatchObject({
      input: "cat <<EOF one two EOF",
    });
    expect(toolUse({ command: "x".repeat(500) })).toMatchObject({ input: "x".repeat(500) });
    expect(toolUse({ command: "x".repeat(501) })).toMatchObject({ input: `${"x".repeat(499)}…` });
    expect(toolUse({ command: "😀".repeat(400) })).toMatchObject({ input: `${"😀".repeat(249)}…` });
  });

  it("keep their beginning and their end, in at most 1000 characters, as a tool's output", () => {
    expect(
      toolResult([{ type: "text", text: "a" }, { type: "image" }, { type: "text", text: "b" }]),
    ).toMatchObject({ output: "a\nb" });
    const long = outputOf(toolResult(`begin${"x".repeat(5000)}end`));
    expect(long).toMatch(/^beginx+\n…\nx+end$/);
    expect(long.length).toBeLessThanOrEqual(1000);
  });

  it("are whole as a message", () => {
    const text = "y".repeat(100_000);
    expect(
      parser.line(JSON.stringify({ type: "assistant", message: { content: [{ type: "text", text }] } })),
    ).toEqual([{ kind: "message", payload: { role: "assistant", text } }]);
  });
});

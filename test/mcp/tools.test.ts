import { Ajv2020 } from "ajv/dist/2020.js";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { capabilities } from "../../src/capabilities/registry.ts";
import { Failure } from "../../src/errors.ts";
import { instructions } from "../../src/mcp/instructions.ts";
import type { McpOptions } from "../../src/mcp/server.ts";
import { toolDefinitions, tools } from "../../src/mcp/tools.ts";
import { type TestDaemon, startDaemon } from "../support/daemon.ts";
import { launchOn } from "../support/lanes.ts";
import { launch } from "../support/launch.ts";
import { connectedClient } from "../support/mcp.ts";

const kilobyte = 1024;
const bytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

const shape = z.object({ properties: z.record(z.string(), z.unknown()) });

describe("the definitions of the tools", () => {
  test("fit a model's context: 12 KB, and 24 KB with what they answer", () => {
    const definitions = toolDefinitions();
    expect(definitions.length).toBeGreaterThan(8);
    const without = definitions.map(({ outputSchema, ...rest }) => {
      expect(outputSchema.type).toBe("object");
      return rest;
    });
    expect(bytes(without)).toBeLessThanOrEqual(12 * kilobyte);
    expect(bytes(definitions)).toBeLessThanOrEqual(24 * kilobyte);
  });

  test("have names that every client takes as they are, and texts that none cuts", () => {
    for (const { name, title, description } of toolDefinitions()) {
      expect(name).toMatch(/^[a-z0-9_]+$/);
      expect(`mcp__coven__${name}`.length).toBeLessThanOrEqual(64);
      expect(title.length).toBeGreaterThan(3);
      expect(description.length).toBeGreaterThan(60);
      expect(description.length).toBeLessThan(2048);
    }
  });

  test("use the words that a search for tools would", () => {
    const said = toolDefinitions()
      .map(({ description }) => description)
      .join(" ")
      .toLowerCase();
    for (const word of "spawn agent subagent session wait watch kill wake message background codex claude".split(
      " ",
    ))
      expect(said).toContain(word);
  });

  test("say of each whether it reads, does or destroys something, so that a client can tell what needs consent", () => {
    // What a client takes for said when a hint is left out, by the protocol.
    const understood = toolDefinitions().map(({ name, annotations }) => ({
      name,
      hints: { readOnlyHint: false, destructiveHint: true, ...annotations },
    }));
    for (const { name, hints } of understood) {
      expect(hints.readOnlyHint).toBe(capabilities.get(name)?.effect === "read");
    }
    const destroying = understood.filter(({ hints }) => !hints.readOnlyHint && hints.destructiveHint);
    expect(destroying.map(({ name }) => name)).toEqual(["kill", "sacrifice"]);
  });

  test("mark six to be loaded always", () => {
    const always = toolDefinitions().filter(({ _meta }) => _meta?.["anthropic/alwaysLoad"] === true);
    expect(always.map(({ name }) => name).sort()).toEqual([
      "input",
      "run",
      "status",
      "tail",
      "wake",
      "watch",
    ]);
  });

  test("offer no argument that the action does not take, and an intent for what does something", () => {
    for (const { name, inputSchema } of toolDefinitions()) {
      const { effect, input } = capabilities.get(name) ?? expect.fail(name);
      const accepted = new Set(Object.keys(input.shape));
      if (effect !== "read") accepted.add("intentId");
      const offered = Object.keys(shape.parse(inputSchema).properties);
      expect(offered.filter((argument) => !accepted.has(argument))).toEqual([]);
      expect(offered.includes("intentId")).toBe(effect !== "read");
    }
    const run = toolDefinitions().find(({ name }) => name === "run");
    const offered = Object.keys(shape.parse(run?.inputSchema).properties);
    for (const hidden of ["conversationId", "familiarId", "harnessSessionId", "resume"])
      expect(offered).not.toContain(hidden);
  });

  test("hold no noise: no dialect, no bounds that every whole number has", () => {
    const text = JSON.stringify(toolDefinitions());
    expect(text).not.toContain("$schema");
    expect(text).not.toContain("9007199254740991");
  });
});

test("the instructions say everything essential in what the shortest client shows", () => {
  const shown = instructions.slice(0, 247);
  for (const word of ["run", "watch", "cursor", "status", "tail", "kill", "codex", "claude"])
    expect(shown).toMatch(new RegExp(`\\b${word}\\b`));
  expect(instructions.length).toBeLessThanOrEqual(2048);
});

describe("a call", () => {
  const invoke = vi.fn<McpOptions["invoke"]>();
  beforeEach(() => {
    invoke.mockReset().mockResolvedValue({ ok: true });
  });
  const calls = () => invoke.mock.calls.map(([name, input, { intentId }]) => ({ name, input, intentId }));

  test("of an unknown tool is an error of the protocol that names the tools", async () => {
    const client = await connectedClient({ invoke });
    await expect(client.callTool({ name: "constructor", arguments: {} })).rejects.toMatchObject({
      code: -32602,
      message: expect.stringMatching(/constructor.*run, list, status/),
    });
    // It is an action, but no tool.
    await expect(client.callTool({ name: "prune", arguments: {} })).rejects.toMatchObject({ code: -32602 });
    expect(invoke).not.toHaveBeenCalled();
  });

  test("with unknown or wrong arguments is told what is accepted, as structure and as text", async () => {
    const client = await connectedClient({ invoke });
    for (const given of [{ session: "x" }, { sessions: "x" }, { sessions: ["x"], timeoutMs: 240_001 }, {}]) {
      const result = await client.callTool({ name: "watch", arguments: given });
      expect(result).toMatchObject({
        isError: true,
        structuredContent: {
          code: "invalid_request",
          hint: expect.stringContaining("sessions, until, count"),
        },
      });
      expect(result.content).toEqual([{ type: "text", text: JSON.stringify(result.structuredContent) }]);
    }
    // Hidden from models, though the action takes it.
    expect(
      await client.callTool({
        name: "run",
        arguments: { harness: "codex", projectRoot: "/", prompt: "x", familiarId: "f" },
      }),
    ).toMatchObject({ isError: true, structuredContent: { message: expect.stringContaining("familiarId") } });
    expect(invoke).not.toHaveBeenCalled();
  });

  test("that an action refuses is an error with its code, message, hint and details", async () => {
    invoke.mockRejectedValue(
      new Failure("session_not_found", "no session x", { hint: "See list.", details: { session: "x" } }),
    );
    const client = await connectedClient({ invoke });
    const result = await client.callTool({ name: "status", arguments: { session: "x" } });
    const said = {
      code: "session_not_found",
      message: "no session x",
      hint: "See list.",
      details: { session: "x" },
    };
    expect(result).toEqual({
      isError: true,
      structuredContent: said,
      content: [{ type: "text", text: JSON.stringify(said) }],
    });
  });

  test("that fails by a bug tells nothing of it", async () => {
    invoke.mockRejectedValue(new TypeError("the secret inside"));
    const client = await connectedClient({ invoke });
    const result = await client.callTool({ name: "status", arguments: {} });
    expect(result).toMatchObject({ isError: true, structuredContent: { code: "internal_error" } });
    expect(JSON.stringify(result)).not.toContain("secret");
  });

  test("waits 25 s and lists twenty in brief, unless the model says otherwise", async () => {
    const client = await connectedClient({
      invoke: invoke.mockResolvedValue({ sessions: [], nextCursor: null }),
    });
    await client.callTool({ name: "watch", arguments: { sessions: ["x"] } });
    await client.callTool({ name: "list", arguments: {} });
    expect(calls()).toMatchObject([
      { name: "watch", input: { timeoutMs: 25_000 } },
      { name: "list", input: { limit: 20, detail: "brief" } },
    ]);
  });

  test("goes under its own intent, else under the client's id of it, and a read under none", async () => {
    const client = await connectedClient({ invoke, client: "one" });
    const input = { session: "x", data: "y" };
    const call = (args: object, _meta: Record<string, unknown>) =>
      client.callTool({ name: "input", arguments: { ...args }, _meta });
    await call({ ...input, intentId: "mine" }, { "claudecode/toolUseId": "toolu_1" });
    await call(input, { "claudecode/toolUseId": "toolu_1" });
    await call(input, { callId: "call_1", threadId: "thread" });
    await call(input, { callId: 7 });
    await call(input, { callId: "c".repeat(1000) });
    await client.callTool({ name: "status", arguments: {}, _meta: { callId: "call_2" } });
    expect(calls().map(({ intentId }) => intentId)).toEqual([
      "mine",
      "one/toolu_1",
      "one/thread:call_1",
      undefined,
      undefined,
      undefined,
    ]);
    expect(calls()[0]?.input).toEqual({ ...input, end: false });
  });

  test("that was cancelled aborts its own wait and no other", async () => {
    const signals: AbortSignal[] = [];
    const client = await connectedClient({
      invoke: (_, __, { signal }) => {
        signals.push(signal);
        return new Promise((resolve) => signal.addEventListener("abort", () => resolve({})));
      },
    });
    const leaving = new AbortController();
    const left = client.callTool({ name: "status", arguments: {} }, undefined, { signal: leaving.signal });
    const other = client.callTool({ name: "status", arguments: {} });
    other.catch(() => undefined);
    await vi.waitFor(() => expect(signals).toHaveLength(2));
    leaving.abort();
    await expect(left).rejects.toThrow();
    await vi.waitFor(() => expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]));
  });

  test("that lasts is reported every 15 s, rising, to a client that wants to hear it, until it is over", async () => {
    vi.useFakeTimers();
    try {
      const running: (() => void)[] = [];
      const client = await connectedClient({
        invoke: () => new Promise((resolve) => running.push(() => resolve({}))),
      });
      const seen: number[] = [];
      const onprogress = ({ progress }: { progress: number }): void => void seen.push(progress);
      const wanted = client.callTool({ name: "status", arguments: {} }, undefined, {
        onprogress,
        timeout: 1_000_000,
      });
      await vi.advanceTimersByTimeAsync(14_000);
      expect(seen).toEqual([]);
      await vi.advanceTimersByTimeAsync(32_000);
      expect(seen).toEqual([1, 2, 3]);
      for (const end of running) end();
      await wanted;
      await vi.advanceTimersByTimeAsync(60_000);
      expect(seen).toEqual([1, 2, 3]);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("what a model is answered", () => {
  const clientOf = (daemon: TestDaemon) =>
    connectedClient({
      invoke: (name, input, call) =>
        daemon.client.call(name, z.record(z.string(), z.unknown()).parse(input), { signal: call.signal }),
    });

  test("is as the tool's definition says, with the same as text", async () => {
    const daemon = await startDaemon();
    const client = await clientOf(daemon);
    const ajv = new Ajv2020({ strict: false });
    const schemas = new Map(toolDefinitions().map(({ name, outputSchema }) => [name, outputSchema]));
    const answers = async (name: string, args: Record<string, unknown>) => {
      const result = await client.callTool({ name, arguments: args });
      expect(result, name).not.toHaveProperty("isError");
      expect(
        ajv.validate(schemas.get(name) ?? {}, result.structuredContent),
        `${name}: ${ajv.errorsText()}`,
      ).toBe(true);
      expect(result.content).toEqual([{ type: "text", text: JSON.stringify(result.structuredContent) }]);
      return z.record(z.string(), z.unknown()).parse(result.structuredContent);
    };
    const project = daemon.home;
    const lane = { harness: "shell", projectRoot: project, prompt: "read line; echo got $line" };
    const { id, cursor } = await answers("run", { ...lane, launchMode: "interactive", labels: ["one"] });
    await answers("status", {});
    expect(await answers("watch", { sessions: [id], timeoutMs: 1 })).toMatchObject({
      outcome: "waiting",
      hint: expect.stringContaining("watch again"),
    });
    await answers("input", { session: id, data: "hello", keys: ["enter"] });
    expect(await answers("watch", { sessions: [id], cursor })).toMatchObject({ outcome: "met" });
    await answers("status", { session: id });
    expect(await answers("tail", { session: id })).toMatchObject({
      text: expect.stringContaining("got hello"),
    });
    expect(await answers("list", {})).toEqual({
      sessions: [
        {
          id,
          title: lane.prompt,
          harness: "shell",
          status: "completed",
          labels: ["one"],
          last_activity_at: expect.any(String),
        },
      ],
      nextCursor: null,
    });
    expect(await answers("list", { detail: "full" })).toMatchObject({
      sessions: [{ project_root: project, cwd: project }],
    });
    await answers("archive", { session: id });
    await answers("summon", { session: id });
    await answers("sacrifice", { session: id, confirm: true });
    const other = await answers("run", { ...lane, prompt: "sleep 60" });
    expect(await answers("kill", { session: other["id"] })).toEqual({
      id: other["id"],
      title: "sleep 60",
      status: "killed",
      exit_code: null,
      archived_at: null,
    });
    expect(bytes(await answers("capabilities", {}))).toBeLessThanOrEqual(4 * kilobyte);
  });

  test("is 4 KB at most for a list of twenty sessions", async () => {
    const daemon = await startDaemon();
    for (let lane = 0; lane < 21; lane += 1)
      await launch(daemon, `true # ${"a long story of what is to be done ".repeat(10)}`, {
        labels: ["the-lanes"],
      });
    const client = await clientOf(daemon);
    const { structuredContent } = await client.callTool({ name: "list", arguments: {} });
    expect(structuredContent).toMatchObject({ sessions: { length: 20 }, nextCursor: expect.any(String) });
    expect(bytes(structuredContent)).toBeLessThanOrEqual(4 * kilobyte);
  });

  test("is 5 KB at most for ten lanes and for what runs, and steers no terminal, whatever their titles", async () => {
    const daemon = await startDaemon();
    const client = await clientOf(daemon);
    const title = `\u001b[31m${"a long story ".repeat(30)}`;
    const lane = { harness: "shell", prompt: "sleep 60", title };
    const args = { projectRoot: daemon.home, lanes: Array.from({ length: 10 }, () => lane) };
    const launched = await client.callTool({ name: "run", arguments: args });
    const overview = await client.callTool({ name: "status", arguments: {} });
    expect(overview.structuredContent).toMatchObject({ live: 10 });
    for (const { structuredContent } of [launched, overview]) {
      expect(structuredContent).toMatchObject({ sessions: { length: 10 } });
      expect(bytes(structuredContent)).toBeLessThanOrEqual(5 * kilobyte);
      expect(JSON.stringify(structuredContent)).not.toContain("u001b");
    }
  });

  test("is 4 KB at most for a watch over ten sessions that had much to say, and over one", async () => {
    const daemon = await startDaemon();
    const said = {
      type: "item.completed",
      item: { id: "i", type: "agent_message", text: "\u001b[1m— § ".repeat(2000) },
    };
    const used = { type: "turn.completed", usage: { input_tokens: 123_456, output_tokens: 98_765 } };
    const script = `cat <<'END'\n${JSON.stringify(said)}\n${JSON.stringify(used)}\nEND`;
    const sessions: string[] = [];
    for (let lane = 0; lane < 10; lane += 1) sessions.push((await launchOn("pipes", daemon, script)).id);
    const client = await clientOf(daemon);
    for (const watched of [sessions, sessions.slice(0, 1)]) {
      const { structuredContent } = await client.callTool({
        name: "watch",
        arguments: { sessions: watched },
      });
      expect(structuredContent).toMatchObject({
        outcome: "met",
        sessions: { length: watched.length, 0: { lastMessage: expect.stringContaining("— §"), exitCode: 0 } },
      });
      expect(JSON.stringify(structuredContent)).not.toMatch(/\uFFFD|u001b/);
      expect(bytes(structuredContent)).toBeLessThanOrEqual(4 * kilobyte);
    }
  });
});

test("no tool answers raw terminal bytes", () => {
  for (const name of ["events", "output"]) expect(tools.has(name)).toBe(false);
});

import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import { createClient } from "../../src/rpc/client.ts";
import { covenForFile } from "../support/coven.ts";
import { type BridgeProcess, initializing, startBridge } from "../support/mcp.ts";
import { openTerminal } from "../support/terminal.ts";

const owner = covenForFile();
const { coven, home, socket, project, env } = owner;
const start = (more: Readonly<Record<string, string>> = {}): BridgeProcess =>
  startBridge({ ...env, ...more });

const record = z.looseObject({ id: z.string(), runId: z.string(), cursor: z.string() });
const health = z.object({ daemon: z.object({ pid: z.int() }) });

const launched = async (bridge: BridgeProcess, prompt: string, meta?: object) =>
  record.parse(
    (await bridge.call("run", { harness: "codex", projectRoot: project, prompt }, meta)).structuredContent,
  );

/** Connections to the daemon, its own listening included. */
const connections = (): number =>
  readFileSync("/proc/net/unix", "utf8")
    .split("\n")
    .filter((line) => line.endsWith(` ${socket}`)).length;

describe("coven mcp", () => {
  test("answers what it can without a daemon, then starts one for the first call", async () => {
    const bridge = start();
    for (const protocolVersion of ["2025-06-18", "2025-11-25"]) {
      expect(await bridge.request("initialize", { ...initializing, protocolVersion })).toMatchObject({
        result: {
          protocolVersion,
          serverInfo: { name: "coven" },
          instructions: expect.stringContaining("watch"),
        },
      });
    }
    bridge.notify("notifications/initialized", {});
    expect(await bridge.request("tools/list")).toMatchObject({ result: { tools: { 0: { name: "run" } } } });
    expect(await bridge.request("prompts/list")).toMatchObject({ result: { prompts: { length: 2 } } });
    expect(await bridge.request("resources/list")).toMatchObject({
      result: { resources: [{ uri: "coven://sessions" }] },
    });
    expect(existsSync(socket)).toBe(false);
    expect(await bridge.call("list", {})).toMatchObject({ structuredContent: { sessions: [] } });
    expect(existsSync(socket)).toBe(true);
    for (const line of bridge.lines) expect(JSON.parse(line)).toMatchObject({ jsonrpc: "2.0" });
  });

  test("tells a person who starts it in a terminal what it waits for, and how the tools are set up", async () => {
    const terminal = openTerminal(owner, ["mcp"]);
    await terminal.shows("coven mcp install claude --write");
    terminal.type("\u0004");
    expect(await terminal.exited).toBe(0);
  });

  test("starts one daemon for calls that come together", async () => {
    await coven(["daemon", "stop"]);
    const bridge = start();
    const answers = await Promise.all([1, 2, 3, 4].map(() => bridge.call("status", {})));
    for (const answer of answers) expect(answer).toMatchObject({ structuredContent: { live: 0 } });
  });

  test("goes on with the next daemon: restarted, stopped or killed between two calls", async () => {
    const bridge = start();
    const pids = new Set<number>();
    const pid = async (): Promise<number> =>
      health.parse(await createClient({ kind: "socket", path: socket }, "test").health()).daemon.pid;
    await bridge.call("list", {});
    pids.add(await pid());
    await coven(["daemon", "restart"]);
    expect(await bridge.call("list", {})).not.toHaveProperty("isError");
    pids.add(await pid());
    await coven(["daemon", "stop"]);
    expect(await bridge.call("list", {})).not.toHaveProperty("isError");
    const last = await pid();
    pids.add(last);
    process.kill(last, "SIGKILL");
    await vi.waitFor(() => expect(connections()).toBeLessThan(2));
    expect(await bridge.call("list", {})).not.toHaveProperty("isError");
    pids.add(await pid());
    expect(pids.size).toBe(4);
  });

  test("misses no end, however quick: watch from the cursor of run", async () => {
    const bridge = start();
    for (const code of [0, 3]) {
      const { id, cursor } = await launched(bridge, `exit ${code}`);
      const ended = await bridge.call("watch", { sessions: [id] });
      expect(ended).toMatchObject({ structuredContent: { outcome: "met" } });
      // It is over by now, and still after the cursor.
      expect(await bridge.call("watch", { sessions: [id], cursor })).toMatchObject({
        structuredContent: {
          outcome: "met",
          sessions: [{ id, exitCode: code, lastMessage: `done in ${project}` }],
        },
      });
    }
  });

  test("launches once what is called twice under one id of the client", async () => {
    const meta = { "claudecode/toolUseId": "toolu_01" };
    const bridge = start({ CLAUDE_CODE_SESSION_ID: "one" });
    const first = await launched(bridge, "stay", meta);
    expect((await launched(bridge, "stay", meta)).id).toBe(first.id);
    // The same client, started again.
    expect((await launched(start({ CLAUDE_CODE_SESSION_ID: "one" }), "stay", meta)).id).toBe(first.id);
    expect((await launched(bridge, "stay", { "claudecode/toolUseId": "toolu_02" })).id).not.toBe(first.id);
    const other = start({ CLAUDE_CODE_SESSION_ID: "two" });
    expect((await launched(other, "stay", meta)).id).not.toBe(first.id);
    // Of one that does not say who it is nobody can tell whether it was started again.
    const unnamed = start();
    const call = { callId: "call", threadId: "thread" };
    const lane = await launched(unnamed, "stay", call);
    expect((await launched(unnamed, "stay", call)).id).toBe(lane.id);
    expect((await launched(start(), "stay", call)).id).not.toBe(lane.id);
  });

  test("lets a cancelled wait go, and the session live", async () => {
    const bridge = start();
    const { id } = await launched(bridge, "stay");
    const quiet = connections();
    const params = { name: "watch", arguments: { sessions: [id], timeoutMs: 200_000 } };
    bridge.send(JSON.stringify({ jsonrpc: "2.0", id: "wait", method: "tools/call", params }));
    // Answered over another connection, since the wait holds one.
    await bridge.call("status", { session: id });
    await vi.waitFor(() => expect(connections()).toBeGreaterThan(quiet));
    bridge.notify("notifications/cancelled", { requestId: "wait" });
    await vi.waitFor(() => expect(connections()).toBe(quiet));
    expect(await bridge.call("status", { session: id })).toMatchObject({
      structuredContent: { active: true },
    });
    expect(bridge.lines.filter((line) => line.includes('"wait"'))).toEqual([]);
  });

  test("ends with its input, and only then: no wait and no process is left", async () => {
    const bridge = start();
    const { id } = await launched(bridge, "stay");
    const before = connections();
    const params = { name: "watch", arguments: { sessions: [id], timeoutMs: 200_000 } };
    bridge.send(JSON.stringify({ jsonrpc: "2.0", id: "wait", method: "tools/call", params }));
    await bridge.call("status", { session: id });
    expect(await bridge.end()).toEqual({ code: 0, signal: null });
    await vi.waitFor(() => expect(connections()).toBeLessThan(before));
  });

  test("answers what was asked just before its input ended", async () => {
    const bridge = start();
    const answered = Promise.all([bridge.request("initialize", initializing), bridge.request("tools/list")]);
    expect(await bridge.end()).toEqual({ code: 0, signal: null });
    expect(await answered).toMatchObject([{ result: {} }, { result: { tools: { 0: { name: "run" } } } }]);
  });

  test("outlives a client that reads no more", async () => {
    const bridge = start();
    await bridge.request("ping");
    bridge.child.stdout?.destroy();
    for (let id = 0; id < 50; id += 1)
      bridge.send(JSON.stringify({ jsonrpc: "2.0", id, method: "tools/list" }));
    expect(await bridge.end()).toEqual({ code: 0, signal: null });
  });

  test("says what is wrong with a line that is no message, and takes the next", async () => {
    const bridge = start();
    const wrong: readonly [line: string, error: object][] = [
      ["not json", { id: null, error: { code: -32700 } }],
      ["[]", { id: null, error: { code: -32600 } }],
      ['{"id":"mine","what":1}', { id: "mine", error: { code: -32600 } }],
      ['{"jsonrpc":"2.0","id":"m","method":"no/such"}', { id: "m", error: { code: -32601 } }],
      [
        '{"jsonrpc":"2.0","id":"t","method":"tools/call","params":{"name":7}}',
        { id: "t", error: { code: -32602 } },
      ],
      ['{"jsonrpc":"2.0","id":"p","method":"prompts/get","params":{}}', { id: "p", error: { code: -32602 } }],
      ['{"jsonrpc":"2.0","id":"r","method":"resources/read"}', { id: "r", error: { code: -32602 } }],
    ];
    for (const [line, expected] of wrong) {
      const answered = bridge.next((message) => "error" in message);
      bridge.send(line);
      expect(await answered).toMatchObject(expected);
    }
    expect(await bridge.request("ping")).toMatchObject({ result: {} });
  });

  test("refuses a message that is too long by its id, without keeping it", async () => {
    const bridge = start();
    const filler = "x".repeat(5_000_000);
    for (const [id, line] of [
      ["first", `{"jsonrpc":"2.0","id":"first","method":"ping","params":{"a":"${filler}"}}`],
      [12, `{"method":"ping","params":{"id":"inner","a":"${filler}"},"jsonrpc":"2.0","id":12}`],
      [null, `{"method":"ping","params":{"a":"${filler}","id":"inner"}}`],
    ] as const) {
      const answered = bridge.next((message) => "error" in message);
      bridge.send(line);
      expect(await answered).toMatchObject({
        id,
        error: { code: -32600, message: expect.stringContaining("4000000") },
      });
    }
    expect(await bridge.request("ping")).toMatchObject({ result: {} });
  });
});

describe("what coven mcp asks a daemon for", () => {
  interface Asked {
    readonly action: string;
    readonly env?: Record<string, string>;
    readonly intentId?: string;
    readonly authorization: string | undefined;
  }

  /** Stands in for a daemon; the actions named in `lost` break the connection off once. */
  async function standIn(lost: string[] = []): Promise<{ bridge: BridgeProcess; asked: Asked[] }> {
    const folder = join(home, `stand-in-${Math.random().toString(36).slice(2, 8)}`);
    mkdirSync(folder, { mode: 0o700 });
    const asked: Asked[] = [];
    const server = createServer((request, response) => {
      let body = "";
      request.setEncoding("utf8").on("data", (text: string) => (body += text));
      request.on("end", () => {
        const { authorization } = request.headers;
        if (request.url?.endsWith("/health") === true) {
          response.end(JSON.stringify({ ok: true, apiVersion: "coven.daemon.v1" }));
          return;
        }
        const { action, env, intentId } = z
          .looseObject({
            action: z.string(),
            env: z.record(z.string(), z.string()).optional(),
            intentId: z.string().optional(),
          })
          .parse(JSON.parse(body));
        asked.push({
          action,
          authorization,
          ...(env === undefined ? {} : { env }),
          ...(intentId === undefined ? {} : { intentId }),
        });
        const at = lost.indexOf(action);
        if (at !== -1) {
          lost.splice(at, 1);
          request.socket.destroy();
          return;
        }
        response.end(JSON.stringify({ ok: true, event: { payload: { action } } }));
      });
    });
    await new Promise<void>((resolve) => server.listen(join(folder, "coven.sock"), resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
      rmSync(folder, { recursive: true, force: true });
    });
    const bridge = start({ COVEN_HOME: folder, COVEN_TOKEN: "of-the-run", COLOUR: "red" });
    return { bridge, asked };
  }
  const lane = { harness: "codex", projectRoot: "/", prompt: "x" };

  test("carries its token with every call, and its environment with a launch", async () => {
    const { bridge, asked } = await standIn();
    await bridge.call("run", lane, { callId: "1" });
    await bridge.call("status", {});
    expect(asked).toMatchObject([
      {
        action: "run",
        authorization: "Bearer of-the-run",
        env: { COLOUR: "red" },
        intentId: expect.stringMatching(/^\d+-[\d.]+\/1$/),
      },
      { action: "status", authorization: "Bearer of-the-run" },
    ]);
    expect(asked[1]).not.toHaveProperty("env");
  });

  test("is asked again when the connection was lost only where that can do nothing twice", async () => {
    const { bridge, asked } = await standIn(["status", "run"]);
    expect(await bridge.call("status", {})).toMatchObject({ structuredContent: { action: "status" } });
    expect(await bridge.call("run", lane)).toMatchObject({
      isError: true,
      structuredContent: { code: "runtime_unavailable" },
    });
    expect(asked.map(({ action }) => action)).toEqual(["status", "status", "run"]);
  });
});

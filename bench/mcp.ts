/**
 * How long `coven mcp` takes to answer `initialize`, against a node that does nothing, and what a tool call over it
 * costs more than the same action over the socket.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";
import type { BenchDaemon } from "./daemon.ts";
import type { Measured } from "./report.ts";
import { median, timedInTurns } from "./statistics.ts";

const launcher = join(import.meta.dirname, "../bin/coven");

const initialize = {
  method: "initialize",
  params: {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "bench", version: "0" },
  },
};

export async function mcp({ client, folder, home, project }: BenchDaemon): Promise<Measured[]> {
  const empty = mkdtempSync(join(folder, "mcp-"));
  const starts = await timedInTurns({ mcp: () => startOnce(empty), node: nothing }, { warmUp: 2, turns: 20 });

  const { id, cursor } = await client.launch({ harness: "bench-exits", projectRoot: project, prompt: "end" });
  await client.watch({ sessions: [id], cursor });
  const bridge = openBridge(home);
  await bridge.request(initialize);
  const status = { method: "tools/call", params: { name: "status", arguments: { session: id } } };
  await bridge.request(status);
  const calls = await timedInTurns(
    { tool: () => bridge.request(status), socket: () => client.action("status", { session: id }) },
    { warmUp: 20, turns: 100, each: 10 },
  );
  await bridge.end();
  const [tool, socket] = [median(calls.get("tool") ?? []), median(calls.get("socket") ?? [])];
  return [
    {
      what: "coven mcp: start to the answer of initialize, p50",
      value: median(starts.get("mcp") ?? []),
      baseline: median(starts.get("node") ?? []),
      unit: "ms",
      limit: { of: "ratio", max: 2.5 },
    },
    { what: "the tool status over stdio, p50", value: tool, baseline: socket, unit: "ms" },
    {
      what: "what that is more than the action over the socket",
      value: tool - socket,
      unit: "ms",
      limit: { of: "value", max: 2 },
    },
  ];
}

async function nothing(): Promise<void> {
  await once(spawn(process.execPath, ["-e", "0"], { stdio: "ignore" }), "exit");
}

/** Only the time to the answer is to count, so its end is waited for by nobody. */
async function startOnce(home: string): Promise<void> {
  const bridge = openBridge(home);
  await bridge.request(initialize);
  void bridge.end();
}

const answer = z.object({ result: z.looseObject({ isError: z.literal(false).optional() }) });

/** One request at a time. */
function openBridge(home: string) {
  const child = spawn(launcher, ["mcp"], {
    env: { ...process.env, COVEN_HOME: home },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout });
  let lastId = 0;
  return {
    request: async (message: object): Promise<void> => {
      const answered = new Promise<string>((resolve) => lines.once("line", resolve));
      child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id: (lastId += 1), ...message })}\n`);
      answer.parse(JSON.parse(await answered));
    },
    end: async (): Promise<void> => {
      child.stdin.end();
      await once(child, "exit");
    },
  };
}

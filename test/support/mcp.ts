/** MCP as its clients have it: a server in this process behind the SDK's client, or `coven mcp` spoken to line by line. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { onTestFinished } from "vitest";
import { z } from "zod";
import { type McpOptions, createMcpServer } from "../../src/mcp/server.ts";

const launcher = fileURLToPath(new URL("../../bin/coven", import.meta.url));

/** A client connected to a server that calls `invoke`. */
export async function connectedClient(options: Partial<McpOptions> = {}): Promise<Client> {
  const server = createMcpServer({
    invoke: () => Promise.resolve({}),
    async *changes() {},
    client: "test",
    version: "0.0.0",
    ...options,
  });
  const [clientSide, serverSide] = InMemoryTransport.createLinkedPair();
  await server.connect(serverSide);
  const client = new Client({ name: "test", version: "0.0.0" });
  await client.connect(clientSide);
  onTestFinished(() => client.close());
  return client;
}

const answer = z.object({
  id: z.union([z.string(), z.number(), z.null()]),
  result: z.record(z.string(), z.unknown()).optional(),
  error: z.object({ code: z.int(), message: z.string(), data: z.unknown().optional() }).optional(),
});
export type RpcAnswer = z.output<typeof answer>;

const toolResult = z.object({
  content: z.array(z.object({ type: z.literal("text"), text: z.string() })),
  structuredContent: z.record(z.string(), z.unknown()),
  isError: z.boolean().optional(),
});

export interface BridgeProcess {
  readonly child: ChildProcess;
  /** Every line it has printed on standard output. */
  readonly lines: readonly string[];
  readonly send: (line: string) => void;
  readonly notify: (method: string, params: object) => void;
  readonly request: (method: string, params?: object) => Promise<RpcAnswer>;
  /** A tool's answer; it must be a result. */
  readonly call: (name: string, args: object, meta?: object) => Promise<z.output<typeof toolResult>>;
  /** The next message that is true of it. */
  readonly next: (wanted: (message: RpcAnswer | Record<string, unknown>) => boolean) => Promise<unknown>;
  readonly end: () => Promise<{ code: number | null; signal: string | null }>;
}

/** `coven mcp`; ended when the test is over. */
export function startBridge(env: Readonly<Record<string, string>>): BridgeProcess {
  const child = spawn(launcher, ["mcp"], {
    env,
    stdio: ["pipe", "pipe", "ignore"],
  });
  const exited = once(child, "exit");
  const lines: string[] = [];
  const waiting = new Set<{
    wanted: (message: Record<string, unknown>) => boolean;
    found: (m: unknown) => void;
  }>();
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line);
    const message = z.record(z.string(), z.unknown()).parse(JSON.parse(line));
    for (const each of [...waiting]) {
      if (!each.wanted(message)) continue;
      waiting.delete(each);
      each.found(message);
    }
  });
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await exited;
  });

  let lastId = 0;
  const next: BridgeProcess["next"] = (wanted) =>
    new Promise((found) => {
      waiting.add({ wanted, found });
    });
  const send = (line: string): void => void child.stdin.write(`${line}\n`);
  const request: BridgeProcess["request"] = async (method, params = {}) => {
    const id = (lastId += 1);
    const answered = next((message) => message["id"] === id && !("method" in message));
    send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    return answer.parse(await answered);
  };
  return {
    child,
    lines,
    send,
    request,
    next,
    notify: (method, params) => send(JSON.stringify({ jsonrpc: "2.0", method, params })),
    call: async (name, args, meta) => {
      const { result, error } = await request("tools/call", {
        name,
        arguments: args,
        ...(meta === undefined ? {} : { _meta: meta }),
      });
      if (error !== undefined) throw new Error(`${name}: ${error.message}`);
      return toolResult.parse(result);
    },
    end: async () => {
      child.stdin.end();
      await exited;
      return { code: child.exitCode, signal: child.signalCode };
    },
  };
}

export const initializing = {
  protocolVersion: "2025-11-25",
  capabilities: {},
  clientInfo: { name: "test", version: "0.0.0" },
};

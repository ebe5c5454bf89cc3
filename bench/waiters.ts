/**
 * Callers of `watch` on a connection of their own each, by every way in that can wait. An answer is known by the raw
 * text that comes: a library's reading of 200 answers would be most of what is measured.
 */
import { once } from "node:events";
import type { Socket } from "node:net";
import { WebSocket } from "ws";
import { connectTo, postText } from "./kept-connection.ts";

export interface Waiter {
  /** Resolves with the time at which it was told of the session's end. */
  readonly watch: (session: string) => Promise<number>;
  readonly close: () => void;
}

const watchOf = (session: string) => ({ sessions: [session], until: "terminal" });

/** A caller of the actions, or of any server that answers a POST with an outcome. */
export async function postWaiter(socketPath: string): Promise<Waiter> {
  const connection = await connectTo(socketPath);
  return {
    watch: (session) =>
      metAfter(connection, postText("/api/v1/actions", { action: "watch", args: watchOf(session) })),
    close: () => connection.destroy(),
  };
}

export async function webSocketWaiter(socketPath: string): Promise<Waiter> {
  const socket = new WebSocket(`ws+unix:${socketPath}:/api/v1/rpc`);
  await once(socket, "open");
  return {
    watch: async (session) => {
      socket.send(JSON.stringify({ jsonrpc: "2.0", id: session, method: "watch", params: watchOf(session) }));
      const answer = String(await once(socket, "message"));
      const at = performance.now();
      if (!isMet(answer)) throw new Error(answer);
      return at;
    },
    close: () => socket.terminate(),
  };
}

const greeting = {
  protocolVersion: "2025-11-25",
  capabilities: {},
  clientInfo: { name: "bench", version: "0" },
};

/** Longer than any round takes, ms: the tool's own wait is short. */
const toolTimeoutMs = 240_000;

export async function mcpWaiter(socketPath: string): Promise<Waiter> {
  const connection = await connectTo(socketPath);
  const initialize = { jsonrpc: "2.0", id: 0, method: "initialize", params: greeting };
  const opened = await answerOf(connection, postText("/mcp", initialize), isWholeStream);
  const session = [`mcp-session-id: ${/\r\nmcp-session-id: (\S+)/i.exec(opened)?.[1] ?? ""}`];
  const initialized = { jsonrpc: "2.0", method: "notifications/initialized" };
  await answerOf(connection, postText("/mcp", initialized, session), (text) => text.includes("\r\n\r\n"));
  return {
    watch: (id) => {
      const params = { name: "watch", arguments: { ...watchOf(id), timeoutMs: toolTimeoutMs } };
      const call = { jsonrpc: "2.0", id, method: "tools/call", params };
      return metAfter(connection, postText("/mcp", call, session));
    },
    close: () => connection.destroy(),
  };
}

const isWholeStream = (text: string): boolean => text.endsWith("\r\n0\r\n\r\n");
const isMet = (text: string): boolean => text.includes('"outcome":"met"');

async function metAfter(connection: Socket, request: string): Promise<number> {
  await answerOf(connection, request, isMet);
  return performance.now();
}

/** Everything that comes until it is enough. */
function answerOf(connection: Socket, request: string, isEnough: (text: string) => boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const hear = (chunk: string): void => {
      text += chunk;
      if (!isEnough(text)) return;
      connection.off("data", hear).off("close", leave);
      resolve(text);
    };
    const leave = (): void => reject(new Error(`hung up on after: ${text}`));
    connection.on("data", hear).once("close", leave);
    connection.write(request);
  });
}

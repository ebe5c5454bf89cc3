/** A call over JSON-RPC, by WebSocket and by POST, beside the same action by `POST /actions`. */
import { once } from "node:events";
import { WebSocket } from "ws";
import type { BenchDaemon } from "./daemon.ts";
import { keepConnection } from "./kept-connection.ts";
import type { Measured } from "./report.ts";
import { median, timedInTurns } from "./statistics.ts";

export async function jsonRpc({ client, project }: BenchDaemon): Promise<Measured[]> {
  const { id, cursor } = await client.launch({ harness: "bench-exits", projectRoot: project, prompt: "end" });
  await client.watch({ sessions: [id], cursor });
  const http = await keepConnection(client.socketPath);
  const socket = new WebSocket(`ws+unix:${client.socketPath}:/api/v1/rpc`);
  await once(socket, "open");
  const args = { session: id };
  const request = { jsonrpc: "2.0", id: 1, method: "status", params: args };
  const calls = await timedInTurns(
    {
      webSocket: async () => {
        socket.send(JSON.stringify(request));
        await once(socket, "message");
      },
      post: () => http.post("/api/v1/rpc", request),
      actions: () => http.post("/api/v1/actions", { action: "status", args }),
    },
    { warmUp: 20, turns: 100, each: 20 },
  );
  http.close();
  socket.terminate();
  const microseconds = (kind: "webSocket" | "post" | "actions"): number =>
    median(calls.get(kind) ?? []) * 1000;
  const beside = { baseline: microseconds("actions"), unit: "µs", note: "baseline: POST /actions" } as const;
  return [
    { what: "status as JSON-RPC over a WebSocket, p50", value: microseconds("webSocket"), ...beside },
    { what: "status as JSON-RPC by POST, p50", value: microseconds("post"), ...beside },
  ];
}

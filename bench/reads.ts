/** GET /health and GET /sessions/:id on a kept connection, against a bare handler that sends as many bytes. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { BenchDaemon } from "./daemon.ts";
import { keepConnection } from "./kept-connection.ts";
import type { Measured } from "./report.ts";
import { median, timedInTurns } from "./statistics.ts";

const limit = { of: "ratio", max: 3 } as const;

export async function reads({ client, project, folder }: BenchDaemon): Promise<Measured[]> {
  const { id, cursor } = await client.launch({ harness: "bench-exits", projectRoot: project, prompt: "end" });
  await client.watch({ sessions: [id], cursor });
  return [
    await measure("GET /health", "/api/v1/health", client.socketPath, join(folder, "bare-health.sock")),
    await measure(
      "GET /sessions/:id",
      `/api/v1/sessions/${id}`,
      client.socketPath,
      join(folder, "bare-session.sock"),
    ),
  ];
}

async function measure(what: string, path: string, socket: string, bareSocket: string): Promise<Measured> {
  const daemon = await keepConnection(socket);
  const bytes = await daemon.get(path);
  const bareServer = spawn(process.execPath, [
    join(import.meta.dirname, "bare-server.mjs"),
    bareSocket,
    String(bytes),
  ]);
  try {
    await once(bareServer.stdout, "data");
    const bare = await keepConnection(bareSocket);
    const samples = await timedInTurns(
      { daemon: () => daemon.get(path), bare: () => bare.get(path) },
      { warmUp: 20, turns: 100, each: 50 },
    );
    bare.close();
    const [value = [], baseline = []] = [...samples.values()].map((ms) => ms.map((each) => each * 1000));
    return { what: `${what}, p50`, value: median(value), baseline: median(baseline), unit: "µs", limit };
  } finally {
    daemon.close();
    bareServer.kill();
  }
}

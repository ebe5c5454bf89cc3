/** One end that 200 callers wait for, against a bare server that answers as many. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { BenchDaemon } from "./daemon.ts";
import { keepConnection } from "./kept-connection.ts";
import type { Measured } from "./report.ts";
import { quantile } from "./statistics.ts";
import { type Waiter, mcpWaiter, postWaiter, webSocketWaiter } from "./waiters.ts";

const callers = { posts: 100, webSockets: 70, mcp: 30 };
const rounds = 60;
const warmUp = 5;

/** Time for 200 requests to be read and to wait, ms. */
const settleMs = 200;

/** Of an answer's body, about what the daemon's has. */
const answerBytes = 300;

const limit = { of: "value", max: 50 } as const;

export async function waits(daemon: BenchDaemon): Promise<Measured[]> {
  const pipe = join(daemon.folder, "end.pipe");
  spawnSync("mkfifo", [pipe]);
  const { socketPath } = daemon.client;
  const waiters = await Promise.all([
    ...times(callers.posts, () => postWaiter(socketPath)),
    ...times(callers.webSockets, () => webSocketWaiter(socketPath)),
    ...times(callers.mcp, () => mcpWaiter(socketPath)),
  ]);
  const bare = await bareServer(join(daemon.folder, "bare-waits.sock"), waiters.length);
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let round = -warmUp; round < rounds; round += 1) {
    const ms = [await endOfLane(daemon, pipe, waiters), await bare.endOfAll()] as const;
    if (round < 0) continue;
    ours.push(ms[0]);
    theirs.push(ms[1]);
  }
  bare.close();
  for (const waiter of waiters) waiter.close();
  return [0.5, 0.99].map((q) => ({
    what: `end of a lane to the last of ${waiters.length} waiting watches, p${q * 100}`,
    value: quantile(ours, q),
    baseline: quantile(theirs, q),
    unit: "ms",
    limit,
  }));
}

const times = <T>(count: number, make: () => Promise<T>): Promise<T>[] => Array.from({ length: count }, make);

/** From the word that ends the lane to the last answer, ms. */
async function endOfLane(
  { client, project }: BenchDaemon,
  pipe: string,
  waiters: readonly Waiter[],
): Promise<number> {
  const { id } = await client.launch({ harness: "bench-waits", projectRoot: project, prompt: pipe });
  const word = await open(pipe, "w");
  await word.write("go\n");
  const answers = waiters.map((waiter) => waiter.watch(id));
  await client.watch({ sessions: [id], timeoutMs: settleMs });
  const endsAt = performance.now();
  await word.write("end\n");
  const last = Math.max(...(await Promise.all(answers)));
  await word.close();
  return last - endsAt;
}

/** A server that knows nothing and tells it to as many callers. */
async function bareServer(socketPath: string, count: number) {
  const server = spawn(process.execPath, [
    join(import.meta.dirname, "bare-waits.mjs"),
    socketPath,
    String(answerBytes),
  ]);
  await once(server.stdout, "data");
  const waiters = await Promise.all(times(count, () => postWaiter(socketPath)));
  const trigger = await keepConnection(socketPath);
  return {
    endOfAll: async (): Promise<number> => {
      const answers = waiters.map((waiter) => waiter.watch("-"));
      await pause(settleMs);
      const endsAt = performance.now();
      void trigger.get("/");
      return Math.max(...(await Promise.all(answers))) - endsAt;
    },
    close: () => {
      trigger.close();
      for (const waiter of waiters) waiter.close();
      server.kill();
    },
  };
}

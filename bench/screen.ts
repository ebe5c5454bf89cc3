/** The screen of a session with a long log: drawn from the beginning, against a bare terminal in memory, and again. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import xterm from "@xterm/headless";
import type { BenchDaemon } from "./daemon.ts";
import { oneMegabyte } from "./flood.ts";
import { keepConnection } from "./kept-connection.ts";
import { residentMegabytes } from "./memory.ts";
import type { Measured } from "./report.ts";
import { median, quantile, timed } from "./statistics.ts";

const megabytes = 20;
/** Each is drawn once from its beginning. The first starts the thread, which does not count. */
const sessions = 7;
const asksAgain = 50;
/** Between two questions for health, ms. */
const askEveryMs = 5;

export async function screen(daemon: BenchDaemon): Promise<Measured[]> {
  const file = join(daemon.folder, "megabyte.txt");
  writeFileSync(file, oneMegabyte());
  const ids = await flooded(daemon, `${megabytes} ${file}`);
  const before = await residentMegabytes(daemon);
  const speeds: number[] = [];
  const bareSpeeds: number[] = [];
  const againMs: number[] = [];
  const healthMs: number[] = [];
  for (const [round, session] of ids.entries()) {
    const look = (): Promise<unknown> => daemon.client.action("screen", { session });
    const drawn = await askingMeanwhile(daemon.client.socketPath, look);
    const bareMs = await timed(() => bareTerminal(readFileSync(file)));
    if (round === 0) continue;
    speeds.push(megabytes / (drawn.ms / 1000));
    bareSpeeds.push(megabytes / (bareMs / 1000));
    healthMs.push(...drawn.healthMs);
    for (let count = 0; count < asksAgain; count += 1) againMs.push(await timed(look));
  }
  return [
    {
      what: `screen of a log of ${megabytes} MB`,
      value: median(speeds),
      baseline: median(bareSpeeds),
      unit: "MB/s",
      limit: { of: "ratio", min: 0.6 },
    },
    {
      what: "GET /health meanwhile, p99",
      value: quantile(healthMs, 0.99),
      unit: "ms",
      limit: { of: "value", max: 20 },
    },
    { what: "the same screen again, p50", value: median(againMs), unit: "ms" },
    {
      what: `thread and ${sessions} screens, over the daemon without`,
      value: (await residentMegabytes(daemon)) - before,
      unit: "MB",
    },
  ];
}

async function flooded({ client, project }: BenchDaemon, prompt: string): Promise<string[]> {
  const ids: string[] = [];
  while (ids.length < sessions) {
    const { id, cursor } = await client.launch({ harness: "bench-flood", projectRoot: project, prompt });
    await client.watch({ sessions: [id], cursor });
    ids.push(id);
  }
  return ids;
}

async function askingMeanwhile(socket: string, work: () => Promise<unknown>) {
  const connection = await keepConnection(socket);
  const healthMs: number[] = [];
  const isOver = new AbortController();
  const asking = (async () => {
    while (!isOver.signal.aborted) {
      healthMs.push(await timed(() => connection.get("/api/v1/health")));
      await pause(askEveryMs);
    }
  })();
  const ms = await timed(work);
  isOver.abort();
  await asking;
  connection.close();
  return { ms, healthMs };
}

async function bareTerminal(piece: Buffer): Promise<void> {
  const terminal = new xterm.Terminal({ cols: 80, rows: 24, scrollback: 100, allowProposedApi: true });
  for (let count = 0; count < megabytes; count += 1)
    await new Promise<void>((resolve) => terminal.write(piece, resolve));
  terminal.dispose();
}

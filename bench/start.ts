/** How long the daemon takes to its first answer, and a verb of the CLI, against a node that does nothing. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync } from "node:fs";
import { join } from "node:path";
import { type BenchDaemon, mainProgram, serve, stop } from "./daemon.ts";
import { fillStore } from "./full-store.ts";
import type { Measured } from "./report.ts";
import { median, timedInTurns } from "./statistics.ts";

export async function start({ folder, home }: BenchDaemon): Promise<Measured[]> {
  const startAndStop: number[] = [];
  const samples = await timedInTurns(
    {
      daemon: async () => startAndStop.push(await startOnce(folder)),
      status: () => run([mainProgram, "daemon", "status"], home),
      node: () => run(["-e", "0"], home),
    },
    { warmUp: 1, turns: 7 },
  );
  const baseline = median(samples.get("node") ?? []);
  const past = join(folder, "past");
  mkdirSync(join(past, "adapters"), { recursive: true, mode: 0o700 });
  fillStore(past);
  const withPast: number[] = [];
  for (let turn = 0; turn < 5; turn += 1) withPast.push(await startIn(past));
  return [
    { what: "daemon start to its first answer, p50", value: median(startAndStop), baseline, unit: "ms" },
    {
      what: "the same with 10^6 events and 10^4 sessions stored, p50",
      value: median(withPast),
      baseline,
      unit: "ms",
      limit: { of: "value", max: 500 },
    },
    { what: "coven daemon status, p50", value: median(samples.get("status") ?? []), baseline, unit: "ms" },
  ];
}

async function startOnce(folder: string): Promise<number> {
  const home = mkdtempSync(join(folder, "start-"));
  mkdirSync(join(home, "adapters"));
  return startIn(home);
}

async function startIn(home: string): Promise<number> {
  const startedAt = performance.now();
  const { child, client } = await serve(home, { ...process.env, COVEN_HOME: home });
  const ms = performance.now() - startedAt;
  await stop(child, client);
  return ms;
}

async function run(args: readonly string[], home: string): Promise<void> {
  const child = spawn(process.execPath, args, { env: { ...process.env, COVEN_HOME: home }, stdio: "ignore" });
  await once(child, "exit");
  if (child.exitCode !== 0)
    throw new Error(`node ${args.join(" ")} ended with ${child.exitCode ?? "a signal"}`);
}

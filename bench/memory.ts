/** What 200 live sessions cost in the daemon and its host, beside their own processes. */
import { readFileSync, readdirSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
import type { BenchDaemon } from "./daemon.ts";
import type { Measured } from "./report.ts";

const sessions = 200;
/** Ended before the first look, so that code that is only compiled and caches that only fill once do not count. */
const warmUp = 20;

/** A garbage collector takes its time; the lowest of some looks is what is really held. */
const looks = 10;
const lookEveryMs = 300;

export async function memory(daemon: BenchDaemon): Promise<Measured[]> {
  for (const id of await launch(daemon, warmUp)) await daemon.client.post(`/sessions/${id}/kill`, {});
  const idle = await residentMegabytes(daemon);
  await launch(daemon, sessions);
  const live = await residentMegabytes(daemon);
  return [
    {
      what: `each of ${sessions} live sessions, over the idle daemon and host`,
      value: (live - idle) / sessions,
      unit: "MB",
      limit: { of: "value", max: 0.5 },
    },
  ];
}

async function launch({ client, project }: BenchDaemon, count: number): Promise<string[]> {
  const ids: string[] = [];
  while (ids.length < count) {
    const lane = { harness: "bench-lives", projectRoot: project, prompt: "-" };
    ids.push((await client.launch(lane)).id);
  }
  return ids;
}

const health = z.object({ daemon: z.object({ pid: z.int() }) });

export async function residentMegabytes({
  client,
  home,
}: Pick<BenchDaemon, "client" | "home">): Promise<number> {
  const { daemon } = health.parse(await client.get("/health"));
  const hosts = readdirSync(home).flatMap((name) => /^host-(\d+)\.sock$/.exec(name)?.[1] ?? []);
  let least = Number.POSITIVE_INFINITY;
  for (let look = 0; look < looks; look += 1) {
    await pause(lookEveryMs);
    least = Math.min(
      least,
      [daemon.pid, ...hosts].map(resident).reduce((sum, each) => sum + each, 0),
    );
  }
  return least;
}

const resident = (pid: number | string): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

/**
 * Follow-ups: from the end of a run to the start of the one that was queued behind it, from the time that a wake is due
 * to the start of its run, and what 10,000 of them cost while they wait.
 *
 * Starts and ends are those of the log, in which the host writes both, to the millisecond.
 */
import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
import { openStore } from "../src/store/store.ts";
import { type BenchDaemon, serve, stop } from "./daemon.ts";
import { residentMegabytes } from "./memory.ts";
import type { Measured } from "./report.ts";
import { median, quantile } from "./statistics.ts";

const turns = 60;
const warmUp = 10;
/** How far ahead each of the wakes is due, ms: the session has had its turn by then. */
const delayMs = 250;
const dueWakes = 40;

const waiting = 10_000;
const waitingSessions = 10;
/** How long a daemon may settle after its start, and is then looked at, ms. */
const settleMs = 2000;
const idleMs = 10_000;
/** The system counts in ticks of 10 ms: of two looks at nothing one may hold one more on either side. */
const cpuMsMax = 30;

export async function wakes(daemon: BenchDaemon): Promise<Measured[]> {
  const gaps = await queuedTurns(daemon);
  const delays = await dueTurns(daemon);
  const without = await idleCost(join(daemon.folder, "no-wakes"), 0);
  const withWakes = await idleCost(join(daemon.folder, "many-wakes"), waiting);
  return [
    {
      what: "end of a run to the start of the woken run, p50",
      value: median(gaps),
      unit: "ms",
      limit: { of: "value", max: 50 },
    },
    { what: "the same, p99", value: quantile(gaps, 0.99), unit: "ms" },
    { what: "a wake's time to the start of its run, p50", value: median(delays), unit: "ms" },
    {
      what: "the same, p99",
      value: quantile(delays, 0.99),
      unit: "ms",
      limit: { of: "value", max: 100 },
    },
    {
      what: `CPU of an idle daemon in ${idleMs / 1000} s, more with ${waiting} pending wakes`,
      value: Math.max(0, withWakes.cpuMs - without.cpuMs),
      unit: "ms",
      limit: { of: "value", max: cpuMsMax },
      note: `${without.cpuMs} and ${withWakes.cpuMs} ms`,
    },
    {
      what: `memory of daemon and host, more with ${waiting} pending wakes`,
      value: withWakes.megabytes - without.megabytes,
      unit: "MB",
      limit: { of: "value", max: 20 },
    },
  ];
}

const event = z.object({
  seq: z.int(),
  kind: z.string(),
  payload_json: z.string(),
  created_at: z.string(),
});
const page = z.object({ events: z.array(event), hasMore: z.boolean() });
const move = z.object({ to: z.string() });
const wokenAt = z.object({ dueAt: z.string() });

/** Times at which the session's runs started and ended, ms. */
async function movesOf(
  { client }: BenchDaemon,
  session: string,
): Promise<{ starts: number[]; ends: number[] }> {
  const events: z.output<typeof event>[] = [];
  for (let hasMore = true; hasMore;) {
    const afterSeq = events.at(-1)?.seq ?? 0;
    const read = page.parse(await client.action("events", { session, afterSeq }));
    events.push(...read.events);
    ({ hasMore } = read);
  }
  const at = (state: (to: string) => boolean): number[] =>
    events.flatMap(({ kind, payload_json, created_at }) =>
      kind === "status" && state(move.parse(JSON.parse(payload_json)).to) ? [Date.parse(created_at)] : [],
    );
  return { starts: at((to) => to === "running"), ends: at((to) => to === "completed") };
}

const begin = async ({ client, project }: BenchDaemon): Promise<string> => {
  const lane = {
    harness: "bench-turns",
    projectRoot: project,
    prompt: "-",
    launchMode: "nonInteractive",
  } as const;
  const { id, cursor } = await client.launch(lane);
  await client.watch({ sessions: [id], cursor });
  return id;
};

async function queuedTurns(daemon: BenchDaemon): Promise<number[]> {
  const { client } = daemon;
  const session = await begin(daemon);
  await Promise.all(
    Array.from({ length: turns + warmUp }, () => client.action("wake", { session, message: "-" })),
  );
  for (;;) {
    const { starts, ends } = await movesOf(daemon, session);
    if (ends.length === 1 + warmUp + turns)
      return starts.slice(1 + warmUp).map((start, index) => start - (ends[index + warmUp] ?? Number.NaN));
    await pause(delayMs);
  }
}

async function dueTurns(daemon: BenchDaemon): Promise<number[]> {
  const { client } = daemon;
  const session = await begin(daemon);
  const due: number[] = [];
  for (let turn = 0; turn < dueWakes; turn += 1) {
    const asked = await client.action("wake", { session, message: "-", delay: `${delayMs}ms` });
    due.push(Date.parse(wokenAt.parse(asked).dueAt));
    const cursor = z.object({ cursor: z.string() }).parse(asked).cursor;
    await client.watch({ sessions: [session], cursor });
  }
  const { starts } = await movesOf(daemon, session);
  return starts.slice(1).map((start, index) => start - (due[index] ?? Number.NaN));
}

const health = z.object({ daemon: z.object({ pid: z.int() }) });

/** What a daemon of its own costs that does nothing but have so many wakes. */
async function idleCost(home: string, count: number): Promise<{ cpuMs: number; megabytes: number }> {
  mkdirSync(join(home, "adapters"), { recursive: true, mode: 0o700 });
  fill(home, count);
  const { child, client } = await serve(home, { ...process.env, COVEN_HOME: home });
  try {
    const { daemon } = health.parse(await client.get("/health"));
    await pause(settleMs);
    const before = cpuMsOf(daemon.pid);
    await pause(idleMs);
    return { cpuMs: cpuMsOf(daemon.pid) - before, megabytes: await residentMegabytes({ client, home }) };
  } finally {
    await stop(child, client);
  }
}

/** User and system time of a process, in ticks of 10 ms. */
function cpuMsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function fill(home: string, count: number): void {
  const store = openStore(join(home, "ledger.sqlite3"));
  for (let session = 0; session < waitingSessions; session += 1)
    store.write(() => fillSession(store, count / waitingSessions));
  store.close();
}

function fillSession(store: ReturnType<typeof openStore>, count: number): void {
  const [id, run] = [randomUUID(), randomUUID()];
  const place = { project_root: "/srv/project", cwd: "/srv/project" };
  const session = { id, ...place, harness: "bench-turns", title: "waits", launch_mode: "nonInteractive" };
  store.sessions.create(session, run);
  store.runs.create({ id: run, session: id });
  store.sessions.move({ session: id, run, to: "running" });
  store.runs.ended({ id: run, exitCode: 0, signal: null, reason: null });
  store.sessions.move({ session: id, run, to: "completed", exitCode: 0 });
  for (let number = 0; number < count; number += 1) {
    const message = `Look at the build again, number ${number}.`;
    store.wakes.create({
      id: randomUUID(),
      session_id: id,
      state: "pending",
      message,
      preview: message,
      urgency: "idle",
      due_at: new Date(Date.now() + (number + 1) * 3_600_000).toISOString(),
      expires_at: null,
      model: null,
      revive: false,
      from_session: null,
      chain: 0,
      intent: null,
      releases_run: null,
    });
  }
}

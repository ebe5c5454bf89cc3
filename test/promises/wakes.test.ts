/**
 * A follow-up is delivered once, whoever dies on the way: the daemon or the host is killed at every step of a delivery.
 * The steps are held still from outside, by a host that is stopped or a store that is held, and seen in the store.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { type TestDaemon, makeHome, startDaemon } from "../support/daemon.ts";
import { launch, makeProject } from "../support/launch.ts";
import { HostLink } from "../../src/runtime/host/link.ts";
import type { LaunchSpec } from "../../src/runtime/host/protocol.ts";
import { identify, lookAround } from "../../src/runtime/host/processes.ts";
import { hostOf, hostsOf } from "../support/lanes.ts";
import {
  type Conversation,
  conversed,
  converse,
  ended,
  gated,
  inStore,
  leaves,
  reached,
  said,
  wake,
  wakesOf,
} from "../support/wakes.ts";

async function kill(daemon: TestDaemon): Promise<void> {
  process.kill(daemon.pid, "SIGKILL");
  await daemon.exited;
}

/** Stops a process where it is; it goes on at the latest when the test is over. */
function hold(pid: number): () => void {
  const letGo = (): void => {
    try {
      process.kill(pid, "SIGCONT");
    } catch {
      // It is gone, which is what was wanted of it.
    }
  };
  process.kill(pid, "SIGSTOP");
  onTestFinished(letGo);
  return letGo;
}

/** Rounds of a killer, and within how long of the question it comes, ms: some deliveries are over by then. */
const rounds = 20;
const killedWithinMs = 120;

const runRow = z.object({
  id: z.string(),
  pid: z.int().nullable(),
  host_pid: z.int().nullable(),
  ended_at: z.string().nullable(),
});

/** The run that a wake started, as the store has it. */
const runOf = (home: string, { wake: id }: { readonly wake: string }) =>
  inStore(home, (db) =>
    runRow
      .optional()
      .parse(db.prepare("SELECT id, pid, host_pid, ended_at FROM runs WHERE wake_id = ?").get(id)),
  );

/** Processes that carry the run's marker. */
const carriers = (home: string, asked: { readonly wake: string }): number[] =>
  [...lookAround().runIds].flatMap(([pid, run]) => (run === runOf(home, asked)?.id ? [pid] : []));

/** A follow-up whose run is written down while the host, which is stopped, has begun nothing. */
async function writtenDown(daemon: TestDaemon, { id }: Conversation, script = leaves("woken")) {
  const goOn = hold(hostOf(daemon.home));
  const asked = await wake(daemon, id, script);
  await expect.poll(() => runOf(daemon.home, asked), { timeout: 10_000 }).toMatchObject({ pid: null });
  return { asked, goOn };
}

async function expectOnce(daemon: TestDaemon, conversation: Conversation, asked: { readonly wake: string }) {
  await reached(daemon, conversation.id, asked, "delivered");
  await ended(daemon, conversation.id, 2);
  expect(said(conversation)).toEqual(["woken"]);
  expect(await wakesOf(daemon, conversation.id)).toMatchObject([{ state: "delivered" }]);
  expect(await daemon.client.call("status", { session: conversation.id })).toMatchObject({
    runs: 2,
    status: "completed",
  });
}

test("the daemon is killed after it was asked, while the session is still busy: delivered once", async () => {
  const home = makeHome();
  const first = await startDaemon(home);
  const project = makeProject();
  const gate = gated(project);
  const conversation = { ...(await converse(first, gate.script, { projectRoot: project })), project };
  const asked = await wake(first, conversation.id, leaves("woken"));
  await kill(first);
  await gate.open();
  await expectOnce(await startDaemon(home), conversation, asked);
});

test("the daemon is killed when the run is written down and the host does not answer, which then begins it: delivered once", async () => {
  const home = makeHome();
  const first = await startDaemon(home);
  const conversation = await conversed(first);
  const { asked, goOn } = await writtenDown(first, conversation);
  await kill(first);
  goOn();
  await expectOnce(await startDaemon(home), conversation, asked);
});

test("the daemon is killed when the run is written down, and the host was never asked: delivered once", async () => {
  const home = makeHome();
  const first = await startDaemon(home);
  const conversation = await conversed(first);
  await kill(first);
  const asked = askUnlaunched(home, conversation.id, hostOf(home));
  await expectOnce(await startDaemon(home), conversation, asked);
});

test(
  "the same, and the host has left meanwhile because nobody came back: delivered once",
  { timeout: 60_000 },
  async () => {
    const home = makeHome();
    const first = await startDaemon(home);
    const conversation = await conversed(first);
    await kill(first);
    const asked = askUnlaunched(home, conversation.id, hostOf(home));
    const hosts = () => readdirSync(home).filter((name) => name.startsWith("host-"));
    await expect.poll(hosts, { timeout: 30_000 }).toEqual([]);
    await expectOnce(await startDaemon(home), conversation, asked);
  },
);

/** What the store holds between a woken run's being written down and its host's being asked: no process can be held there. */
function askUnlaunched(home: string, session: string, host: number): { wake: string } {
  const [id, run, at] = [`wake-${session}`, `run-${session}`, new Date().toISOString()];
  inStore(home, (db) => {
    const seq = z.int().parse(db.prepare("SELECT max(seq) FROM events").pluck().get());
    db.prepare(
      `INSERT INTO wakes (id, session_id, state, message, preview, urgency, due_at, revive, chain, run_id, asked_seq,
         queued_seq, created_at) VALUES (?, ?, 'queued', ?, 'woken', 'idle', ?, 0, 0, ?, ?, ?, ?)`,
    ).run(id, session, leaves("woken"), at, run, seq, seq, at);
    db.prepare(
      "INSERT INTO runs (id, session_id, number, host_pid, wake_id, created_at) VALUES (?, ?, 2, ?, ?, ?)",
    ).run(run, session, host, id, at);
    db.prepare("UPDATE sessions SET status = 'created' WHERE id = ?").run(session);
  });
  return { wake: id };
}

test("a host that is asked once more for a run that it has forgotten, or that is not its own, begins nothing", async () => {
  const home = makeHome();
  const daemon = await startDaemon(home);
  const project = makeProject();
  const { id, runId } = await launch(daemon, leaves("once"), { harness: "turns", projectRoot: project });
  await ended(daemon, id);
  const host = hostOf(home);
  const listener = { grown: () => undefined, lost: () => undefined };
  const link = await HostLink.connect(host, join(home, `host-${host}.sock`), listener);
  onTestFinished(() => link.close());
  // Held until its ending is in the log, and forgotten then.
  await expect.poll(() => link.runs()).toEqual([]);
  const spec: LaunchSpec = {
    runId,
    sessionId: id,
    harness: "turns",
    file: "/bin/sh",
    args: ["-c", leaves("twice")],
    cwd: project,
    env: { PATH: "/usr/bin:/bin" },
    transport: "pty",
    prompt: "-",
    version: null,
    launchMode: "nonInteractive",
    permission: null,
    model: null,
    endsIdle: false,
  };
  expect((await link.call("launch", spec)).pid).toBeGreaterThan(0);
  await expect(link.call("launch", { ...spec, runId: "unknown" })).rejects.toMatchObject({
    code: "launch_failed",
  });
  expect(await link.runs()).toEqual([]);
  expect(said({ project })).toEqual(["once"]);
});

test("the host is killed when the run is written down and it has begun nothing: visibly failed, and not delivered", async () => {
  const home = makeHome();
  const daemon = await startDaemon(home);
  const conversation = await conversed(daemon);
  const { asked } = await writtenDown(daemon, conversation);
  process.kill(hostOf(home), "SIGKILL");
  expect(await reached(daemon, conversation.id, asked, "failed")).toMatchObject({
    reason: expect.stringContaining("delivery_unknown"),
  });
  expect(said(conversation)).toEqual([]);
  expect(await daemon.client.call("status", { session: conversation.id })).toMatchObject({
    status: "orphaned",
  });
  await wake(daemon, conversation.id, leaves("again"), { revive: true });
  await ended(daemon, conversation.id, 3);
  expect(said(conversation)).toEqual(["again"]);
});

test("daemon and host are both killed when the run is written down: visibly failed, and not delivered", async () => {
  const home = makeHome();
  const first = await startDaemon(home);
  const conversation = await conversed(first);
  const { asked } = await writtenDown(first, conversation);
  const host = hostOf(home);
  await kill(first);
  process.kill(host, "SIGKILL");
  const second = await startDaemon(home);
  expect(await reached(second, conversation.id, asked, "failed")).toMatchObject({
    reason: expect.stringContaining("delivery_unknown"),
  });
  expect(said(conversation)).toEqual([]);
});

test.each([
  { what: "lives on", rest: "exec sleep 1000", state: "delivered" },
  { what: "has ended", rest: "exit 0", state: "failed" },
] as const)(
  "the host is killed when it has spawned a harness that $what, and could not write it down: begun once, and $state",
  async ({ rest, state }) => {
    const home = makeHome();
    const daemon = await startDaemon(home);
    const conversation = await conversed(daemon);
    const { asked, goOn } = await writtenDown(
      daemon,
      conversation,
      `trap "" HUP; ${leaves("woken")}; ${rest}`,
    );
    const store = new Database(join(home, "ledger.sqlite3"), { timeout: 5000 });
    store.exec("BEGIN IMMEDIATE");
    goOn();
    await expect.poll(() => said(conversation), { timeout: 10_000 }).toEqual(["woken"]);
    await expect.poll(() => carriers(home, asked)).toHaveLength(state === "delivered" ? 1 : 0);
    process.kill(hostOf(home), "SIGKILL");
    store.exec("ROLLBACK");
    store.close();
    const { reason } = await reached(daemon, conversation.id, asked, state);
    if (state === "failed") expect(reason).toContain("delivery_unknown");
    await ended(daemon, conversation.id, 2);
    expect(said(conversation)).toEqual(["woken"]);
    await expect.poll(() => carriers(home, asked), { timeout: 10_000 }).toEqual([]);
  },
);

test("the daemon and the host are killed while the woken run goes on: delivered once, and what is behind it is held", async () => {
  const home = makeHome();
  const first = await startDaemon(home);
  const conversation = await conversed(first);
  const { id } = conversation;
  const asked = await wake(first, id, `${leaves("woken")}; exec sleep 1000`);
  await reached(first, id, asked, "delivered");
  await expect.poll(() => said(conversation)).toEqual(["woken"]);
  await wake(first, id, leaves("behind"));
  const host = hostOf(home);
  await kill(first);
  process.kill(host, "SIGKILL");
  const second = await startDaemon(home);
  expect(await wakesOf(second, id)).toMatchObject([
    { state: "delivered" },
    { state: "queued", held: "revive_required" },
  ]);
  await wake(second, id, leaves("revived"), { revive: true });
  await ended(second, id, 4);
  expect(said(conversation)).toEqual(["woken", "behind", "revived"]);
});

test("a follow-up that was asked with revive goes on after a host that is lost only then", async () => {
  const home = makeHome();
  const daemon = await startDaemon(home);
  const conversation = await converse(daemon, "exec sleep 1000");
  await wake(daemon, conversation.id, leaves("revived"), { revive: true });
  process.kill(hostOf(home), "SIGKILL");
  await ended(daemon, conversation.id, 2);
  expect(said(conversation)).toEqual(["revived"]);
});

test("the daemon is killed after the end of a woken run and before the next: each is delivered once", async () => {
  const home = makeHome();
  const first = await startDaemon(home);
  const project = makeProject();
  const gate = gated(project, "gate", leaves("woken"));
  const { id } = await conversed(first, "exit 0", { projectRoot: project });
  const asked = await wake(first, id, gate.script);
  await reached(first, id, asked, "delivered");
  await wake(first, id, leaves("behind"));
  // Stopped, it sees nothing of the end, and is killed without having seen it.
  hold(first.pid);
  await gate.open();
  await expect.poll(() => runOf(home, asked)?.ended_at, { timeout: 10_000 }).toEqual(expect.any(String));
  await kill(first);
  expect(said({ project })).toEqual(["woken"]);
  const second = await startDaemon(home);
  await ended(second, id, 3);
  expect(said({ project })).toEqual(["woken", "behind"]);
  expect(await wakesOf(second, id)).toMatchObject([{ state: "delivered" }, { state: "delivered" }]);
});

/** A socket may be there for a moment longer than its host. */
function killIfThere(pid: number): void {
  if (identify(pid) !== undefined) process.kill(pid, "SIGKILL");
}

/** Numbers that are the same in each run, and look like none. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

test(
  "the daemon is killed at any moment, again and again: every follow-up is delivered once, in order",
  { timeout: 120_000 },
  async () => {
    const home = makeHome();
    const random = numbers(20_260_514);
    let daemon = await startDaemon(home);
    const conversation = await conversed(daemon);
    const { id } = conversation;
    const asked: string[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const line = `round-${round}`;
      await wake(daemon, id, leaves(line));
      asked.push(line);
      await pause(random() * killedWithinMs);
      await kill(daemon);
      daemon = await startDaemon(home);
    }
    await ended(daemon, id, rounds + 1);
    expect(said(conversation)).toEqual(asked);
    expect((await wakesOf(daemon, id)).map(({ state }) => state)).toEqual(asked.map(() => "delivered"));
  },
);

test(
  "the host is killed at any moment, again and again: no follow-up is delivered twice, and none is dropped unseen",
  { timeout: 120_000 },
  async () => {
    const home = makeHome();
    const random = numbers(19_700_101);
    const daemon = await startDaemon(home);
    const conversation = await conversed(daemon);
    const { id } = conversation;
    const asked: { line: string; wake: string }[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const line = `round-${round}`;
      asked.push({ line, ...(await wake(daemon, id, leaves(line), { revive: true })) });
      await pause(random() * killedWithinMs);
      for (const host of hostsOf(home)) killIfThere(host);
    }
    // The last host that was killed is noticed by then, and so is what became of all that was asked.
    const open = async () => (await wakesOf(daemon, id)).filter(({ state }) => state === "queued");
    await expect.poll(open, { timeout: 30_000 }).toEqual([]);
    await expect
      .poll(() => daemon.client.call("status", { session: id }), { timeout: 10_000 })
      .toMatchObject({ active: false });
    const states = new Map((await wakesOf(daemon, id)).map(({ wake: each, ...rest }) => [each, rest]));
    const lines = said(conversation);
    for (const { line, wake: each } of asked) {
      const times = lines.filter((said) => said === line).length;
      const { state, reason } = states.get(each) ?? { state: "gone" };
      expect({ line, times, state }).toEqual({
        line,
        times,
        state: expect.stringMatching(/^(delivered|failed)$/),
      });
      expect(times).toBeLessThanOrEqual(1);
      if (state === "failed") expect(reason).toContain("delivery_unknown");
    }
  },
);

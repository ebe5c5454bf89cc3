/** When follow-ups come: at their time, over restarts, within limits, and whatever the clock and the store do. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { type TestDaemon, makeHome, startDaemon } from "../support/daemon.ts";
import { eventsOf, launch, makeProject } from "../support/launch.ts";
import { processOf } from "../support/lanes.ts";
import {
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

const dayMs = 86_400_000;

/** Puts a follow-up's time elsewhere: the clock seen from the other side. */
const moveDue = (home: string, { wake: id }: { readonly wake: string }, ms: number): void =>
  inStore(home, (db) => {
    db.prepare("UPDATE wakes SET due_at = ? WHERE id = ?").run(new Date(Date.now() + ms).toISOString(), id);
  });

/** Wakes that leave the queue at the second, which a test cannot see but by the time that has gone. */
const msSince = (startedAt: number): number => performance.now() - startedAt;

async function killed(daemon: TestDaemon): Promise<void> {
  process.kill(daemon.pid, "SIGKILL");
  await daemon.exited;
}

test("a follow-up comes when it is due, although nothing else happens, and not before; those behind it do not wait", async () => {
  const daemon = await startDaemon();
  const conversation = await conversed(daemon);
  const { id } = conversation;
  const startedAt = performance.now();
  const delayed = await wake(daemon, id, leaves("delayed"), { delay: "1500ms" });
  expect(delayed.state).toBe("pending");
  await wake(daemon, id, leaves("at once"));
  await ended(daemon, id, 2);
  expect(said(conversation)).toEqual(["at once"]);
  await ended(daemon, id, 3);
  expect(msSince(startedAt)).toBeGreaterThanOrEqual(1500);
  expect(said(conversation)).toEqual(["at once", "delayed"]);
  expect((await wakesOf(daemon, id))[0]).not.toHaveProperty("lateMs");
});

test("one that is due in 300 days waits, also behind a restart, and does not come now", async () => {
  const home = makeHome();
  const first = await startDaemon(home);
  const conversation = await conversed(first);
  const { id } = conversation;
  const far = await wake(first, id, leaves("far"), { delay: "300d" });
  const at = new Date(Date.now() + 200 * dayMs).toISOString();
  await wake(first, id, leaves("at"), { at });
  await killed(first);
  const second = await startDaemon(home);
  // A timer too long for its number would fire at once, and this one is answered behind it.
  await wake(second, id, leaves("near"));
  await ended(second, id, 2);
  expect(said(conversation)).toEqual(["near"]);
  expect(await wakesOf(second, id)).toMatchObject([
    { wake: far.wake, state: "pending" },
    { state: "pending", dueAt: at },
    { state: "delivered" },
  ]);
});

test("one that fell due while the daemon was down comes at once when it is there again, marked late", async () => {
  const home = makeHome();
  const first = await startDaemon(home);
  const conversation = await conversed(first);
  const { id } = conversation;
  const asked = await wake(first, id, leaves("late"), { delay: "1h" });
  await killed(first);
  moveDue(home, asked, -5000);
  const second = await startDaemon(home);
  await ended(second, id, 2);
  expect(said(conversation)).toEqual(["late"]);
  const [listed] = await wakesOf(second, id);
  expect(listed).toMatchObject({ state: "delivered" });
  expect(listed?.lateMs).toBeGreaterThanOrEqual(5000);
  expect(await reached(second, id, asked, "delivered")).toMatchObject({ lateMs: listed?.lateMs });
});

test("a clock that is set forward brings what is due by it within seconds, without a restart", async () => {
  const daemon = await startDaemon();
  const conversation = await conversed(daemon);
  const { id } = conversation;
  const asked = await wake(daemon, id, leaves("jumped"), { delay: "1d" });
  // The daemon's timer was set by the old time; it is not told of the new one.
  moveDue(daemon.home, asked, -60_000);
  await ended(daemon, id, 2);
  expect(said(conversation)).toEqual(["jumped"]);
});

test("one that waits in vain expires: for its time, for its turn, and while the daemon is down", async () => {
  const home = makeHome();
  const first = await startDaemon(home);
  const project = makeProject();
  const gate = gated(project);
  const { id } = await converse(first, gate.script, { projectRoot: project });
  const queued = await wake(first, id, leaves("queued"), { expiresIn: "300ms" });
  expect((await reached(first, id, queued, "expired")).reason).toContain("wanted until");
  const turn = await wake(first, id, leaves("turn"), { expiresIn: "1d" });
  const pending = await wake(first, id, leaves("pending"), { delay: "1h", expiresIn: "1d" });
  await killed(first);
  inStore(home, (db) => db.prepare("UPDATE wakes SET expires_at = ?").run(new Date(0).toISOString()));
  const second = await startDaemon(home);
  for (const each of [turn, pending]) await reached(second, id, each, "expired");
  await gate.open();
  await ended(second, id);
  const wanted = await wake(second, id, leaves("wanted"), { expiresIn: "1d" });
  await reached(second, id, wanted, "delivered");
  await ended(second, id, 2);
  expect(said({ project })).toEqual(["wanted"]);
});

test("an intended restart, and a stop that keeps the sessions, lose nothing of a queue", async () => {
  const home = makeHome();
  const first = await startDaemon(home);
  const project = makeProject();
  const gate = gated(project);
  const { id } = await converse(first, gate.script, { projectRoot: project });
  for (const each of ["one", "two"]) await wake(first, id, leaves(each));
  await wake(first, id, leaves("three"), { delay: "10ms" });
  await first.client.shutdown(true);
  await first.exited;
  // It ends while nobody is there to see it.
  await gate.open();
  const second = await startDaemon(home);
  await ended(second, id, 4);
  expect(said({ project })).toEqual(["one", "two", "three"]);
});

test("a stop orphans the session and holds its queue; with revive it goes on, in order", async () => {
  const home = makeHome();
  const first = await startDaemon(home);
  const conversation = await converse(first, "exec sleep 1000");
  const { id } = conversation;
  await wake(first, id, leaves("queued"));
  await first.client.shutdown(false);
  await first.exited;
  const second = await startDaemon(home);
  expect(await wakesOf(second, id)).toMatchObject([{ state: "queued", held: "revive_required" }]);
  await expect(wake(second, id, "exit 0")).rejects.toMatchObject({ code: "revive_required" });
  await wake(second, id, leaves("revived"), { revive: true });
  await ended(second, id, 3);
  expect(said(conversation)).toEqual(["queued", "revived"]);
});

test("a wake waits while as many sessions are live as may be, and comes when there is room", async () => {
  const home = makeHome();
  const limits = { ownersLive: 1, live: 1 };
  writeFileSync(join(home, "config.json"), JSON.stringify({ limits }), { mode: 0o600 });
  const daemon = await startDaemon(home);
  const one = await conversed(daemon);
  const two = await conversed(daemon);
  const lives = await launch(daemon, "exec sleep 1000");
  for (const { id } of [one, two]) await wake(daemon, id, leaves("room"));
  expect(await wakesOf(daemon, one.id)).toMatchObject([{ state: "queued" }]);
  await daemon.client.call("kill", { session: lives.id, graceMs: 0 });
  for (const { id } of [one, two]) await ended(daemon, id, 2);
  expect([said(one), said(two)]).toEqual([["room"], ["room"]]);
});

test("many that are due at once all come, each once", async () => {
  const daemon = await startDaemon();
  const sessions = await Promise.all(Array.from({ length: 12 }, () => conversed(daemon)));
  const at = new Date(Date.now() + 1500).toISOString();
  for (const { id } of sessions) await wake(daemon, id, leaves("due"), { at });
  for (const { id } of sessions) await ended(daemon, id, 2);
  expect(sessions.map(said)).toEqual(sessions.map(() => ["due"]));
});

/** Takes the write lock as any program with SQLite could. */
function holdStore(home: string): { release: () => void } {
  const db = new Database(join(home, "ledger.sqlite3"), { timeout: 2000 });
  db.exec("BEGIN IMMEDIATE");
  return {
    release: () => {
      db.exec("ROLLBACK");
      db.close();
    },
  };
}

/** Resolves when the daemon has logged it. */
const logged = (home: string, text: string): Promise<void> =>
  expect
    .poll(() => readFileSync(join(home, "logs/daemon.1.log"), "utf8"), { timeout: 15_000 })
    .toContain(text);

test("a store that another program holds for longer than anybody tries delays what is due, and loses none", async () => {
  const daemon = await startDaemon();
  const conversation = await conversed(daemon);
  const { id } = conversation;
  await wake(daemon, id, leaves("held up"), { delay: "300ms" });
  const { release } = holdStore(daemon.home);
  await expect(wake(daemon, id, "exit 0")).rejects.toMatchObject({ code: "runtime_unavailable" });
  await logged(daemon.home, "wakes that are due could not be moved; trying again");
  expect(said(conversation)).toEqual([]);
  release();
  await ended(daemon, id, 2);
  expect(said(conversation)).toEqual(["held up"]);
});

test("a store that is held when a run is to be written down delays the run, and loses none", async () => {
  const daemon = await startDaemon();
  const project = makeProject();
  const gate = gated(project);
  const { id } = await converse(daemon, gate.script, { projectRoot: project });
  await wake(daemon, id, leaves("held up"));
  // The daemon sees the end only when the store is held.
  process.kill(daemon.pid, "SIGSTOP");
  await gate.open();
  const isOver = () =>
    inStore(daemon.home, (db) => db.prepare("SELECT ended_at IS NOT NULL FROM runs").pluck().get());
  await expect.poll(isOver).toBe(1);
  const { release } = holdStore(daemon.home);
  process.kill(daemon.pid, "SIGCONT");
  await logged(daemon.home, "a queue of wakes could not go on; trying again");
  release();
  await ended(daemon, id, 2);
  expect(said({ project })).toEqual(["held up"]);
});

test("a session that wakes itself, for now and for later, goes on after its own end", async () => {
  const daemon = await startDaemon();
  const project = makeProject();
  const coven = join(import.meta.dirname, "../../bin/coven");
  const remind = (message: string, more = ""): string =>
    `"${coven}" wake "$COVEN_SESSION_ID" '${message}' ${more} >/dev/null`;
  const script = `${remind(leaves("later"), "--delay 1s")} && ${remind(leaves("next"))} && ${leaves("first")}`;
  const { id } = await converse(daemon, script, { projectRoot: project });
  await ended(daemon, id, 3);
  expect(said({ project })).toEqual(["first", "next", "later"]);
  expect(await wakesOf(daemon, id)).toMatchObject([{ from: id }, { from: id }]);
});

test("what wakes itself without end is stopped at the limit, which is named", async () => {
  const home = makeHome();
  writeFileSync(join(home, "config.json"), JSON.stringify({ limits: { wakeChain: 2 } }), { mode: 0o600 });
  const daemon = await startDaemon(home);
  const coven = join(import.meta.dirname, "../../bin/coven");
  const again = `echo turn >> said.txt; "${coven}" wake "$COVEN_SESSION_ID" ". ./again.sh" 2>> refused.txt`;
  const project = makeProject();
  writeFileSync(join(project, "again.sh"), again);
  const { id } = await converse(daemon, ". ./again.sh", { projectRoot: project });
  await ended(daemon, id, 3);
  expect(said({ project })).toEqual(["turn", "turn", "turn"]);
  const last = (await eventsOf(daemon, id)).at(-1);
  expect(last?.payload).toMatchObject({ status: "failed", exitCode: 77 });
  expect(readFileSync(join(project, "refused.txt"), "utf8")).toContain(
    `session ${id} has woken itself 2 times in a row, and may 2 times`,
  );
  // The owner begins anew.
  await wake(daemon, id, leaves("owner"));
  await ended(daemon, id, 4);
  expect(said({ project }).at(-1)).toBe("owner");
});

test("a woken run is killed as finally as a first one", async () => {
  const daemon = await startDaemon();
  const { client } = daemon;
  const { id } = await conversed(daemon);
  const asked = await wake(daemon, id, "exec sleep 1000");
  await reached(daemon, id, asked, "delivered");
  expect((await processOf(daemon, id)).pid).toBeGreaterThan(0);
  const behind = await wake(daemon, id, leaves("never"));
  expect(await client.call("kill", { session: id, graceMs: 0 })).toMatchObject({ status: "killed" });
  expect(await wakesOf(daemon, id)).toMatchObject([
    { state: "delivered" },
    { wake: behind.wake, state: "cancelled", reason: "killed" },
  ]);
});

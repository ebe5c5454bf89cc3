import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { prune } from "../../src/capabilities/prune.ts";
import { tail } from "../../src/capabilities/tail.ts";
import { Retention } from "../../src/runtime/retention.ts";
import { openStore } from "../../src/store/store.ts";
import { type TestDaemon, makeHome, startDaemon } from "../support/daemon.ts";
import { eventsOf, launch } from "../support/launch.ts";

const pruned = async ({ client }: TestDaemon, args: object) =>
  prune.output.parse(await client.call("prune", args));

/** A lane that has printed this and ended. */
async function ended(daemon: TestDaemon, prompt: string): Promise<string> {
  const { id, cursor } = await launch(daemon, prompt);
  await daemon.client.call("watch", { sessions: [id], until: "terminal", cursor });
  return id;
}

const kindsOf = async (daemon: TestDaemon, session: string): Promise<string[]> =>
  (await eventsOf(daemon, session)).map(({ kind }) => kind);

async function outputOf({ client }: TestDaemon, session: string): Promise<string> {
  let text = "";
  for await (const bytes of client.output(session)) text += bytes.toString();
  return text;
}

/** About two megabytes. */
const flood = "yes 0123456789abcdef | head -n 120000";

describe("prune", () => {
  test("removes what ended sessions printed, says so in place of it, and keeps their record and endings", async () => {
    const daemon = await startDaemon();
    const session = await ended(daemon, `${flood}; exit 3`);
    const live = await launch(daemon, "echo begun; cat", { launchMode: "interactive" });
    await daemon.client.call("watch", {
      sessions: [live.id],
      until: "output",
      matchText: "begun",
      cursor: live.cursor,
    });
    const before = await eventsOf(daemon, session);
    const fromThere = before.at(-1)?.seq ?? 0;

    const would = await pruned(daemon, { dryRun: true, olderThanMs: 0 });
    expect(would).toMatchObject({ dryRun: true, sessions: 1 });
    expect(would.bytes).toBeGreaterThan(2_000_000);
    expect(await eventsOf(daemon, session)).toEqual(before);

    const { sessions, events, bytes } = await pruned(daemon, { olderThanMs: 0 });
    expect({ sessions, events, bytes }).toEqual({ sessions: 1, events: would.events, bytes: would.bytes });
    const after = await eventsOf(daemon, session);
    expect(after.map(({ kind }) => kind)).toEqual([
      ...["status", "status", "metadata", "output_truncated", "status", "exit"],
    ]);
    // The first row that is gone was the prompt; it is there that the reader is told.
    const marker = after.find(({ kind }) => kind === "output_truncated");
    expect(marker?.seq).toBe(before.find(({ kind }) => kind === "message")?.seq);
    expect(marker?.payload).toEqual({ droppedEvents: events, droppedBytes: bytes });
    expect(await outputOf(daemon, session)).toBe("");
    const { text } = tail.output.parse(await daemon.client.call("tail", { session }));
    expect(text).toContain(`[pruned] ${events} events with ${bytes} bytes were here`);
    // A reader in the middle of what is gone goes on behind it.
    expect(await daemon.client.call("events", { session, afterSeq: fromThere })).toMatchObject({
      events: [{ kind: "status" }, { kind: "exit" }],
    });
    expect(await daemon.client.call("status", { session })).toMatchObject({ status: "failed", exitCode: 3 });
    expect(await outputOf(daemon, live.id)).toContain("begun");
    expect(await pruned(daemon, { olderThanMs: 0 })).toMatchObject({ sessions: 0, events: 0, bytes: 0 });
  });

  test("that is cut off says so, so that it is not remembered as done", async () => {
    const store = openStore(join(makeHome(), "ledger.sqlite3"));
    const bounds = { maxAgeMs: 0, maxBytes: null };
    const retention = new Retention({
      store,
      log: pino({ level: "silent" }),
      pruned: async () => undefined,
      bounds: () => bounds,
    });
    const cutOff = retention.prune({}, { dryRun: false, signal: AbortSignal.abort() });
    await expect(cutOff).rejects.toMatchObject({ code: "runtime_unavailable" });
    store.close();
  });

  test("removes the oldest first, and no more than the size asks for", async () => {
    const daemon = await startDaemon();
    const [old, young] = [await ended(daemon, flood), await ended(daemon, flood)];
    const { usedBytes } = await pruned(daemon, { dryRun: true });
    const wanted = usedBytes - 1_000_000;
    expect(await pruned(daemon, { dryRun: true, maxBytes: wanted })).toMatchObject({ sessions: 1 });
    const done = await pruned(daemon, { maxBytes: wanted });
    expect(done.sessions).toBe(1);
    expect(done.usedBytes).toBeLessThanOrEqual(wanted);
    expect(await outputOf(daemon, old)).toBe("");
    expect((await outputOf(daemon, young)).length).toBeGreaterThan(2_000_000);
  });

  test("leaves everything where config.json sets no bounds, and is refused what is no bound", async () => {
    const home = makeHome();
    writeFileSync(join(home, "config.json"), '{"retention": {"maxAgeDays": null, "maxMegabytes": null}}');
    const daemon = await startDaemon(home);
    const session = await ended(daemon, "echo kept");
    expect(await pruned(daemon, {})).toMatchObject({ sessions: 0 });
    expect(await outputOf(daemon, session)).toContain("kept");
    const refused: unknown = expect.objectContaining({ code: "invalid_request" });
    await expect(pruned(daemon, { olderThanMs: -1 })).rejects.toThrow(refused);
    await expect(pruned(daemon, { maxBytes: 0.5 })).rejects.toThrow(refused);
    await expect(pruned(daemon, { session })).rejects.toThrow(refused);
  });

  test("removes nothing while config.json cannot be read, except by bounds that are said", async () => {
    const home = makeHome();
    writeFileSync(join(home, "config.json"), '{"retention": {"maxAgeDays": "forever"}}');
    const daemon = await startDaemon(home);
    const session = await ended(daemon, "echo kept");
    await expect(daemon.client.call("prune", { olderThanMs: 0 })).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining("retention.maxAgeDays: must be days"),
    });
    expect(await kindsOf(daemon, session)).toContain("output");
    await daemon.client.call("prune", { olderThanMs: 0, maxBytes: 10 ** 9 });
    expect(await kindsOf(daemon, session)).not.toContain("output");
  });

  test("happens by itself when a daemon starts, as config.json says", async () => {
    const home = makeHome();
    const first = await startDaemon(home);
    const [old, young] = [await ended(first, "echo old"), await ended(first, "echo young")];
    await first.stop();
    const db = new Database(join(home, "ledger.sqlite3"));
    const twoDaysAgo = new Date(Date.now() - 48 * 60 * 60 * 1000).toISOString();
    db.prepare("UPDATE sessions SET last_activity_at = ? WHERE id = ?").run(twoDaysAgo, old);
    db.close();
    writeFileSync(join(home, "config.json"), '{"retention": {"maxAgeDays": 1}, "wrong": true}');
    const second = await startDaemon(home);
    // It comes after the one that the daemon does by itself.
    expect(await pruned(second, { dryRun: true })).toMatchObject({ sessions: 0 });
    expect(await kindsOf(second, old)).toContain("output_truncated");
    expect(await kindsOf(second, young)).toContain("output");
    const logged = readdirSync(join(home, "logs")).map((name) =>
      readFileSync(join(home, "logs", name), "utf8"),
    );
    expect(logged.join("")).toContain('"sessions":1,');
    expect(logged.join("")).toContain("config.json: wrong: is no setting of Coven");
  });

  test("never holds the store for more than a moment: each transaction removes little, all of them add up in one row", async () => {
    const daemon = await startDaemon();
    const session = await ended(daemon, flood);
    const store = openStore(join(daemon.home, "ledger.sqlite3"));
    const whole = store.pruning.weigh(session);
    const sum = { events: 0, bytes: 0 };
    for (let times = 0; ; times += 1) {
      const { events, bytes } = store.pruning.removeSome(session);
      if (events === 0) {
        expect(times).toBeGreaterThan(7);
        break;
      }
      expect(bytes).toBeLessThanOrEqual(256 * 1024);
      sum.events += events;
      sum.bytes += bytes;
    }
    store.close();
    expect(sum).toEqual(whole);
    const markers = (await eventsOf(daemon, session)).filter(({ kind }) => kind === "output_truncated");
    expect(markers.map(({ payload }) => payload)).toEqual([
      { droppedEvents: whole.events, droppedBytes: whole.bytes },
    ]);
  });
});

/** Another program holds the store: nobody is kept waiting for it who does not need it, and nothing is half done. */
import Database from "better-sqlite3";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { type TestDaemon, startDaemon } from "../support/daemon.ts";
import { launch, makeProject } from "../support/launch.ts";

const listed = z.object({ sessions: z.array(z.object({ id: z.string(), status: z.string() })) });

/** Takes the write lock as any program with SQLite could. */
function hold({ home }: TestDaemon): { release: () => void } {
  const db = new Database(join(home, "ledger.sqlite3"), { timeout: 2000 });
  db.exec("BEGIN IMMEDIATE");
  onTestFinished(() => void db.close());
  return { release: () => void db.exec("ROLLBACK") };
}

test("a launch waits for the store and is done once it is free", async () => {
  const daemon = await startDaemon();
  const { release } = hold(daemon);
  const launched = launch(daemon, "exit 0");
  // Answered while the launch waits: nothing stands still.
  for (let asked = 0; asked < 20; asked += 1) await daemon.client.health();
  release();
  const { id } = await launched;
  expect(await daemon.client.call("watch", { sessions: [id] })).toMatchObject({ outcome: "met" });
});

test("a launch that cannot be recorded is refused and leaves nothing", async () => {
  const daemon = await startDaemon();
  const { release } = hold(daemon);
  const asked = { harness: "shell", projectRoot: makeProject(), prompt: "exit 0" };
  await expect(daemon.client.call("run", asked, { intentId: "a" })).rejects.toMatchObject({
    code: "runtime_unavailable",
  });
  expect(listed.parse(await daemon.client.call("list", {})).sessions).toEqual([]);
  release();
  const { id } = z
    .object({ id: z.string() })
    .parse(await daemon.client.call("run", asked, { intentId: "a" }));
  expect(listed.parse(await daemon.client.call("list", {})).sessions).toMatchObject([{ id }]);
});

test("a ritual that cannot be recorded is refused and changes nothing", async () => {
  const daemon = await startDaemon();
  const { id } = await launch(daemon, "exit 0");
  await daemon.client.call("watch", { sessions: [id] });
  const { release } = hold(daemon);
  const refused = { code: "runtime_unavailable" };
  await Promise.all([
    expect(daemon.client.call("archive", { session: id })).rejects.toMatchObject(refused),
    expect(daemon.client.call("sacrifice", { session: id, confirm: true })).rejects.toMatchObject(refused),
  ]);
  release();
  expect(await daemon.client.call("record", { session: id })).toMatchObject({ id, archived_at: null });
});

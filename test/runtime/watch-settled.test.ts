import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { type TestDaemon, startDaemon } from "../support/daemon.ts";
import { eventsOf, launch } from "../support/launch.ts";
import { eventual, launchTyped } from "../support/typed-claude.ts";

const asked = z.object({ wake: z.string(), state: z.string(), cursor: z.string() });
const turns = { harness: "turns" };

test("a session whose run has ended has settled", async () => {
  const daemon = await startDaemon();
  const { id, cursor } = await launch(daemon, "exit 3", turns);
  expect(await settled(daemon, id, { cursor })).toMatchObject({
    outcome: "met",
    sessions: [{ id, met: true, status: "failed", exitCode: 3 }],
  });
  expect(await settled(daemon, id)).toMatchObject({ outcome: "met", sessions: [{ exitCode: 3 }] });
});

test("it has not while a wake is in its queue, and then answers the run that the wake started", async () => {
  const daemon = await startDaemon();
  const { id, cursor } = await launch(daemon, `${gate}; exit 0`, turns);
  await wake(daemon, id, "echo again; exit 4");
  const waits = settled(daemon, id, { cursor });
  await open(daemon, id);
  expect(await waits).toMatchObject({ outcome: "met", sessions: [{ status: "failed", exitCode: 4 }] });
  expect(await daemon.client.call("status", { session: id })).toMatchObject({ runs: 2 });
});

test("with the cursor of run or wake it answers that run, not a newer one", async () => {
  const daemon = await startDaemon();
  const { client } = daemon;
  const first = await launch(daemon, "exit 3", turns);
  const { id } = first;
  await settled(daemon, id);
  const second = await wake(daemon, id, "exit 4");
  await settled(daemon, id, { cursor: second.cursor });
  const third = await wake(daemon, id, "exit 5");
  await settled(daemon, id, { cursor: third.cursor });
  for (const until of ["settled", "terminal"])
    for (const [{ cursor }, exitCode] of [
      [first, 3],
      [second, 4],
      [third, 5],
    ] as const)
      expect(await client.call("watch", { sessions: [id], until, cursor })).toMatchObject({
        outcome: "met",
        sessions: [{ status: "failed", exitCode }],
      });
  expect(await settled(daemon, id)).toMatchObject({ sessions: [{ exitCode: 5 }] });
});

test("a wake that is not due yet is no hindrance, but its own cursor waits for its run", async () => {
  const daemon = await startDaemon();
  const { id } = await launch(daemon, "exit 0", turns);
  await settled(daemon, id);
  const { cursor } = await wake(daemon, id, "exit 6", { delay: "700ms" });
  expect(await settled(daemon, id)).toMatchObject({
    outcome: "met",
    sessions: [{ exitCode: 0, wakes: { queued: 0, pending: 1 } }],
  });
  expect(await settled(daemon, id, { cursor, timeoutMs: 20_000 })).toMatchObject({
    outcome: "met",
    sessions: [{ exitCode: 6 }],
  });
});

test("the cursor of a wake that is taken back waits for that", async () => {
  const daemon = await startDaemon();
  const { id } = await launch(daemon, "exit 3", turns);
  await settled(daemon, id);
  const { wake: waiting, cursor } = await wake(daemon, id, "exit 6", { delay: "1h" });
  expect(await settled(daemon, id, { cursor, timeoutMs: 50 })).toMatchObject({ outcome: "waiting" });
  const waits = settled(daemon, id, { cursor });
  await daemon.client.call("unwake", { wake: waiting });
  expect(await waits).toMatchObject({ outcome: "met", sessions: [{ status: "failed", exitCode: 3 }] });
});

test("a queue that a failed run holds has settled, and the answer says so", async () => {
  const daemon = await startDaemon();
  const { id, cursor } = await launch(daemon, `${gate}; exit 9`, turns);
  await wake(daemon, id, "echo never");
  const waits = settled(daemon, id, { cursor });
  await open(daemon, id);
  const held = { exitCode: 9, wakes: { queued: 1, held: "run_failed" } };
  expect(await waits).toMatchObject({ outcome: "met", sessions: [held] });
  expect(await settled(daemon, id)).toMatchObject({ outcome: "met", sessions: [held] });
});

test("any, all or a number of many sessions are waited for in one call", async () => {
  const daemon = await startDaemon();
  const { client } = daemon;
  const ids: string[] = [];
  for (const code of [0, 1, 2]) ids.push((await launch(daemon, `${gate}; exit ${code}`, turns)).id);
  const [one = "", two = "", three = ""] = ids;
  const waits = client.call("watch", { sessions: ids, until: "settled", count: 2 });
  await open(daemon, two);
  await open(daemon, three);
  expect(await waits).toMatchObject({
    outcome: "met",
    sessions: [
      { id: one, met: false, status: "running" },
      { id: two, met: true, exitCode: 1 },
      { id: three, met: true, exitCode: 2 },
    ],
  });
});

test("a wait for output goes on over an end that a wake follows, and is gone at one that none does", async () => {
  const daemon = await startDaemon();
  const { client } = daemon;
  const { id, cursor } = await launch(daemon, `${gate}; exit 0`, turns);
  await wake(daemon, id, "echo said-second");
  const waits = client.call("watch", { sessions: [id], matchText: "said-second", cursor });
  const never = client.call("watch", { sessions: [id], matchText: "said-never", cursor });
  await open(daemon, id);
  expect(await waits).toMatchObject({ outcome: "met", sessions: [{ line: "said-second" }] });
  expect(await never).toMatchObject({ outcome: "gone" });
  expect((await eventsOf(daemon, id)).filter(({ kind }) => kind === "exit")).toHaveLength(2);
});

test("whoever waits for a question is told of an end as well", async () => {
  const daemon = await startDaemon();
  const { id, cursor } = await launch(daemon, "exit 3", turns);
  const wait = { sessions: [id], until: "attention", cursor };
  expect(await daemon.client.call("watch", wait)).toMatchObject({
    outcome: "met",
    sessions: [{ status: "failed", exitCode: 3 }],
  });
});

/** Runs on until it is let through. */
const gate = "until [ -e gate ]; do sleep 0.02; done";

async function open({ client }: TestDaemon, session: string): Promise<void> {
  const { project_root } = projectOf.parse(await client.call("record", { session }));
  writeFileSync(join(project_root, "gate"), "");
}

const projectOf = z.object({ project_root: z.string() });

const settled = ({ client }: TestDaemon, session: string, more: object = {}): Promise<unknown> =>
  client.call("watch", { sessions: [session], until: "settled", ...more });

const wake = async ({ client }: TestDaemon, session: string, message: string, more: object = {}) =>
  asked.parse(await client.call("wake", { session, message, ...more }));

test("whoever waits for an end that only they can bring about is told what the session waits for", async () => {
  const daemon = await startDaemon();
  const { client } = daemon;
  const { id } = await launchTyped(daemon);
  const waited = () => client.call("watch", { sessions: [id], until: "terminal", timeoutMs: 1 });
  await eventual(daemon, id, "activity", { state: "waiting" });
  expect(await waited()).toMatchObject({
    outcome: "waiting",
    hint: `${id} waits for a prompt: wake it, or kill it if it is done. Then call watch again with this cursor.`,
  });
  await client.call("input", { session: id, keys: ["ctrl-o"] });
  await eventual(daemon, id, "activity", { state: "attention" });
  expect(await waited()).toMatchObject({
    hint: `${id} asks something: status tells what, answer replies. Then call watch again with this cursor.`,
  });
});

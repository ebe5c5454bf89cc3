import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";
import { identify, stillLiving } from "../../src/runtime/host/processes.ts";
import { type TestDaemon, makeHome, startDaemon } from "../support/daemon.ts";
import { eventsOf, launch } from "../support/launch.ts";

const hostPid = (home: string): number =>
  Number(readdirSync(home).flatMap((name) => /^host-(\d+)\.sock$/.exec(name)?.[1] ?? [])[0]);

async function processOf({ client }: TestDaemon, session: string) {
  const { pid } = z.object({ pid: z.int() }).parse(await client.call("status", { session }));
  const identity = identify(pid);
  if (identity === undefined) throw new Error(`process ${pid} is gone`);
  return identity;
}

test("a session goes on while its daemon is killed, and the next daemon misses nothing of it", async () => {
  const home = makeHome();
  const first = await startDaemon(home);
  const { id, cursor } = await launch(first, "echo one; read line; echo two $line", {
    launchMode: "interactive",
  });
  await first.client.call("watch", { sessions: [id], matchText: "one", cursor });
  const harness = await processOf(first, id);

  process.kill(first.pid, "SIGKILL");
  await first.exited;
  expect(stillLiving([harness])).toHaveLength(1);

  const second = await startDaemon(home);
  expect(await second.client.call("status", { session: id })).toMatchObject({
    status: "running",
    pid: harness.pid,
  });
  await second.client.call("input", { session: id, data: "x\n" });
  expect(await second.client.call("watch", { sessions: [id], cursor })).toMatchObject({
    sessions: [{ status: "completed", exitCode: 0 }],
  });
  const output = (await eventsOf(second, id))
    .filter(({ kind }) => kind === "output")
    .map(({ payload }) => payload);
  expect(JSON.stringify(output)).toMatch(/one.*two x/s);
});

test("stopped with keep, the daemon leaves its sessions running; stopped, it ends and names them", async () => {
  const home = makeHome();
  const first = await startDaemon(home);
  const { id } = await launch(first, "read line", { launchMode: "interactive", title: "waits" });
  const harness = await processOf(first, id);
  expect(await first.client.shutdown(true)).toMatchObject({ ended: [], survived: [] });
  await first.exited;
  expect(stillLiving([harness])).toHaveLength(1);

  const second = await startDaemon(home);
  expect(await second.client.shutdown(false)).toMatchObject({
    ended: [{ id, title: "waits" }],
    survived: [],
  });
  await second.exited;
  expect(stillLiving([harness])).toEqual([]);
  expect(readdirSync(home).filter((name) => name.endsWith(".sock"))).toEqual([]);

  const third = await startDaemon(home);
  expect(await third.client.call("status", { session: id })).toMatchObject({
    status: "orphaned",
    exitCode: null,
  });
});

test("when the host is killed its sessions become orphaned and nothing of them is left", async () => {
  const home = makeHome();
  const daemon = await startDaemon(home);
  const script =
    "trap '' HUP TERM; sh -c 'trap \"\" HUP TERM; echo ready; read line; sleep 1000'; sleep 1000";
  const { id, cursor } = await launch(daemon, script, { launchMode: "interactive" });
  await daemon.client.call("watch", { sessions: [id], matchText: "ready", cursor });
  const harness = await processOf(daemon, id);

  const waiting = daemon.client.call("watch", { sessions: [id] });
  process.kill(hostPid(home), "SIGKILL");
  expect(await waiting).toMatchObject({ outcome: "met", sessions: [{ status: "orphaned", exitCode: null }] });
  expect((await eventsOf(daemon, id)).at(-1)).toMatchObject({
    kind: "exit",
    payload: { status: "orphaned" },
  });

  // The next lane runs on a new host, which has ended what the lost one left before the lane is over.
  const next = await launch(daemon, "exit 0");
  expect(await daemon.client.call("watch", { sessions: [next.id] })).toMatchObject({
    sessions: [{ status: "completed" }],
  });
  await daemon.stop();
  expect(stillLiving([harness])).toEqual([]);
});

test("a daemon that starts after its host was lost finds the sessions orphaned and ends what they left", async () => {
  const home = makeHome();
  const first = await startDaemon(home);
  const { id, cursor } = await launch(first, "trap '' HUP; echo ready; while :; do sleep 1; done", {
    launchMode: "interactive",
  });
  await first.client.call("watch", { sessions: [id], matchText: "ready", cursor });
  const harness = await processOf(first, id);
  const host = hostPid(home);
  process.kill(first.pid, "SIGKILL");
  await first.exited;
  process.kill(host, "SIGKILL");
  expect(stillLiving([harness])).toHaveLength(1);

  const second = await startDaemon(home);
  expect(await second.client.call("status", { session: id })).toMatchObject({
    status: "orphaned",
    active: false,
  });
  await second.stop();
  expect(stillLiving([harness])).toEqual([]);
});

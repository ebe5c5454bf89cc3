import { readdirSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { z } from "zod";
import type { EventRecord } from "../../src/events.ts";
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

test("a watch and an event reader go on over a killed daemon from where they were, and miss nothing", async () => {
  const home = makeHome();
  const first = await startDaemon(home);
  const { id, cursor } = await launch(
    first,
    "stty -echo; i=0; while [ $i -lt 300 ]; do echo line $i; i=$((i+1)); done; echo half; read go; while [ $i -lt 600 ]; do echo line $i; i=$((i+1)); done",
    { launchMode: "interactive" },
  );
  await first.client.call("watch", { sessions: [id], matchText: "half", cursor });
  const seen: EventRecord[] = [];
  const reading = (async () => {
    for await (const event of first.client.events(id, 0)) seen.push(event);
  })().catch(() => undefined); // the daemon breaks off, as it is killed
  const watching = first.client.call("watch", { sessions: [id], cursor }).catch((error: unknown) => error);
  await expect.poll(() => seen.length).toBeGreaterThan(0);

  process.kill(first.pid, "SIGKILL");
  await first.exited;
  await reading;
  expect(await watching).toMatchObject({ code: "runtime_unavailable" });

  const second = await startDaemon(home);
  const ended = second.client.call("watch", { sessions: [id], cursor });
  await second.client.call("input", { session: id, keys: ["enter"] });
  for await (const event of second.client.events(id, seen.at(-1)?.seq ?? 0)) {
    seen.push(event);
    if (event.kind === "exit") break;
  }
  expect(await ended).toMatchObject({ outcome: "met", sessions: [{ status: "completed", exitCode: 0 }] });
  expect(seen.map(({ seq }) => seq)).toEqual((await eventsOf(second, id)).map(({ seq }) => seq));
  const printed = seen
    .map(({ kind, payload_json }) => (kind === "output" ? dataOf(payload_json) : ""))
    .join("");
  const lines = Array.from({ length: 600 }, (_, number) => `line ${number}`);
  expect(printed.split("\r\n").filter((line) => line.startsWith("line"))).toEqual(lines);
});

const dataOf = (json: string): string => z.object({ data: z.string() }).parse(JSON.parse(json)).data;

test.each([
  // The previous release's host closes the input of every harness on pipes, so nothing new may go there.
  { version: "the previous", protocol: 1, status: "running", isAsked: true },
  { version: "a newer", protocol: 99, status: "running", isAsked: false },
])(
  "the sessions of a host of $version version go on; only an older one is spoken to, and new runs go to a host of our own",
  async ({ protocol, status, isAsked }) => {
    const home = makeHome();
    const first = await startDaemon(home);
    const { id } = await launch(first, "read line", { launchMode: "interactive" });
    const harness = await processOf(first, id);
    const host = hostPid(home);
    process.kill(first.pid, "SIGKILL");
    await first.exited;
    const ledger = new Database(join(home, "ledger.sqlite3"));
    ledger.prepare("UPDATE hosts SET protocol = ?").run(protocol);
    ledger.close();

    const second = await startDaemon(home);
    expect(await second.client.call("status", { session: id })).toMatchObject({ status });
    const next = await launch(second, "exit 0");
    expect(await second.client.call("watch", { sessions: [next.id] })).toMatchObject({
      sessions: [{ status: "completed" }],
    });
    expect(stillLiving([harness])).toHaveLength(1);
    expect(readdirSync(home).filter((name) => name.startsWith("host-"))).toHaveLength(2);
    if (isAsked) {
      await second.client.call("kill", { session: id });
      // It holds nothing any more, and goes with the next launch.
      const before = identify(host);
      await launch(second, "exit 0");
      await expect
        .poll(() => stillLiving(before === undefined ? [] : [before]), { timeout: 5000 })
        .toEqual([]);
    } else {
      await expect(second.client.call("kill", { session: id })).rejects.toMatchObject({
        code: "runtime_unavailable",
      });
      expect(stillLiving([harness])).toHaveLength(1);
      process.kill(-harness.pid, "SIGKILL");
      process.kill(host, "SIGTERM");
    }
  },
);

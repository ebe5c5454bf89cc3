/** Telling a session that what it launched has ended: once for each run, whatever it and its daemon do meanwhile. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { type Client, createClient } from "../../src/rpc/client.ts";
import { type TestDaemon, makeHome, startDaemon } from "../support/daemon.ts";
import { eventsOf, makeProject } from "../support/launch.ts";
import { conversed, converse, ended, gated, leaves, said, story, wake, wakesOf } from "../support/wakes.ts";

const launched = z.object({ id: z.string() });

/** A parent in its first turn, which lasts until its gate is opened, and a client that asks as it. */
async function parentOf(daemon: TestDaemon, rest = "exit 0") {
  const project = makeProject();
  const gate = gated(project, "gate", rest);
  const script = `printf %s "$COVEN_TOKEN" > token; ${gate.script}`;
  const { id, cursor } = await converse(daemon, script, { projectRoot: project, title: "the parent" });
  await daemon.client.call("watch", { sessions: [id], cursor, matchText: "at gate" });
  const token = readFileSync(join(project, "token"), "utf8");
  const client = createClient({ kind: "socket", path: daemon.socket, token }, "test");
  return { id, project, gate, client };
}

/** A child that ends when its own gate is opened. */
async function childOf(
  parent: { client: Client; project: string },
  name: string,
  rest = "exit 0",
  more: object = {},
) {
  const gate = gated(parent.project, name, rest);
  const input = { harness: "turns", projectRoot: parent.project, prompt: gate.script, title: name };
  const { id } = launched.parse(await parent.client.call("run", { ...input, wakeParent: true, ...more }));
  return { id, gate };
}

/** What the session was told by others, turn by turn. */
const toldTo = async (daemon: TestDaemon, session: string): Promise<string[]> =>
  (await eventsOf(daemon, session)).flatMap(({ kind, payload }) => {
    const said = message.safeParse(payload).data;
    return kind === "message" && said?.text.startsWith("[Coven]") === true ? [said.text] : [];
  });
const message = z.object({ role: z.literal("user"), text: z.string() });

async function killed(daemon: TestDaemon): Promise<void> {
  process.kill(daemon.pid, "SIGKILL");
  await daemon.exited;
}

test("a parent that has a turn is told after its end; one that has ended is resumed", async () => {
  const daemon = await startDaemon();
  const parent = await parentOf(daemon);
  const [one, two] = [await childOf(parent, "one", "exit 3"), await childOf(parent, "two")];
  await one.gate.open();
  await ended(daemon, one.id);
  await expect.poll(() => wakesOf(daemon, parent.id)).toMatchObject([{ state: "queued", from: one.id }]);
  await parent.gate.open();
  await ended(daemon, parent.id, 2);
  await two.gate.open();
  await ended(daemon, parent.id, 3);
  const [first = "", second = ""] = await toldTo(daemon, parent.id);
  expect(first).toContain(`Session ${one.id} (one), which you launched, has ended: failed, exit code 3.`);
  expect(second).toContain(`Session ${two.id} (two), which you launched, has ended: completed, exit code 0.`);
  const cursor = /Cursor: (\S+)/.exec(second)?.[1];
  expect(await daemon.client.call("watch", { sessions: [parent.id], cursor })).toMatchObject({
    outcome: "met",
  });
  expect(await wakesOf(daemon, parent.id)).toMatchObject([{ state: "delivered" }, { state: "delivered" }]);
});

test("a child that is woken tells its parent again when it ends again", async () => {
  const daemon = await startDaemon();
  const parent = await parentOf(daemon);
  const child = await childOf(parent, "child");
  await parent.gate.open();
  await ended(daemon, parent.id);
  await child.gate.open();
  await ended(daemon, parent.id, 2);
  await wake(daemon, child.id, "exit 5");
  await ended(daemon, parent.id, 3);
  const [first, second] = await toldTo(daemon, parent.id);
  expect(first).toContain("completed, exit code 0");
  expect(second).toContain("failed, exit code 5");
});

test("what ended while the daemon was down, or was about to be told, is told once", async () => {
  const home = makeHome();
  const first = await startDaemon(home);
  const parent = await parentOf(first);
  const child = await childOf(parent, "child");
  await parent.gate.open();
  await ended(first, parent.id);
  await killed(first);
  await child.gate.open();
  const second = await startDaemon(home);
  await ended(second, parent.id, 2);
  await killed(second);
  const third = await startDaemon(home);
  // Answered behind everything that the daemon does when it starts.
  await wake(third, parent.id, "exit 0");
  await ended(third, parent.id, 3);
  expect(await toldTo(third, parent.id)).toHaveLength(1);
});

test("a parent that was killed is not woken, which can be seen; one that has failed is told when it goes on", async () => {
  const daemon = await startDaemon();
  const gone = await parentOf(daemon);
  const one = await childOf(gone, "one");
  await daemon.client.call("kill", { session: gone.id, graceMs: 0 });
  await one.gate.open();
  for await (const { state, reason } of story(daemon, gone.id, "wake"))
    if (state === "cancelled") {
      expect(reason).toBe("killed");
      break;
    }
  expect(await toldTo(daemon, gone.id)).toEqual([]);

  const failed = await parentOf(daemon, "exit 3");
  const two = await childOf(failed, "two");
  await failed.gate.open();
  await ended(daemon, failed.id);
  await two.gate.open();
  await expect.poll(() => wakesOf(daemon, failed.id)).toMatchObject([{ held: "run_failed" }]);
  await wake(daemon, failed.id, "exit 0");
  await ended(daemon, failed.id, 3);
  expect(await toldTo(daemon, failed.id)).toHaveLength(1);
});

test("when the parent is sacrificed nobody is told in its place", async () => {
  const daemon = await startDaemon();
  const grandparent = await parentOf(daemon);
  const project = grandparent.project;
  const script = `printf %s "$COVEN_TOKEN" > inner; echo here; cat gate2 >/dev/null`;
  const gate = gated(project, "gate2");
  const parent = launched.parse(
    await grandparent.client.call("run", { harness: "turns", projectRoot: project, prompt: script }),
  );
  await daemon.client.call("watch", {
    sessions: [parent.id],
    until: "output",
    matchText: "here",
    cursor: "0",
  });
  const token = readFileSync(join(project, "inner"), "utf8");
  const client = createClient({ kind: "socket", path: daemon.socket, token }, "test");
  const child = await childOf({ client, project }, "child");
  await gate.open();
  await ended(daemon, parent.id);
  await daemon.client.call("sacrifice", { session: parent.id, confirm: true });
  await child.gate.open();
  await ended(daemon, child.id);
  await wake(daemon, grandparent.id, leaves("after"));
  await grandparent.gate.open();
  await ended(daemon, grandparent.id, 2);
  expect(said({ project })).toEqual(["after"]);
  expect(await wakesOf(daemon, grandparent.id)).toHaveLength(1);
});

test("a parent that launches again whenever it is told comes to an end, and those who woke each other are named", async () => {
  const home = makeHome();
  writeFileSync(join(home, "config.json"), JSON.stringify({ limits: { wakeChain: 2 } }), { mode: 0o600 });
  const daemon = await startDaemon(home);
  const parent = await parentOf(daemon);
  const again = `"$COVEN_BIN" run --detach --mode nonInteractive --wake-parent turns "exit 0"`;
  writeFileSync(join(parent.project, "hears.sh"), again);
  const child = await childOf(parent, "child");
  await child.gate.open();
  await parent.gate.open();
  for await (const { state, reason, from } of story(daemon, parent.id, "wake"))
    if (state === "failed") {
      expect(reason).toContain("limit_exceeded");
      for (const each of [parent.id, from]) expect(reason).toContain(each);
      break;
    }
  expect((await wakesOf(daemon, parent.id)).map(({ state }) => state)).toEqual([
    "delivered",
    "delivered",
    "failed",
  ]);
  expect(await toldTo(daemon, parent.id)).toHaveLength(2);
});

test("the owner has no parent to be woken, and is told so", async () => {
  const daemon = await startDaemon();
  const { id } = await conversed(daemon);
  expect(id).not.toBe("");
  await expect(converse(daemon, "exit 0", { wakeParent: true })).rejects.toMatchObject({
    code: "invalid_request",
  });
});

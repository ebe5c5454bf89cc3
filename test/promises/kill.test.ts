/** After a kill nothing of the run is left, whatever the processes or the store do. */
import { join } from "node:path";
import Database from "better-sqlite3";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { stillLiving } from "../../src/runtime/host/processes.ts";
import { makeHome, startDaemon } from "../support/daemon.ts";
import { eventsOf } from "../support/launch.ts";
import {
  digestOf,
  identified,
  launchOn,
  numberedFile,
  outputDigest,
  outputOf,
  processOf,
} from "../support/lanes.ts";

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));

test("a kill ends what ignores it, its child, and a grandchild that has hidden every trace but was seen before", async () => {
  const daemon = await startDaemon();
  const { id, cursor } = await launchOn(
    "pty",
    daemon,
    `exec ${process.execPath} ${fixture("hides-grandchild.mjs")}`,
  );
  await daemon.client.call("watch", { sessions: [id], cursor, matchText: "all hidden" });
  const printed = (await outputOf(daemon, id)).toString();
  const tree = [...printed.matchAll(/ready (\d+)/g)].map(([, pid]) => identified(Number(pid)));
  expect(stillLiving(tree)).toHaveLength(3);
  expect(await daemon.client.call("kill", { session: id, graceMs: 100 })).toMatchObject({ status: "killed" });
  expect(stillLiving(tree)).toEqual([]);
});

test("a kill needs no store: while another program holds it, the answer comes and the processes are gone", async () => {
  const home = makeHome();
  const daemon = await startDaemon(home);
  const { path, bytes } = numberedFile(8);
  const killed = await launchOn("pty", daemon, "echo ready; exec sleep 1000");
  const flooding = await launchOn("pty", daemon, `stty -opost -echo; echo ready; read go; exec cat ${path}`);
  for (const { id, cursor } of [killed, flooding])
    await daemon.client.call("watch", { sessions: [id], cursor, matchText: "ready" });
  const [harness, flooder] = [await processOf(daemon, killed.id), await processOf(daemon, flooding.id)];

  const other = new Database(join(home, "ledger.sqlite3"));
  other.exec("BEGIN IMMEDIATE");
  await daemon.client.call("input", { session: flooding.id, keys: ["enter"] });
  expect(await daemon.client.call("kill", { session: killed.id })).toMatchObject({
    id: killed.id,
    status: "killed",
    exit_code: null,
  });
  expect(stillLiving([harness])).toEqual([]);
  // Asked again it says the same, and nothing in the answer depends on when the store takes it.
  expect(await daemon.client.call("kill", { session: killed.id })).toMatchObject({ status: "killed" });
  expect(await daemon.client.health()).toMatchObject({ ok: true });
  // More was printed than is kept waiting, so the harness waits, too.
  expect(stillLiving([flooder])).toHaveLength(1);
  other.exec("COMMIT");
  other.close();

  for (const { id, cursor } of [killed, flooding])
    await daemon.client.call("watch", { sessions: [id], cursor });
  expect((await eventsOf(daemon, killed.id)).slice(-3).map(({ kind }) => kind)).toEqual([
    "kill",
    "status",
    "exit",
  ]);
  expect(await outputDigest(daemon, flooding.id)).toBe(digestOf(Buffer.from("ready\n"), bytes));
});

test("a session is told as killed when its whole tree is gone, not when its harness is", async () => {
  const daemon = await startDaemon();
  const { id, cursor } = await launchOn(
    "pty",
    daemon,
    "(trap '' TERM HUP; sh -c 'echo child $$; while :; do sleep 1; done') & exec sleep 1000",
  );
  await daemon.client.call("watch", { sessions: [id], cursor, matchText: "child" });
  const printed = (await outputOf(daemon, id)).toString();
  const child = identified(Number(/child (\d+)/.exec(printed)?.[1]));
  const told = daemon.client.call("watch", { sessions: [id], cursor }).then(() => stillLiving([child]));
  expect(await daemon.client.call("kill", { session: id, graceMs: 600 })).toMatchObject({ status: "killed" });
  expect(await told).toEqual([]);
});

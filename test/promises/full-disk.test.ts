/** A disk that is full pauses the harnesses, not the promise: nothing is lost, kill works, and it goes on by itself. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { createClient } from "../../src/rpc/client.ts";
import { stillLiving } from "../../src/runtime/host/processes.ts";
import { makeHome } from "../support/daemon.ts";
import {
  allEventsOf,
  digestOf,
  hostsOf,
  launchOn,
  numberedFile,
  outputDigest,
  processOf,
} from "../support/lanes.ts";

const launcher = fileURLToPath(new URL("../../bin/coven", import.meta.url));

/** How a process gets a file system of its own here: as root at once, else as root of a user namespace. */
const ownMounts = [["-m"], ["-Urm"]].find(
  (flags) => spawnSync("unshare", [...flags, "mount", "-t", "tmpfs", "none", "/mnt"]).status === 0,
);

/** A daemon whose home is a file system of 64 MB: the flood, twice while it is folded back, and the reserve. Its files are seen through its process. */
async function startOnSmallDisk(flags: readonly string[]) {
  const home = makeHome();
  const script =
    'cp -r "$COVEN_HOME/adapters" "$HOME.adapters" && mount -t tmpfs -o size=64m,mode=700 none "$COVEN_HOME" && mv "$HOME.adapters" "$COVEN_HOME/adapters" && exec "$0" daemon serve';
  const child = spawn("unshare", [...flags, "sh", "-c", script, launcher], {
    env: { COVEN_HOME: home, HOME: home, PATH: "/usr/local/bin:/usr/bin:/bin", SHELL: "/bin/sh" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const disk = `/proc/${child.pid ?? 0}/root${home}`;
  const exited = once(child, "exit");
  const client = createClient({ kind: "socket", path: join(disk, "coven.sock") }, "test");
  onTestFinished(async () => {
    const hosts = existsSync(disk) ? hostsOf(disk) : [];
    await client.shutdown(false).catch(() => child.kill("SIGKILL"));
    await exited;
    for (const host of hosts) spawnSync("kill", ["-KILL", String(host)]);
  });
  await Promise.race([once(child.stdout, "data"), exited]);
  expect(child.exitCode).toBeNull();
  return { client, disk };
}

/** Takes all the space that is left. Answers how to give it back. */
function fill(disk: string): () => void {
  const path = join(disk, "filler");
  const fd = openSync(path, "w");
  for (const size of [1024 * 1024, 4096]) {
    const piece = Buffer.alloc(size, 1);
    try {
      for (;;) writeSync(fd, piece);
    } catch (error) {
      expect(error).toMatchObject({ code: "ENOSPC" });
    }
  }
  closeSync(fd);
  return () => rmSync(path);
}

test.skipIf(ownMounts === undefined)(
  "on a full disk harnesses pause, launches are refused, kill works and is remembered; with space all goes on, whole (skipped where no file system can be mounted)",
  { timeout: 60_000 },
  async () => {
    const daemon = await startOnSmallDisk(ownMounts ?? []);
    const { client, disk } = daemon;
    const { path, bytes } = numberedFile(12);
    const flooding = await launchOn(
      "pty",
      daemon,
      `stty -opost -echo; echo ready; read go; cat ${path}; exit 3`,
    );
    const killed = await launchOn("pty", daemon, "echo ready; exec sleep 1000");
    for (const { id, cursor } of [flooding, killed])
      await client.call("watch", { sessions: [id], cursor, matchText: "ready" });
    const flooder = await processOf(daemon, flooding.id);
    const harness = await processOf(daemon, killed.id);
    await expect.poll(() => existsSync(join(disk, "reserve"))).toBe(true);
    expect(await client.health()).toMatchObject({ store: "ok" });

    const giveBack = fill(disk);
    await client.call("input", { session: flooding.id, keys: ["enter"] });
    await expect.poll(() => client.health(), { timeout: 10_000 }).toMatchObject({ store: "store_full" });
    expect(await client.call("status", {})).toMatchObject({ live: 2, store: "store_full" });
    expect(await client.call("status", { session: flooding.id })).toMatchObject({
      status: "running",
      store: "store_full",
    });
    expect((await allEventsOf(daemon, flooding.id)).length).toBeGreaterThan(0);

    await expect(launchOn("pty", daemon, "exit 0")).rejects.toMatchObject({ code: "store_full" });
    expect(await client.call("status", {})).toMatchObject({ live: 2 });

    expect(await client.call("kill", { session: killed.id })).toMatchObject({ status: "killed" });
    expect(stillLiving([harness])).toEqual([]);
    // The room kept for it lets it be remembered at once, and only it: the flood stays where it is.
    await expect
      .poll(() => client.call("status", { session: killed.id }))
      .toMatchObject({ status: "killed", active: false });
    expect(existsSync(join(disk, "reserve"))).toBe(false);
    expect(stillLiving([flooder])).toHaveLength(1);

    giveBack();
    expect(await client.call("watch", { sessions: [flooding.id], cursor: flooding.cursor })).toMatchObject({
      sessions: [{ status: "failed", exitCode: 3 }],
    });
    expect(await outputDigest(daemon, flooding.id)).toBe(digestOf(Buffer.from("ready\n"), bytes));
    await expect.poll(() => client.health()).toMatchObject({ store: "ok" });
    expect(existsSync(join(disk, "reserve"))).toBe(true);
    const next = await launchOn("pty", daemon, "exit 0");
    expect(await client.call("watch", { sessions: [next.id], cursor: next.cursor })).toMatchObject({
      sessions: [{ status: "completed" }],
    });
  },
);

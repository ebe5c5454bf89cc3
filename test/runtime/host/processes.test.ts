import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { darwin } from "../../../src/runtime/host/processes-darwin.ts";
import {
  described,
  identify,
  isSame,
  listProcesses,
  lookAround,
  stillLiving,
} from "../../../src/runtime/host/processes.ts";
import { endAll, start, startBesideUs } from "./program.ts";

afterEach(endAll);

const listed = (pid: number) => listProcesses().find((found) => found.pid === pid);

describe("the list of processes", () => {
  it("holds our own process with its parent", () => {
    expect(listed(process.pid)).toMatchObject({ ppid: process.ppid, state: "running" });
  });

  it("tells who leads a session and a group", async () => {
    const leader = await start("forever.mjs");
    expect(listed(leader.pid)).toMatchObject({ pgid: leader.pid, sid: leader.pid, ppid: process.pid });
    const beside = await startBesideUs("forever.mjs");
    expect(listed(beside.pid)).toMatchObject({ pgid: listed(process.pid)?.pgid, ppid: process.pid });
  });

  it("tells what is stopped, and what has ended without its parent having noticed", async () => {
    const parent = await start("forks-child.mjs");
    const pids = [await parent.announced(), await parent.announced()];
    const child = pids.find((pid) => pid !== parent.pid) ?? 0;
    const identity = identify(child);
    process.kill(parent.pid, "SIGSTOP");
    await expect.poll(() => listed(parent.pid)?.state).toBe("stopped");
    process.kill(child, "SIGKILL");
    await expect.poll(() => listed(child)?.state).toBe("zombie");
    expect(identity && stillLiving([identity])).toEqual([]);
  });

  it("reads a name that looks like the end of a name", async () => {
    const folder = mkdtempSync(join(tmpdir(), "coven-"));
    try {
      symlinkSync("/bin/sleep", join(folder, "a) S 1 (b"));
      const child = spawn(join(folder, "a) S 1 (b"), ["60"], { stdio: "ignore" });
      await once(child, "spawn");
      expect(listed(child.pid ?? 0)).toMatchObject({ ppid: process.pid, state: "running" });
      child.kill("SIGKILL");
      await once(child, "exit");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("is the same when read from ps", async () => {
    const { pid } = await start("forever.mjs");
    const found = described(listed(pid) ?? expect.fail("not listed"));
    expect(darwin.read([pid])).toEqual([{ ...found, startTime: darwin.read([pid])[0]?.startTime }]);
    expect(darwin.list().find((each) => each.pid === pid)).toEqual(darwin.read([pid])[0]);
  });
});

describe("an identity", () => {
  it("stays the same while the process lives, and is gone with it", async () => {
    const program = await start("forever.mjs");
    const identity = identify(program.pid);
    await program.line();
    expect(identity && isSame(program.root, identity)).toBe(true);
    expect(stillLiving([program.root]).map(({ pid }) => pid)).toEqual([program.pid]);
    process.kill(program.pid, "SIGKILL");
    await program.exited;
    expect(identify(program.pid)).toBeUndefined();
    expect(stillLiving([program.root])).toEqual([]);
  });

  it("is not that of an earlier process with the same pid", () => {
    const { startTime = "" } = identify(process.pid) ?? {};
    expect(stillLiving([{ pid: process.pid, startTime: `${startTime}0` }])).toEqual([]);
  });
});

describe("the run's marker", () => {
  it("is found in the environment, only as a whole", async () => {
    const { pid, root } = await start("forever.mjs");
    const { runIds } = lookAround();
    expect(runIds.get(pid)).toBe(root.runId);
    expect(runIds.get(process.pid)).not.toBe(root.runId);
  });
});

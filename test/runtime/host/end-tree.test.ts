import { once } from "node:events";
import { randomUUID } from "node:crypto";
import { spawn as spawnInTerminal } from "node-pty";
import { afterEach, describe, expect, it } from "vitest";
import { endTree } from "../../../src/runtime/host/end-tree.ts";
import { findTree } from "../../../src/runtime/host/process-tree.ts";
import { identify } from "../../../src/runtime/host/processes.ts";
import { endAll, isLiving, livingInGroup, start, startAs } from "./program.ts";

afterEach(endAll);

/** Whoever waits for this grace to run out runs into the limit of the test. */
const patient = { graceMs: 60_000, deadlineMs: 120_000 };
const impatient = { graceMs: 50, deadlineMs: 5_000 };

describe("the end of a tree", () => {
  it("comes as soon as all have followed SIGTERM, and lets them tidy up", async () => {
    const run = await start("tidies-up.mjs");
    await run.announced();
    expect(await endTree(run.root, patient)).toEqual({ survivors: [] });
    expect(await run.line()).toBe("tidied");
    expect(await run.exited).toEqual([3, null]);
  });

  it("begins with a standstill, so that nothing can fork away", async () => {
    const run = await start("tidies-up.mjs");
    await run.announced();
    const ending = endTree(run.root, patient);
    await expect.poll(() => findTree(run.root)[0]?.state, { interval: 0 }).toBe("stopped");
    await ending;
  });

  it("takes the children along", async () => {
    const run = await start("forks-child.mjs");
    const pids = [await run.announced(), await run.announced()];
    expect(await endTree(run.root, patient)).toEqual({ survivors: [] });
    expect(pids.filter(isLiving)).toEqual([]);
  });

  it("is forced on what ignores SIGTERM", async () => {
    const run = await start("forks-child.mjs", "ignores-sigterm.mjs");
    const pids = [await run.announced(), await run.announced()];
    expect(await endTree(run.root, impatient)).toEqual({ survivors: [] });
    expect(pids.filter(isLiving)).toEqual([]);
  });

  it("is forced in time although the grace would outlast the deadline", async () => {
    const run = await start("ignores-sigterm.mjs");
    await run.announced();
    expect(await endTree(run.root, { graceMs: 600_000, deadlineMs: 1_100 })).toEqual({ survivors: [] });
    expect(isLiving(run.pid)).toBe(false);
  });

  it("reaches a grandchild that lost its parent and left the session", async () => {
    const run = await start("loses-grandchild.mjs", "marked");
    const pids = [await run.announced(), await run.announced()];
    expect(await endTree(run.root, patient)).toEqual({ survivors: [] });
    expect(pids.filter(isLiving)).toEqual([]);
  });

  it("reaches one that was seen before it lost every trace", async () => {
    const run = await start("loses-grandchild.mjs", "clean");
    const pids = [await run.announced(), await run.announced()];
    const known = pids.flatMap((pid) => identify(pid) ?? []);
    expect(await endTree({ ...run.root, known }, patient)).toEqual({ survivors: [] });
    expect(pids.filter(isLiving)).toEqual([]);
  });

  it("reaches a child that was started in answer to SIGTERM", async () => {
    const run = await start("starts-child-on-sigterm.mjs");
    await run.announced();
    expect(await endTree(run.root, impatient)).toEqual({ survivors: [] });
    expect(isLiving(await run.announced())).toBe(false);
  });

  it("reaches all of a tree that goes on forking", async () => {
    const run = await start("forks-on.sh");
    await run.announced();
    expect(await endTree(run.root, impatient)).toEqual({ survivors: [] });
    expect(livingInGroup(run.pid)).toBe(0);
  });

  it("reaches what a run left behind", async () => {
    const run = await start("leaves-child.mjs");
    const child = await run.announced();
    await run.exited;
    expect(await endTree(run.root, patient)).toEqual({ survivors: [] });
    expect(isLiving(child)).toBe(false);
  });

  it("reaches a process that was stopped before", async () => {
    const run = await start("tidies-up.mjs");
    await run.announced();
    process.kill(run.pid, "SIGSTOP");
    expect(await endTree(run.root, patient)).toEqual({ survivors: [] });
    expect(await run.exited).toEqual([3, null]);
  });

  it("is nothing more when all have ended", async () => {
    const run = await start("forever.mjs");
    process.kill(run.pid, "SIGKILL");
    await run.exited;
    expect(await endTree(run.root, patient)).toEqual({ survivors: [] });
  });

  it("closes an interactive shell as its terminal would, jobs included", async () => {
    const runId = randomUUID();
    const env = { ...process.env, COVEN_RUN_ID: runId, PS1: "prompt" };
    const shell = spawnInTerminal("bash", ["--norc", "--noprofile", "-i"], { env });
    try {
      const data = new EventTarget();
      let text = "";
      shell.onData((chunk) => {
        text += chunk;
        data.dispatchEvent(new Event("data"));
      });
      const ended = new Promise<{ signal?: number }>((resolve) => void shell.onExit(resolve));
      while (!text.includes("prompt")) await once(data, "data");
      shell.write("(trap '' TERM; sleep 60) & echo job''s ready\r");
      while (!text.includes("jobs ready")) await once(data, "data");

      const root = { ...(identify(shell.pid) ?? expect.fail("no shell")), runId };
      const pids = findTree(root).map(({ pid }) => pid);
      expect(pids.length).toBeGreaterThan(1);
      expect(await endTree(root, { graceMs: 1_000, deadlineMs: 5_000 })).toEqual({ survivors: [] });
      expect(pids.filter(isLiving)).toEqual([]);
      expect((await ended).signal).toBe(1);
    } finally {
      shell.kill("SIGKILL");
    }
  });
});

describe("what is not in the tree", () => {
  it("is left alone", async () => {
    const [run, other] = [await start("forks-child.mjs"), await start("forks-child.mjs")];
    for (const each of [run, other]) await Promise.all([each.announced(), each.announced()]);
    await endTree(run.root, impatient);
    expect(isLiving(run.pid)).toBe(false);
    expect(livingInGroup(other.pid)).toBe(2);
  });

  it("is left alone also when it has the pid of the run's process", async () => {
    const run = await start("tidies-up.mjs");
    await run.announced();
    const reused = { pid: run.pid, startTime: `${run.root.startTime}0`, runId: randomUUID() };
    expect(await endTree(reused, impatient)).toEqual({ survivors: [] });
    expect(isLiving(run.pid)).toBe(true);
    expect(findTree(run.root)).toMatchObject([{ state: "running" }]);
  });
});

describe.skipIf(process.getuid?.() !== 0)("what belongs to another user", () => {
  it("is named as a survivor, without waiting for the deadline", async () => {
    const run = await startAs(12_345, "forever.mjs");
    await run.announced();
    process.seteuid?.(23_456);
    try {
      const { survivors } = await endTree(run.root, { graceMs: 50, deadlineMs: 120_000 });
      expect(survivors).toMatchObject([{ pid: run.pid }]);
      expect(survivors[0]?.command).toContain("forever.mjs");
    } finally {
      process.seteuid?.(0);
    }
    expect(isLiving(run.pid)).toBe(true);
  });
});

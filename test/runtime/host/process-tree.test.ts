import { randomUUID } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import { findTree, leftBehind } from "../../../src/runtime/host/process-tree.ts";
import { identify } from "../../../src/runtime/host/processes.ts";
import { endAll, start, startBesideUs } from "./program.ts";

afterEach(endAll);

const pidsOf = (found: readonly { readonly pid: number }[]) =>
  found.map(({ pid }) => pid).sort((a, b) => a - b);
const identityOf = (pid: number) => identify(pid) ?? expect.fail(`${pid} has ended`);

describe("the tree of a run", () => {
  it("holds its process and what that started", async () => {
    const run = await start("forks-child.mjs");
    const pids = [await run.announced(), await run.announced()].sort((a, b) => a - b);
    expect(pidsOf(findTree(run.root))).toEqual(pids);
  });

  it("holds a process that lost its parent, its group and its session, by the marker", async () => {
    const run = await start("loses-grandchild.mjs", "marked");
    const pids = [await run.announced(), await run.announced()].sort((a, b) => a - b);
    expect(pidsOf(findTree(run.root))).toEqual(pids);
  });

  it("holds a process that lost the marker as well, once it has been seen", async () => {
    const run = await start("loses-grandchild.mjs", "clean");
    const pids = [await run.announced(), await run.announced()];
    expect(pidsOf(findTree(run.root))).toEqual([run.pid]);
    const known = pids.map(identityOf);
    expect(pidsOf(findTree({ ...run.root, known }))).toEqual(pidsOf(known));
    const reused = known.map(({ pid, startTime }) => ({ pid, startTime: `${startTime}0` }));
    expect(pidsOf(findTree({ ...run.root, known: reused }))).toEqual([run.pid]);
  });

  it("lets go of a process that was seen in it and now runs under another run's id", async () => {
    const [run, other] = [await start("forever.mjs"), await start("forever.mjs")];
    const known = [run.root, other.root];
    expect(pidsOf(findTree({ ...run.root, known }))).toEqual([run.pid]);
  });

  it("holds nothing of a process that merely has the same pid", async () => {
    const run = await start("forks-child.mjs");
    await run.announced();
    await run.announced();
    const reused = { pid: run.pid, startTime: `${run.root.startTime}0`, runId: randomUUID() };
    expect(findTree(reused)).toEqual([]);
  });

  it("never holds us, nor what merely shares our group, session and terminal", async () => {
    const run = await startBesideUs("forever.mjs");
    const beside = await startBesideUs("forever.mjs");
    expect(pidsOf(findTree(run.root))).toEqual([run.pid]);
    const parent = { ...identityOf(process.ppid), runId: randomUUID() };
    const pids = pidsOf(findTree(parent));
    expect(pids).toContain(process.ppid);
    for (const pid of [process.pid, beside.pid, 1]) expect(pids).not.toContain(pid);
  });
});

describe("what a run left behind", () => {
  it("is found by its group after the run's process ended, though nothing else tells", async () => {
    const run = await start("leaves-child.mjs");
    const child = await run.announced();
    await run.exited;
    expect(leftBehind(run.root)).toMatchObject([{ pid: child, pgid: run.pid }]);
    expect(leftBehind(run.root)[0]?.command).toContain("forever.mjs");
  });

  it("is nothing while only its own process lives", async () => {
    const run = await start("forever.mjs");
    expect(leftBehind(run.root)).toEqual([]);
  });
});

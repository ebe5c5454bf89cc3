import { randomUUID } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import type { ProcessInfo } from "../../../src/runtime/host/process-info.ts";
import { findTree, leftBehind } from "../../../src/runtime/host/process-tree.ts";
import { identify } from "../../../src/runtime/host/processes.ts";
import { endAll, start, startBesideUs } from "./program.ts";

afterEach(endAll);

const pidsOf = (found: readonly { readonly pid: number }[]) =>
  found.map(({ pid }) => pid).sort((a, b) => a - b);
/** A process that leads its own group and session. */
const plain = (pid: number): ProcessInfo => ({
  pid,
  startTime: "then",
  ppid: 1,
  pgid: pid,
  sid: pid,
  tty: undefined,
  state: "running",
  command: "any",
});
const identityOf = (pid: number) => identify(pid) ?? expect.fail(`${pid} has ended`);

describe("the tree of a run", () => {
  it("holds its process and what that started", async () => {
    const run = await start("forks-child.mjs");
    const pids = [await run.announced(), await run.announced()].sort((a, b) => a - b);
    expect(pidsOf(findTree(run.root))).toEqual(pids);
  });

  it("holds a child that left the session with nothing in its environment", async () => {
    const run = await start("detaches-child.mjs");
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

describe("one trace is enough, as long as it cannot mislead", () => {
  const root = { pid: 100, startTime: "then", runId: "this" };
  const us = { ...plain(process.pid), pgid: 70, sid: 70, tty: "ours" };

  /** Which of `others` belong to the run, beside its own process. */
  const found = (run: ProcessInfo | undefined, ...others: ProcessInfo[]) =>
    pidsOf(findTree(root, { processes: [us, ...(run ? [run] : []), ...others], runIds: new Map() })).filter(
      (pid) => pid !== root.pid,
    );
  const run = plain(root.pid);

  it("the group of the run, led by it or by nobody", () => {
    const member = { ...plain(200), pgid: root.pid };
    expect(found(run, member)).toEqual([200]);
    expect(found(undefined, member)).toEqual([200]);
    expect(found({ ...run, startTime: "now" }, member)).toEqual([]);
  });

  it("the session of the run, led by it or by nobody", () => {
    const member = { ...plain(200), sid: root.pid };
    expect(found(run, member)).toEqual([200]);
    expect(found(undefined, member)).toEqual([200]);
    expect(found({ ...run, startTime: "now" }, member)).toEqual([]);
  });

  it("the group and session of a descendant, unless they are led from outside", () => {
    const child = { ...plain(200), ppid: root.pid, pgid: 300, sid: 400 };
    const [inGroup, inSession] = [
      { ...plain(150), pgid: 300 },
      { ...plain(151), sid: 400 },
    ];
    expect(found(run, inGroup, inSession, child)).toEqual([150, 151, 200]);
    expect(found(run, inGroup, inSession, child, plain(300), plain(400))).toEqual([200]);
  });

  it("a terminal that a member owns, not one that it merely sits at", () => {
    const atTerminal = { ...plain(200), sid: undefined, tty: "theirs" };
    expect(found({ ...run, tty: "theirs" }, atTerminal)).toEqual([200]);
    expect(found({ ...run, tty: "theirs", sid: 50 }, atTerminal)).toEqual([]);
  });

  it("the links of a zombie, which is itself not living", () => {
    const zombie = { ...run, state: "zombie" as const };
    expect(found(zombie, { ...plain(200), pgid: root.pid })).toEqual([200]);
    expect(pidsOf(findTree(root, { processes: [us, zombie], runIds: new Map() }))).toEqual([]);
  });

  it("never our own group, session or terminal", () => {
    const neighbours = [
      { ...plain(200), pgid: us.pgid },
      { ...plain(201), sid: us.sid },
      { ...plain(202), tty: us.tty },
    ];
    expect(found({ ...run, pgid: us.pgid }, ...neighbours)).toEqual([]);
    expect(found({ ...run, sid: us.sid }, ...neighbours)).toEqual([]);
    expect(found({ ...run, tty: us.tty }, ...neighbours)).toEqual([]);
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

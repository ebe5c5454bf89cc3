import { spawn, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { identify } from "../../../src/runtime/host/processes.ts";
import type { RunRoot } from "../../../src/runtime/host/process-tree.ts";

/** A fixture that runs as the host runs a harness: it leads a session and carries a run id. */
export interface Program {
  readonly pid: number;
  readonly root: RunRoot;
  /** The next line that it, or whatever it started, prints. */
  readonly line: () => Promise<string>;
  /** The pid in the next line. */
  readonly announced: () => Promise<number>;
  readonly exited: Promise<unknown[]>;
}

const started = new Set<number>();

export const start = (fixture: string, ...args: string[]): Promise<Program> =>
  startProgram(fixture, args, { detached: true });

/** In the group, session and terminal of the test itself. */
export const startBesideUs = (fixture: string): Promise<Program> =>
  startProgram(fixture, [], { detached: false });

export const startAs = (uid: number, fixture: string): Promise<Program> =>
  startProgram(fixture, [], { detached: true, uid });

const startProgram = async (
  fixture: string,
  args: readonly string[],
  options: { detached: boolean; uid?: number },
): Promise<Program> => {
  const file = fileURLToPath(new URL(`../../fixtures/${fixture}`, import.meta.url));
  const runId = randomUUID();
  const child = spawn(fixture.endsWith(".sh") ? "/bin/sh" : process.execPath, [file, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, COVEN_RUN_ID: runId },
    ...options,
  });
  const exited = once(child, "exit");
  await once(child, "spawn");
  const { pid } = child;
  const identity = pid === undefined ? undefined : identify(pid);
  if (pid === undefined || identity === undefined) throw new Error(`${fixture} did not start`);
  started.add(pid);

  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const line = async () => {
    const next = await lines.next();
    if (next.done === true) throw new Error(`${fixture} ended without another line`);
    return next.value;
  };
  const announced = async () => {
    const announcedPid = Number(/\d+$/.exec(await line())?.[0]);
    started.add(announcedPid);
    return announcedPid;
  };
  return { pid, root: { ...identity, runId }, line, announced, exited };
};

/** Whatever a test started ends with it, without the help of what is tested. */
export const endAll = (): void => {
  for (const pid of started) {
    for (const target of [-pid, pid]) {
      try {
        process.kill(target, "SIGKILL");
      } catch {
        // Already ended, or no group leader.
      }
    }
  }
  started.clear();
};

/** What `ps` says of a process or of a group, apart from the dead. */
export const isLiving = (pid: number): boolean => livingRows().some((row) => row.pid === pid);
export const livingInGroup = (pgid: number): number => livingRows().filter((row) => row.pgid === pgid).length;

const livingRows = () =>
  spawnSync("ps", ["-axo", "pid=,pgid=,stat="], { encoding: "utf8" })
    .stdout.split("\n")
    .map((row) => row.trim().split(/\s+/))
    .filter(([, , stat]) => stat?.startsWith("Z") === false)
    .map(([pid, pgid]) => ({ pid: Number(pid), pgid: Number(pgid) }));

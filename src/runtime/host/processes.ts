import type { ProcessIdentity, ProcessInfo, ProcessReader } from "./process-info.ts";
import { darwin } from "./processes-darwin.ts";
import { linux } from "./processes-linux.ts";

const reader: ProcessReader = process.platform === "darwin" ? darwin : linux;

/** All processes at one moment, with the run ids they carry. One look serves every run that is watched. */
export interface Look {
  readonly processes: readonly ProcessInfo[];
  readonly runIds: ReadonlyMap<number, string>;
}

export const lookAround = (): Look => {
  const processes = listProcesses();
  return { processes, runIds: reader.runIds(processes.map(({ pid }) => pid)) };
};

/**
 * For who looks again and again: the environment of a process is read once, when it is first seen, which makes a look
 * half as dear. So a process that took another run's id later may still show its first one.
 */
export const createLookout = (): (() => Look) => {
  let seen = new Map<number, { readonly startTime: string; readonly runId: string | undefined }>();
  return () => {
    const processes = listProcesses();
    const isKnown = ({ pid, startTime }: ProcessInfo): boolean => seen.get(pid)?.startTime === startTime;
    const fresh = reader.runIds(processes.filter((found) => !isKnown(found)).map(({ pid }) => pid));
    seen = new Map(
      processes.map((found) => {
        const runId = isKnown(found) ? seen.get(found.pid)?.runId : fresh.get(found.pid);
        return [found.pid, { startTime: found.startTime, runId }];
      }),
    );
    const runIds = new Map<number, string>();
    for (const [pid, { runId }] of seen) if (runId !== undefined) runIds.set(pid, runId);
    return { processes, runIds };
  };
};

export const listProcesses = (): ProcessInfo[] => reader.list();

/** Recorded for a run's process, and later the proof that a pid is still that process. */
export const identify = (pid: number): ProcessIdentity | undefined => {
  const [found] = reader.read([pid]);
  return found && { pid, startTime: found.startTime };
};

export const isSame = (one: ProcessIdentity, other: ProcessIdentity): boolean =>
  one.pid === other.pid && one.startTime === other.startTime;

/** Those that are still the same processes, and have not ended. A zombie has ended; its parent has yet to notice. */
export const stillLiving = (identities: readonly ProcessIdentity[]): ProcessInfo[] => {
  const startTimes = new Map(identities.map(({ pid, startTime }) => [pid, startTime]));
  return reader
    .read([...startTimes.keys()])
    .filter((found) => found.startTime === startTimes.get(found.pid) && found.state !== "zombie");
};

/** The same process with its command line in place of its short name: what a report shows. */
export const described = (found: ProcessInfo): ProcessInfo => ({
  ...found,
  command: reader.commandLine(found),
});

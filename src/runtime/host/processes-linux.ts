import { readFileSync, readdirSync } from "node:fs";
import { commandCharactersMax, runIdVariable, type ProcessInfo, type ProcessReader } from "./process-info.ts";

/** Start times count from boot; with the boot's own id they stay apart from those before it. */
let bootId: string | undefined;

export const linux: ProcessReader = {
  list() {
    const seen = new Set<number>();
    const found: ProcessInfo[] = [];
    // A process may fork and end between the listing of /proc and the read of its own file: look for its child too.
    for (let round = 0; round < listRoundsMax; round += 1) {
      const fresh = pidsInProc().filter((pid) => !seen.has(pid));
      if (fresh.length === 0) break;
      for (const pid of fresh) seen.add(pid);
      found.push(...linux.read(fresh));
    }
    return found;
  },

  read: (pids) => pids.map(readStat).filter((process) => process !== undefined),

  runIds(pids) {
    const runIds = new Map<number, string>();
    for (const pid of pids) {
      const runId = markerPattern.exec(readProc(pid, "environ") ?? "")?.[1];
      if (runId !== undefined) runIds.set(pid, runId);
    }
    return runIds;
  },

  commandLine(process) {
    const argv = readProc(process.pid, "cmdline")?.replaceAll("\0", " ").trim();
    return (argv === undefined || argv === "" ? process.command : argv).slice(0, commandCharactersMax);
  },
};

/** The second round finds what the first let slip; a third only matters to a fork bomb, which is frozen anyway. */
const listRoundsMax = 3;

const markerPattern = new RegExp(`(?:^|\\0)${runIdVariable}=([^\\0]*)`);

const pidsInProc = (): number[] =>
  readdirSync("/proc")
    .filter((name) => /^\d/.test(name))
    .map(Number);

/** From the kernel's sched.h: its own threads stand in /proc too, and belong to nobody. */
const kernelThreadFlag = 0x00200000;

const readStat = (pid: number): ProcessInfo | undefined => {
  const stat = readProc(pid, "stat");
  if (stat === undefined) return undefined;
  // The command may itself hold spaces and parentheses, so the fields are counted from its last one.
  const commandEnd = stat.lastIndexOf(")");
  const [state, ppid, pgid, sid, tty, , flags, ...rest] = stat.slice(commandEnd + 2).split(" ");
  const [threads, startTicks] = [rest[10], rest[12]];
  if (state === undefined || startTicks === undefined) return undefined;
  if ((Number(flags) & kernelThreadFlag) !== 0) return undefined;
  bootId ??= readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  return {
    pid,
    startTime: `${bootId}/${startTicks}`,
    ppid: Number(ppid),
    pgid: Number(pgid),
    sid: Number(sid),
    tty: tty === "0" ? undefined : tty,
    state: stateOf(state, Number(threads)),
    command: stat.slice(stat.indexOf("(") + 1, commandEnd),
  };
};

const stateOf = (letter: string, threads: number): ProcessInfo["state"] => {
  // A program whose first thread has ended shows as a zombie while its other threads work on.
  if ("ZXx".includes(letter)) return threads > 1 ? "running" : "zombie";
  return "Tt".includes(letter) ? "stopped" : "running";
};

/** Undefined for a process that is gone, and for what its owner hides. */
const readProc = (pid: number, file: string): string | undefined => {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return undefined;
  }
};

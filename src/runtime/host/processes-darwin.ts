import { spawnSync } from "node:child_process";
import { commandCharactersMax, runIdVariable, type ProcessInfo, type ProcessReader } from "./process-info.ts";

/** Darwin has no /proc, and Node no sysctl: everything is asked of `ps`, in as few calls as can be. */
export const darwin: ProcessReader = {
  list: () => parse(ps("-axww", "-o", columns)),

  read: (pids) => (pids.length === 0 ? [] : parse(ps("-ww", "-o", columns, "-p", pids.join(",")))),

  runIds(pids) {
    const wanted = pids.join(",");
    if (wanted === "") return new Map();
    const commands = byPid(ps("-ww", "-o", "pid=,command=", "-p", wanted));
    const runIds = new Map<number, string>();
    for (const [pid, text] of byPid(ps("-wwE", "-o", "pid=,command=", "-p", wanted))) {
      // The environment follows the command on the same line; a command that merely names the marker has none.
      const command = commands.get(pid);
      if (command === undefined || !text.startsWith(command)) continue;
      const runId = markerPattern.exec(text.slice(command.length))?.[1];
      if (runId !== undefined) runIds.set(pid, runId);
    }
    return runIds;
  },

  commandLine: (process) => process.command,
};

/** No session id: what `ps` calls `sess` is a kernel address, and shown as 0. `stat` marks session leaders with an s. */
const columns = "pid=,ppid=,pgid=,tty=,lstart=,stat=,command=";
const row = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(\S+\s+\S+\s+\d+\s+[\d:]+\s+\d+)\s+(\S+)\s+(.*)$/;
const markerPattern = new RegExp(`(?:^| )${runIdVariable}=(\\S*)`);

const parse = (listing: string): ProcessInfo[] =>
  listing.split("\n").flatMap((line) => {
    const [, pid, ppid, pgid, tty, startTime, stat, command] = row.exec(line) ?? [];
    if (startTime === undefined || stat === undefined || command === undefined) return [];
    return {
      pid: Number(pid),
      startTime,
      ppid: Number(ppid),
      pgid: Number(pgid),
      sid: stat.includes("s") ? Number(pid) : undefined,
      tty: tty?.startsWith("?") ? undefined : tty,
      state: stat.startsWith("Z") ? "zombie" : stat.startsWith("T") ? "stopped" : "running",
      command: command.slice(0, commandCharactersMax),
    };
  });

const byPid = (listing: string): Map<number, string> =>
  new Map(
    listing.split("\n").flatMap((line) => {
      const [, pid, command] = /^\s*(\d+)\s(.*)$/.exec(line) ?? [];
      return command === undefined ? [] : [[Number(pid), command]];
    }),
  );

/** Room for a thousand command lines that hold prompts of the largest size. */
const listingBytesMax = 128 * 1024 * 1024;

const ps = (...args: string[]): string => {
  const { stdout, error } = spawnSync("/bin/ps", args, {
    encoding: "utf8",
    maxBuffer: listingBytesMax,
    // A start time must read the same whatever the language and the time zone are at that moment.
    env: { LC_ALL: "C", TZ: "UTC0" },
  });
  // `ps -p` exits 1 when none of the processes exists; that is an answer.
  if (error !== undefined) throw error;
  return stdout;
};

/** Every run carries its id in this variable, and hands it down to whatever it starts. */
export const runIdVariable = "COVEN_RUN_ID";

/** A pid alone is used again by others; together with the start time it is one process, also over a reboot. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Opaque: compared for equality, never ordered. */
  readonly startTime: string;
}

export interface ProcessInfo extends ProcessIdentity {
  readonly ppid: number;
  readonly pgid: number;
  /** Undefined where the system does not tell (darwin, unless the process leads its session). */
  readonly sid: number | undefined;
  /** The controlling terminal, as the system names it. */
  readonly tty: string | undefined;
  readonly state: "running" | "stopped" | "zombie";
  /** For people: a short name or the clipped command line. Prompts may stand in it, so redact before storing. */
  readonly command: string;
}

/** What each operating system answers in its own way; `processes.ts` picks one. */
export interface ProcessReader {
  /** Every process there is. Those that end meanwhile are left out, those that start meanwhile are in it. */
  readonly list: () => ProcessInfo[];
  /** Those of `pids` that exist. */
  readonly read: (pids: readonly number[]) => ProcessInfo[];
  /** The run id in the environment of each of `pids`; those that have none, or hide it, are left out. */
  readonly runIds: (pids: readonly number[]) => Map<number, string>;
  /** The command as a person typed it, clipped. */
  readonly commandLine: (process: ProcessInfo) => string;
}

/** A prompt can be 100 KB of argv; a name in a report needs no more than this. */
export const commandCharactersMax = 200;

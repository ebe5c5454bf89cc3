/**
 * Structured logs: one JSON line per entry with `time`, `level`, `msg` and, where they apply, `session`, `pid` and
 * `code`. A file is rotated at 5 MB and four are kept, so that logs never fill a disk.
 */
import { join } from "node:path";
import { pino } from "pino";
import roll from "pino-roll";

export type Log = pino.Logger;

export async function openLog(folder: string, name: "daemon" | "host"): Promise<Log> {
  const stream = await roll({
    file: join(folder, name),
    extension: ".log",
    size: "5m",
    limit: { count: 4 },
    mkdir: true,
    // Entries are few, and the last ones before a crash are those that matter.
    sync: true,
  });
  stream.on("error", () => undefined);
  return pino(
    {
      base: { process: name, daemonPid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    // A log that cannot be written, on a full disk say, must not end what it tells of.
    { write: (line: string) => attempt(() => stream.write(line)) },
  );
}

/** For code that runs without a daemon around it. */
export const silentLog: Log = pino({ enabled: false });

function attempt(write: () => void): void {
  try {
    write();
  } catch {
    return; // there is no place left to say so
  }
}

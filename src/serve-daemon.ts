/** The daemon as a process: serves until it is stopped, and leaves its sessions to their host when it is signalled. */
import { startDaemon } from "./daemon.ts";
import { Failure, failures } from "./errors.ts";
import type { Home } from "./home.ts";

/** Answers the exit code. */
export async function serveDaemon(home: Home, version: string, program: string): Promise<number> {
  try {
    const daemon = await startDaemon(home, version, program);
    process.stdout.write(`coven daemon: serving ${daemon.socket} (pid ${daemon.pid})\n`);
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const)
      process.on(signal, () => void daemon.leave());
    await daemon.stopped;
    return 0;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const hint = error.hint === undefined ? "" : `\n${error.hint}`;
    process.stderr.write(`coven: ${error.code}: ${error.message}${hint}\n`);
    return failures[error.code].exit;
  }
}

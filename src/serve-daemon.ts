/** The daemon as a process: serves until it is stopped, and leaves its sessions to their host when it is signalled. */
import { startDaemon } from "./daemon.ts";
import { Failure, failures } from "./errors.ts";
import type { Home } from "./home.ts";
import { parseLoopback } from "./loopback-address.ts";

export interface ServeStart {
  readonly home: Home;
  readonly version: string;
  readonly program: string;
  /** What was given to --tcp. */
  readonly tcp: string | undefined;
}

/** Answers the exit code. */
export async function serveDaemon({ tcp, ...start }: ServeStart): Promise<number> {
  try {
    const address = tcp === undefined ? undefined : parseLoopback(tcp);
    const daemon = await startDaemon({ ...start, tcp: address });
    const onTcp =
      daemon.tcp === undefined
        ? ""
        : `coven daemon: serving http://${daemon.tcp}, to whoever shows a token (coven token)\n`;
    process.stdout.write(`coven daemon: serving ${daemon.socket} (pid ${daemon.pid})\n${onTcp}`);
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

/** The host as a process: announces its socket on standard output and then goes on without a terminal. */
import type { Home } from "./home.ts";
import { openLog } from "./log.ts";
import { startHost } from "./runtime/host/host.ts";

export async function serveHost(home: Home): Promise<void> {
  // A terminal's ctrl-c or hang-up is for the daemon; the host goes when it holds nothing.
  process.on("SIGINT", () => undefined);
  process.on("SIGHUP", () => undefined);
  const log = await openLog(home.logs, "host");
  // A fault in one run must not end the others, which may hold hours of work: it is logged, and the host goes on.
  process.on("uncaughtException", (err) => log.error({ err, code: "internal_error" }, "a fault in the host"));
  try {
    const { socket } = await startHost(home, log);
    process.stdout.write(`${socket}\n`);
  } catch (err) {
    // A host that nobody knows of would stay for good.
    log.error({ err, code: "runtime_unavailable" }, "the host could not start");
    process.exit(1);
  }
}

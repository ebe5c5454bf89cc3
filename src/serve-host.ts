/** The host as a process: announces its socket on standard output and then goes on without a terminal. */
import type { Home } from "./home.ts";
import { openLog } from "./log.ts";
import { startHost } from "./runtime/host/host.ts";

export async function serveHost(home: Home): Promise<void> {
  // A terminal's ctrl-c or hang-up is for the daemon; the host goes when it holds nothing.
  process.on("SIGINT", () => undefined);
  process.on("SIGHUP", () => undefined);
  const log = await openLog(home.logs, "host");
  const { socket } = await startHost(home, log);
  process.stdout.write(`${socket}\n`);
}

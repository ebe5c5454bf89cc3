/** The verbs of the daemon itself. */
import { spawn } from "node:child_process";
import { Option } from "commander";
import * as z from "zod";
import { Failure } from "../../errors.ts";
import { addressText, parseLoopback } from "../../loopback-address.ts";
import { endpointName } from "../../rpc/endpoint.ts";
import { type Health, healthSoon, serveWords, startDaemon, untilStopped } from "../daemon-process.ts";
import { exitCodes } from "../exit-codes.ts";
import { isGiven, textOf } from "../given.ts";
import { fields, age, oneLine } from "../text.ts";
import type { Cli, Given, Verb } from "../verb.ts";

const tcpOption = (): Option =>
  new Option(
    "--tcp <address>",
    "also serve on this loopback address, behind a token (coven token), such as 127.0.0.1:4680",
  ).argParser((text) => addressText(parseLoopback(text)));

export const daemonVerbs: readonly Verb[] = [
  {
    name: "daemon start",
    summary: "Starts the daemon in the background, unless it runs.",
    options: [tcpOption()],
    async run(cli, given) {
      const tcp = tcpOf(given);
      const running = await healthSoon(cli.client);
      if (running === undefined) return say(cli, "started", await startHere(cli, tcp));
      requireServed(tcp, running);
      return say(cli, "already running", running);
    },
  },
  {
    name: "daemon stop",
    summary: "Stops the daemon and ends the live sessions, which become orphaned.",
    options: [new Option("--keep", "leave the live sessions running; the next daemon finds them again")],
    async run(cli, { options }) {
      const stopped = await stop(cli, isGiven(options["keep"]));
      if (cli.json) print({ ...stopped, running: false });
      else
        process.stdout.write(
          stopped === undefined ? "not running\n" : `stopped (pid ${stopped.pid})\n${endedLines(stopped)}`,
        );
      return stopped !== undefined && stopped.survived.length > 0 ? exitCodes.notAllWell : exitCodes.done;
    },
  },
  {
    name: "daemon restart",
    summary: "Stops the daemon, leaving its sessions running, and starts it again.",
    notes: "A daemon that served on TCP does so again, at the same address unless --tcp gives another.",
    options: [tcpOption()],
    async run(cli, given) {
      const stopped = await stop(cli, true);
      return say(cli, "restarted", await startHere(cli, tcpOf(given) ?? stopped?.tcp));
    },
  },
  {
    name: "daemon status",
    summary: "Whether the daemon runs: pid, socket, uptime, API version, live sessions.",
    notes: "Exits 0 when it runs, 3 when it does not.",
    async run(cli) {
      const running = await healthSoon(cli.client);
      if (running !== undefined) return say(cli, "running", running);
      const socket = endpointName(cli.where.endpoint);
      if (cli.json) print({ running: false, home: cli.where.home.root, socket });
      else
        process.stdout.write(
          fields([
            ["daemon", "stopped"],
            ["socket", `${socket} (nothing listens)`],
            ["start it", cli.where.isOwn ? "coven daemon start" : null],
          ]),
        );
      return exitCodes.daemonStopped;
    },
  },
  {
    name: "daemon serve",
    summary: "Serves in the foreground until it is stopped or signalled.",
    options: [tcpOption()],
    run: serveInForeground,
  },
];

/** Checked as it was read, so that nothing is stopped for an address that cannot be served. */
const tcpOf = ({ options }: Given): string | undefined => textOf(options["tcp"]);

/** Throws where a daemon runs that does not serve what is asked for: it would have to be another one. */
function requireServed(tcp: string | undefined, { daemon }: Health): void {
  // Any port of that address, where 0 is asked for.
  const isAny = tcp?.endsWith(":0") === true && daemon.tcp?.startsWith(tcp.slice(0, -1)) === true;
  if (tcp === undefined || tcp === daemon.tcp || isAny) return;
  const now = daemon.tcp === undefined ? "does not serve on TCP" : `serves ${daemon.tcp}`;
  throw new Failure("daemon_running", `the daemon runs already and ${now}`, {
    hint: `coven daemon restart --tcp ${tcp} changes that; its sessions go on.`,
    details: { pid: daemon.pid, ...(daemon.tcp === undefined ? {} : { tcp: daemon.tcp }) },
  });
}

function startHere({ where, program, env }: Cli, tcp: string | undefined): Promise<Health> {
  if (where.isOwn) return startDaemon({ home: where.home, program, env, tcp });
  throw new Failure(
    "invalid_request",
    `the daemon at ${endpointName(where.endpoint)} cannot be started from here`,
    {
      hint: "Leave out --url and COVEN_URL to start the one of COVEN_HOME.",
    },
  );
}

const named = z.array(z.object({ id: z.string(), title: z.string(), harness: z.string() }));
const shutdownAnswer = z.object({ ended: named, survived: named });
type Stopped = z.output<typeof shutdownAnswer> & { readonly pid: number; readonly tcp: string | undefined };

async function stop({ client }: Cli, keep: boolean): Promise<Stopped | undefined> {
  const running = await healthSoon(client);
  if (running === undefined) return undefined;
  const { ended, survived } = shutdownAnswer.parse(await client.shutdown(keep));
  await untilStopped(running.daemon);
  return { pid: running.daemon.pid, tcp: running.daemon.tcp, ended, survived };
}

const endedLines = ({ ended, survived }: Stopped): string =>
  [
    ...ended.map(({ id, harness, title }) => `ended ${id}  ${harness}  ${oneLine(title)}\n`),
    ...survived.map(({ id, harness, title }) => `STILL RUNNING ${id}  ${harness}  ${oneLine(title)}\n`),
  ].join("");

function say(cli: Cli, state: string, { daemon, apiVersion, covenVersion, liveSessions }: Health): number {
  const uptimeSeconds = Math.max(0, Math.round((Date.now() - Date.parse(daemon.startedAt)) / 1000));
  if (cli.json) {
    const home = cli.where.home.root;
    print({ running: true, ...daemon, home, uptimeSeconds, apiVersion, version: covenVersion, liveSessions });
    return exitCodes.done;
  }
  const isOther = covenVersion !== cli.version;
  process.stdout.write(
    fields([
      ["daemon", state],
      ["pid", daemon.pid],
      ["socket", daemon.socket],
      ["tcp", daemon.tcp === undefined ? null : `http://${daemon.tcp}`],
      ["uptime", age(daemon.startedAt)],
      ["API version", apiVersion],
      ["version", isOther ? `${covenVersion}, this is ${cli.version}: coven daemon restart` : covenVersion],
      ["live sessions", liveSessions],
    ]),
  );
  return exitCodes.done;
}

const print = (document: object): void => {
  process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
};

/** With no further words `main.ts` serves by itself; this is for `--home` and the like. */
async function serveInForeground({ program, where, env }: Cli, given: Given): Promise<number> {
  const child = spawn(process.execPath, [program, ...serveWords(tcpOf(given))], {
    stdio: "inherit",
    env: { ...env, COVEN_HOME: where.home.root },
  });
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve) => child.once("exit", (code) => resolve(code ?? exitCodes.notAllWell)));
}

/** The verbs of the daemon itself. */
import { spawn } from "node:child_process";
import { Option } from "commander";
import * as z from "zod";
import { Failure } from "../../errors.ts";
import { endpointName } from "../../rpc/client.ts";
import { type Health, healthSoon, startDaemon, untilStopped } from "../daemon-process.ts";
import { exitCodes } from "../exit-codes.ts";
import { isGiven } from "../given.ts";
import { fields, age, oneLine } from "../text.ts";
import type { Cli, Verb } from "../verb.ts";

export const daemonVerbs: readonly Verb[] = [
  {
    name: "daemon start",
    summary: "Starts the daemon in the background, unless it runs.",
    async run(cli) {
      const running = await healthSoon(cli.client);
      if (running !== undefined) return say(cli, "already running", running);
      return say(cli, "started", await startHere(cli));
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
    async run(cli) {
      await stop(cli, true);
      return say(cli, "restarted", await startHere(cli));
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
    run: serveInForeground,
  },
];

function startHere({ where, program, env }: Cli): Promise<Health> {
  if (where.isOwn) return startDaemon(where.home, program, env);
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
type Stopped = z.output<typeof shutdownAnswer> & { readonly pid: number };

async function stop({ client }: Cli, keep: boolean): Promise<Stopped | undefined> {
  const running = await healthSoon(client);
  if (running === undefined) return undefined;
  const { ended, survived } = shutdownAnswer.parse(await client.shutdown(keep));
  await untilStopped(running.daemon);
  return { pid: running.daemon.pid, ended, survived };
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
async function serveInForeground({ program, where, env }: Cli): Promise<number> {
  const child = spawn(process.execPath, [program, "daemon", "serve"], {
    stdio: "inherit",
    env: { ...env, COVEN_HOME: where.home.root },
  });
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve) => child.once("exit", (code) => resolve(code ?? exitCodes.notAllWell)));
}

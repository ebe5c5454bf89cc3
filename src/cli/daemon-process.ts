/** The daemon as a process of its own: started in the background, waited for, stopped. */
import { spawn } from "node:child_process";
import { closeSync, existsSync, fstatSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type * as z from "zod";
import { health } from "../capabilities/health.ts";
import { Failure, isFailureCode } from "../errors.ts";
import { type Home, prepareHome } from "../home.ts";
import { isNotListening } from "../rpc/answers.ts";
import { type Client, answerMsMax, createClient } from "../rpc/client.ts";
import { endpointName } from "../rpc/endpoint.ts";
import { withoutAgentVariables } from "../text/agent-environment.ts";

/** How long a new daemon may take to answer, ms. An end of its process is noticed at once; this is for a slow disk. */
const startMsMax = 10_000;
/** How long a daemon that has answered may take to go, ms: its sessions are ended before it answers. */
const stopMsMax = 10_000;
/** Between two looks, ms: a quick start is noticed quickly. */
const pauseMsMin = 5;
const pauseMsMax = 100;

export type Health = z.output<typeof health.output>;

/** What a Coven daemon says of itself; undefined when nothing listens. Throws for what is no daemon of ours. */
async function healthOf(client: Client, signal?: AbortSignal): Promise<Health | undefined> {
  const answer = await client.health(signal).catch((error: unknown) => {
    if (isNotListening(error)) return undefined;
    throw error;
  });
  if (answer === undefined) return undefined;
  const ours = health.output.safeParse(answer);
  if (ours.success) return ours.data;
  throw new Failure(
    "foreign_daemon",
    `what serves ${endpointName(client.endpoint)} is no daemon of this program: ${JSON.stringify(answer).slice(0, 300)}`,
    {
      hint: "It may be the published Coven daemon. Stop it, or set COVEN_HOME to another folder. It was left alone.",
      details: { endpoint: endpointName(client.endpoint) },
    },
  );
}

/** The same of one that must answer soon: a daemon that hangs is told as such, and not waited for. */
export async function healthSoon(client: Client): Promise<Health | undefined> {
  try {
    return await healthOf(client, AbortSignal.timeout(answerMsMax));
  } catch (cause) {
    if (!(cause instanceof Failure) || cause.code !== "runtime_unavailable") throw cause;
    const listener = `what listens on ${endpointName(client.endpoint)}`;
    throw new Failure("runtime_unavailable", `${listener} has not answered in ${answerMsMax / 1000} s`, {
      hint: "See coven logs; end it by hand and start it again, its sessions go on.",
      details: { endpoint: endpointName(client.endpoint) },
      cause,
    });
  }
}

export interface DaemonStart {
  readonly home: Home;
  readonly program: string;
  readonly env: Readonly<Record<string, string>>;
  /** Where it is to serve on TCP as well. */
  readonly tcp?: string | undefined;
}

/** Starts the daemon of a home and waits until it answers. Throws why it did not start. */
export async function startDaemon({ home, program, env, tcp }: DaemonStart): Promise<Health> {
  prepareHome(home);
  const crashLog = join(home.logs, "crash.log");
  const output = openSync(crashLog, "a", 0o600);
  const startsAt = fstatSync(output).size;
  const child = spawn(process.execPath, [program, ...serveWords(tcp)], {
    detached: true,
    stdio: ["ignore", output, output],
    cwd: home.root,
    // The empty run id hides the one a caller's run has: looking for that run's processes must not find the daemon.
    env: { ...withoutAgentVariables(env), COVEN_HOME: home.root, COVEN_RUN_ID: "" },
  });
  closeSync(output);
  let isOver = false;
  child.once("exit", () => (isOver = true));
  child.once("error", () => (isOver = true));
  child.unref();

  const client = createClient({ kind: "socket", path: home.socket }, "cli");
  const found = await untilDefined(startMsMax, async () => {
    const answer = await healthOf(client);
    if (answer !== undefined) return answer;
    if (!isOver) return undefined;
    const why = reasonIn(readFileSync(crashLog).subarray(startsAt).toString("utf8"), crashLog);
    // Somebody else was quicker to start it, and it will answer soon.
    if (why.code === "daemon_running") return undefined;
    throw why;
  });
  if (found !== undefined) return found;
  throw new Failure(
    "runtime_unavailable",
    `the daemon did not answer on ${home.socket} in ${startMsMax} ms`,
    {
      hint: `See coven logs and ${crashLog}.`,
      details: { socket: home.socket, pid: child.pid },
    },
  );
}

/** What is behind the program's name where it is to be a daemon. */
export const serveWords = (tcp: string | undefined): string[] => [
  "daemon",
  "serve",
  ...(tcp === undefined ? [] : ["--tcp", tcp]),
];

/** The failure a daemon printed before it ended. */
function reasonIn(printed: string, crashLog: string): Failure {
  const [, code, message = "", hint] = /^coven: ([a-z_]+): (.*)(?:\n(.+))?\s*$/m.exec(printed) ?? [];
  if (isFailureCode(code)) return new Failure(code, message, hint === undefined ? {} : { hint });
  const lastLines = printed.trim().split("\n").slice(-5).join("\n");
  return new Failure(
    "runtime_unavailable",
    `the daemon ended as it started: ${lastLines || "it said nothing"}`,
    {
      hint: `See ${crashLog} and coven logs.`,
    },
  );
}

/** Waits until a daemon that was told to stop is gone, with its socket. */
export async function untilStopped({ pid, socket }: Health["daemon"]): Promise<void> {
  const isGone = await untilDefined(stopMsMax, () =>
    Promise.resolve(isAlive(pid) || existsSync(socket) ? undefined : true),
  );
  if (isGone === true) return;
  throw new Failure("kill_failed", `the daemon (pid ${pid}) has not gone after ${stopMsMax} ms`, {
    hint: `Its sessions are ended; end it by hand: kill -9 ${pid}`,
    details: { pid, socket },
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
  return !isZombie(pid);
}

/** Ended, but not yet noticed by its parent: the first process of a container may take long. Only Linux tells. */
function isZombie(pid: number): boolean {
  try {
    return /\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false; // no /proc, or gone since
  }
}

/** Looks again and again, at growing distances, until there is something or the time is over. */
async function untilDefined<T>(msMax: number, look: () => Promise<T | undefined>): Promise<T | undefined> {
  const deadline = performance.now() + msMax;
  for (let pauseMs = pauseMsMin; ; pauseMs = Math.min(pauseMs * 1.5, pauseMsMax)) {
    const found = await look();
    if (found !== undefined || performance.now() > deadline) return found;
    await pause(pauseMs);
  }
}

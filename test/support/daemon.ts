/**
 * A real daemon in a home of its own, run from what was built, as a child of the test. When the test is over, however
 * it went, its sessions are ended, it is stopped and so is its host.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFailed, onTestFinished } from "vitest";
import { type Client, createClient } from "../../src/rpc/client.ts";
import type { ProcessIdentity } from "../../src/runtime/host/process-info.ts";
import { identify, stillLiving } from "../../src/runtime/host/processes.ts";

const launcher = fileURLToPath(new URL("../../bin/coven", import.meta.url));

export interface TestDaemon {
  readonly client: Client;
  readonly home: string;
  readonly socket: string;
  readonly pid: number;
  /** What it has printed. */
  readonly printed: () => string;
  readonly stop: () => Promise<void>;
  /** Resolves when the daemon's process has ended, however that came. */
  readonly exited: Promise<number | null>;
}

/** A home with the harnesses `shell`, which runs its prompt as a script, and `turns`, which can be woken with another. */
export function makeHome(): string {
  const home = realpathSync(mkdtempSync(join(tmpdir(), "coven-home-")));
  mkdirSync(join(home, "adapters"), { mode: 0o700 });
  const shell = {
    id: "shell",
    label: "Shell",
    executable: "sh",
    install_hint: "It is there.",
    ...commandArguments,
  };
  const turns = { ...shell, id: "turns", label: "Turns", ...turnArguments };
  writeFileSync(join(home, "adapters/shell.json"), JSON.stringify({ adapters: [shell, turns] }), {
    mode: 0o600,
  });
  onTestFinished(() => rmSync(home, { recursive: true, force: true, maxRetries: 5 }));
  return home;
}

const commandArguments = {
  interactive_prompt_prefix_args: ["-c"],
  non_interactive_prompt_prefix_args: ["-c"],
};

/** What another session says is no script; whoever is to do something about it has one for that. */
const turn = 'case "$2" in "[Coven]"*) [ ! -e hears.sh ] || . ./hears.sh;; *) eval "$2";; esac';

/** A conversation of scripts: each turn is one, and finds the conversation's id in `$0` or `$1`. */
const turnArguments = {
  capabilities: { preassigned_session_id: true },
  continuity_args: {
    init_prefix_args: ["-c", 'eval "$3"'],
    session_id_flag: "--id",
    resume_prefix_args: ["-c", turn],
  },
};

export async function startDaemon(home = makeHome(), words: readonly string[] = []): Promise<TestDaemon> {
  const client = createClient({ kind: "socket", path: join(home, "coven.sock") }, "test");
  const child = spawn(launcher, ["daemon", "serve", ...words], {
    // Nothing of the user's: neither an account nor a profile may change what a harness does.
    env: { COVEN_HOME: home, HOME: home, PATH: "/usr/local/bin:/usr/bin:/bin", SHELL: "/bin/sh" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let printed = "";
  child.stdout.on("data", (text) => (printed += String(text)));
  child.stderr.on("data", (text) => (printed += String(text)));

  let stopping: Promise<void> | undefined;
  const end = async (): Promise<void> => {
    const hosts = hostsOf(home);
    if (child.exitCode === null && child.signalCode === null) await shutDown(client, child);
    for (const host of hosts) await endHost(home, host);
    printed += logsOf(home);
  };
  const stop = (): Promise<void> => (stopping ??= end());
  // Told when everything is over, so the logs are read before they go.
  onTestFailed(() => console.error(printed));
  onTestFinished(stop);

  await Promise.race([once(child.stdout, "data"), once(child, "exit")]);
  if (child.exitCode !== null) throw new Error(`the daemon did not start: ${printed}`);
  const exited = once(child, "exit").then(() => child.exitCode);
  return {
    client,
    home,
    socket: join(home, "coven.sock"),
    pid: child.pid ?? 0,
    printed: () => printed,
    stop,
    exited,
  };
}

/** Sessions first, then the daemon; by force where it does not answer. */
async function shutDown(client: Client, child: ChildProcess): Promise<void> {
  const ended = once(child, "exit");
  await client.shutdown(false).catch(() => child.kill("SIGKILL"));
  await ended;
}

const hostsOf = (home: string): ProcessIdentity[] =>
  readdirSync(home).flatMap((name) => {
    const pid = /^host-(\d+)\.sock$/.exec(name)?.[1];
    return pid === undefined ? [] : (identify(Number(pid)) ?? []);
  });

/** A host holds its socket until it is gone, which is what is waited for. */
async function endHost(home: string, host: ProcessIdentity): Promise<void> {
  const connection = connect(join(home, `host-${host.pid}.sock`));
  const isOver = once(connection, "close").catch(() => undefined);
  if (stillLiving([host]).length > 0) process.kill(host.pid, "SIGTERM");
  await isOver;
}

function logsOf(home: string): string {
  const folder = join(home, "logs");
  return (existsSync(folder) ? readdirSync(folder) : [])
    .map((name) => `${name}:\n${readFileSync(join(folder, name), "utf8")}`)
    .join("\n");
}

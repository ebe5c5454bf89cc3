// What the demo plays on: a COVEN_HOME and a git project in a temporary folder, the commands that are run there, and
// the end of it all, however the play went.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const examples = dirname(fileURLToPath(import.meta.url));
const bin = join(examples, "../bin");

/** The play takes six seconds; whatever hangs for so long is a failure, ms. */
const playMsMax = 60_000;

export function openStage() {
  const folder = mkdtempSync(join(tmpdir(), "coven-demo-"));
  const home = join(folder, "home");
  const project = join(folder, "project");
  mkdirSync(home, { mode: 0o700 });
  cpSync(join(examples, "adapters"), join(home, "adapters"), { recursive: true });
  chmodSync(join(home, "adapters"), 0o700);

  const path = [bin, examples, dirname(process.execPath), process.env.PATH].join(delimiter);
  const { COVEN_URL, COVEN_TOKEN, ...outer } = process.env; // they would lead to another daemon
  const env = { ...outer, COVEN_HOME: home, PATH: path };
  const left = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => left.abort(signal));
  setTimeout(() => left.abort("took too long"), playMsMax).unref();
  const processes = new Set();
  let mayRun = false;
  let isStopped = false;

  const start = (words) => {
    const [program, ...args] = words;
    mayRun = true;
    const stdio = ["ignore", "pipe", "pipe"];
    // In a group of its own, so that a ctrl-c reaches only the play, which then ends what it began.
    return spawn(program, args, { cwd: project, env, stdio, signal: left.signal, detached: true });
  };

  return {
    home,
    project,
    left: left.signal,

    /** Runs a command; answers its exit code and what it printed. */
    async run(words) {
      const child = start(words);
      let text = "";
      for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes) => (text += bytes));
      const [code] = await once(child, "close");
      return { code, text };
    },

    /** Runs a command beside the play and hands on its lines as they come. Resolves when it has ended. */
    async follow(words, onLine) {
      const child = start(words);
      createInterface({ input: child.stdout }).on("line", onLine);
      await once(child, "close");
    },

    makeProject() {
      mkdirSync(project);
      const write = (name, ...lines) => writeFileSync(join(project, name), `${lines.join("\n")}\n`);
      write("greet.mjs", "export function greet(name) {", '  return "Hello!";', "}");
      write("old-greet.mjs", 'export const greet = () => "Hi.";');
      write(
        "greet.test.mjs",
        'import assert from "node:assert";',
        'import { greet } from "./greet.mjs";',
        "",
        'assert.equal(greet("Ada"), "Hello, Ada!");',
      );
      const author = [
        "-c",
        "user.name=demo",
        "-c",
        "user.email=demo@localhost",
        "-c",
        "commit.gpgsign=false",
      ];
      for (const args of [
        ["init", "-q"],
        ["add", "."],
        [...author, "commit", "-qm", "A greeting"],
      ]) {
        const { status, stderr } = spawnSync("git", args, { cwd: project, encoding: "utf8" });
        if (status !== 0) throw new Error(`git ${args.join(" ")}: ${stderr}`);
      }
    },

    /** Remembers the daemon and its host, to be sure of their end. */
    processes() {
      const daemon = JSON.parse(
        spawnSync(join(bin, "coven"), ["daemon", "status", "--json"], { env }).stdout,
      ).pid;
      const hosts = readdirSync(home).flatMap(
        (name) => /^host-(\d+)\.sock$/.exec(name)?.slice(1).map(Number) ?? [],
      );
      for (const pid of [daemon, ...hosts]) processes.add(pid);
      return { daemon, host: hosts[0] };
    },

    /** To be asked after the daemon was stopped. */
    isEmpty() {
      isStopped = ![...processes].some(isAlive);
      return isStopped;
    },

    /** Ends everything, whatever state the play is in, and leaves nothing. */
    close() {
      const daemon = (verb) => spawnSync(join(bin, "coven"), ["daemon", verb], { env, detached: true });
      if (mayRun && !isStopped) {
        daemon("start"); // one that was just starting cannot be stopped; this waits for it
        daemon("stop");
      }
      for (const pid of processes) if (isAlive(pid)) process.kill(pid, "SIGKILL");
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** A zombie has ended; whoever started it has yet to notice. */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const stat = `/proc/${pid}/stat`;
  return !existsSync(stat) || !/\) Z/.test(readFileSync(stat, "utf8"));
}

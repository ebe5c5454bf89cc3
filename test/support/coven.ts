/**
 * A Coven of a test's own: a temporary home directory with a project in it, the programs `coven`, `codex` and `claude`
 * on PATH (the harnesses played by fixtures), and a third harness declared by a manifest. Nothing of it outlives the
 * test file, whatever fails.
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
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const systemFolders = ["/usr/bin", "/bin"];
const fixtures = join(root, "test/fixtures/harnesses");

export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | Buffer;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export interface Coven {
  /** $HOME; COVEN_HOME is `.coven` in it. */
  readonly folder: string;
  readonly home: string;
  readonly socket: string;
  /** A git project with `packages/cli` in it: where commands run. */
  readonly project: string;
  /** First on PATH. */
  readonly bin: string;
  readonly env: Readonly<Record<string, string>>;
  readonly coven: (args: readonly string[], options?: RunOptions) => Promise<Result>;
  /** A command line as a person types it. */
  readonly shell: (line: string, options?: RunOptions) => Promise<Result>;
  readonly start: (args: readonly string[], options?: RunOptions) => ChildProcess;
  /** Launches in the background; answers the record. */
  readonly launch: (...args: string[]) => Promise<{ id: string; cursor: string }>;
}

/** Made for one test file; taken down after its last test. */
export function covenForFile(): Coven {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "cv-")));
  const home = join(folder, ".coven");
  const project = join(folder, "code/example-project");
  const bin = join(folder, "bin");
  for (const made of [join(project, ".git"), join(project, "packages/cli"), bin])
    mkdirSync(made, { recursive: true });
  mkdirSync(home, { mode: 0o700 });
  mkdirSync(join(home, "adapters"), { mode: 0o700 });
  symlinkSync(join(root, "bin/coven"), join(bin, "coven"));
  for (const name of ["codex", "claude", "asks"]) symlinkSync(join(fixtures, `${name}.mjs`), join(bin, name));
  if (!systemFolders.some((each) => existsSync(join(each, "curl"))))
    symlinkSync(join(root, "test/fixtures/curl.mjs"), join(bin, "curl"));
  const asks = { id: "asks", label: "Asks", executable: "asks", install_hint: "It comes with the tests." };
  writeFileSync(join(home, "adapters/asks.json"), JSON.stringify({ adapters: [asks] }), { mode: 0o600 });

  const env = {
    HOME: folder,
    SHELL: "/bin/sh",
    PATH: [bin, dirname(process.execPath), ...systemFolders].join(delimiter),
  };
  const children: ChildProcess[] = [];
  const started = (child: ChildProcess): ChildProcess => {
    children.push(child);
    return child;
  };
  const start = (args: readonly string[], options: RunOptions = {}): ChildProcess =>
    started(
      spawn(join(bin, "coven"), args, { cwd: options.cwd ?? project, env: { ...env, ...options.env } }),
    );
  const coven = (args: readonly string[], options: RunOptions = {}): Promise<Result> =>
    resultOf(start(args, options), options.input);
  const shell = (line: string, options: RunOptions = {}): Promise<Result> =>
    resultOf(
      spawn("/bin/sh", ["-c", line], { cwd: options.cwd ?? project, env: { ...env, ...options.env } }),
      options.input,
    );
  const launch = async (...args: string[]): Promise<{ id: string; cursor: string }> => {
    const { stdout, stderr } = await coven(["run", ...args, "--detach", "--json"]);
    const record = jsonIn(stdout || stderr);
    return { id: String(record["id"]), cursor: String(record["cursor"]) };
  };

  afterAll(async () => {
    for (const child of children) child.kill("SIGKILL");
    await coven(["daemon", "stop"]);
    // What a stopped daemon left: itself, when it hangs, and a host that still has something to do.
    for (const pid of [...daemonsStarted(home), ...hostsOf(home)]) endNow(pid);
    rmSync(folder, { recursive: true, force: true });
  });
  return { folder, home, socket: join(home, "coven.sock"), project, bin, env, coven, shell, start, launch };
}

function daemonsStarted(home: string): number[] {
  const log = join(home, "logs/crash.log");
  const said = existsSync(log) ? readFileSync(log, "utf8") : "";
  return [...said.matchAll(/serving .* \(pid (\d+)\)/g)].map(([, pid]) => Number(pid));
}

const hostsOf = (home: string): number[] =>
  readdirSync(home)
    .flatMap((name) => /^host-(\d+)\.sock$/.exec(name)?.[1] ?? [])
    .map(Number);

function endNow(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Gone already.
  }
}

export async function resultOf(child: ChildProcess, input: string | Buffer = ""): Promise<Result> {
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  // A program that does not read its input may be gone before it is written.
  child.stdin?.on("error", () => undefined);
  child.stdin?.end(input);
  await once(child, "close");
  return { code: child.exitCode, stdout, stderr };
}

/** A JSON document that must be an object. */
export function jsonIn(text: string): Record<string, unknown> {
  const document: unknown = JSON.parse(text);
  if (typeof document !== "object" || document === null) throw new Error(`no JSON object: ${text}`);
  return { ...document };
}

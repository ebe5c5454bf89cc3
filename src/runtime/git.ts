/**
 * Runs git on repositories that somebody else may have written to. Nothing that a repository names is executed: no
 * hook, file-system monitor, pager, external diff, text conversion or transport; filters are `git-repository.ts`'s
 * matter. No shell, no prompt, no variable of the caller's git, bounded in output and time. The user's index is never
 * refreshed by the way. What goes wrong is an answer, not an exception.
 *
 * Paths in git are bytes. They are read as latin1, one character each, so that every one can be handed back to git and
 * to the file system as it was; `shownPath` is what people see.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";

/** Output of one git command unless told otherwise, bytes: the names of some 100,000 files. */
const outputBytesMax = 32_000_000;
/** What is kept of git's own words, bytes: its first sentence says what was wrong. */
const wordsBytesMax = 4000;
/** How long a command may take, ms, unless told otherwise: a slow disk, not a hanging one. */
const commandMsMax = 30_000;
/** Asked to end, git removes its lock files; how long it has for that, ms. */
const graceMs = 2000;

export type GitConfig = readonly (readonly [key: string, value: string])[];

export interface GitOptions {
  readonly directory: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Variables of git's own, such as GIT_INDEX_FILE. */
  readonly variables?: Readonly<Record<string, string>>;
  readonly config?: GitConfig;
  readonly input?: string;
  readonly outputBytesMax?: number;
  readonly timeoutMs?: number;
  /** Is given the output instead; answers whether it wants more. */
  readonly reader?: (output: string) => boolean;
}

export interface GitDone {
  readonly kind: "done";
  /** latin1 */
  readonly output: string;
}

export interface GitFailed {
  readonly kind: "failed";
  readonly why: "missing" | "no-directory" | "exit" | "timeout" | "output";
  /** What happened, with git's own first sentence. */
  readonly message: string;
  readonly output: string;
}

export type GitAnswer = GitDone | GitFailed;

/** Of what a repository or its owner configured, this much is not wanted in anything done here. */
const safeConfig: GitConfig = [
  ["core.fsmonitor", "false"],
  ["core.hooksPath", "/dev/null"],
  ["core.pager", "cat"],
  ["core.untrackedCache", "false"],
  ["core.splitIndex", "false"],
  ["core.safecrlf", "false"],
  ["core.quotePath", "false"],
  ["core.alternateRefsCommand", ":"],
  // Git's own limit: a file above it is put into a pack, which is not forgotten as a single object is.
  ["core.bigFileThreshold", "512m"],
  ["gc.auto", "0"],
  ["maintenance.auto", "false"],
  ["log.showSignature", "false"],
  ["protocol.allow", "never"],
  ["submodule.recurse", "false"],
];

const safeVariables = {
  GIT_OPTIONAL_LOCKS: "0",
  GIT_TERMINAL_PROMPT: "0",
  GIT_LITERAL_PATHSPECS: "1",
  // A partial clone asks nobody for what it lacks.
  GIT_NO_LAZY_FETCH: "1",
  GIT_ALLOW_PROTOCOL: "none",
  GIT_EDITOR: ":",
  LC_ALL: "C",
};

/** For every command that compares contents. */
export const plainDiff = ["--no-ext-diff", "--no-textconv", "--no-color"] as const;

export const runGit = (args: readonly string[], options: GitOptions): Promise<GitAnswer> =>
  new Promise((resolve) => {
    const { directory, input, reader } = options;
    const child = spawn("git", ["--no-optional-locks", "--no-pager", ...args], {
      cwd: directory,
      env: gitEnvironment(options),
      stdio: ["pipe", "pipe", "pipe"],
      // A group of its own, so that the filters it runs end with it.
      detached: true,
    });
    const output = collected(options.outputBytesMax ?? outputBytesMax);
    const words = collected(wordsBytesMax);
    let stopped: "timeout" | "output" | "enough" | undefined;
    const stop = (why: "timeout" | "output" | "enough"): void => {
      if (stopped !== undefined) return;
      stopped = why;
      end(child);
    };
    const timeoutMs = options.timeoutMs ?? commandMsMax;
    const timer = setTimeout(stop, timeoutMs, "timeout" as const);
    child.stdout.on("data", (chunk: Buffer) => {
      if (reader === undefined) {
        if (!output.add(chunk)) stop("output");
      } else if (stopped === undefined && !reader(chunk.toString("latin1"))) stop("enough");
    });
    child.stderr.on("data", (chunk: Buffer) => words.add(chunk));
    // Git may end before it has read all; its exit says so.
    child.stdin.on("error", () => undefined);
    child.stdin.end(Buffer.from(input ?? "", "latin1"));

    const failed = (why: GitFailed["why"], message: string): void =>
      resolve({ kind: "failed", why, message, output: output.text() });
    child.on("error", (error) => {
      clearTimeout(timer);
      if (!existsSync(directory)) failed("no-directory", `${directory} does not exist`);
      else if ("code" in error && error.code === "ENOENT")
        failed("missing", "git is not on the daemon's PATH");
      else failed("exit", `git cannot be started: ${error.message}`);
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      const said = firstSentence(words.text()) || `exit ${code ?? signal ?? "unknown"}`;
      if (stopped === "timeout") failed("timeout", `git ${nameOf(args)} took more than ${timeoutMs} ms`);
      else if (stopped === "output") failed("output", `git ${nameOf(args)} printed too much`);
      else if (code === 0 || stopped === "enough") resolve({ kind: "done", output: output.text() });
      else failed("exit", said);
    });
  });

/** What git is given to know: nothing of a git around the caller, and its settings in an order that wins. */
function gitEnvironment({ env = process.env, variables, config = [] }: GitOptions): NodeJS.ProcessEnv {
  const own = Object.entries(env).filter(([name]) => !/^(?:GIT_|SSH_ASKPASS$|LC_ALL$|LANGUAGE$)/.test(name));
  const settings = [...safeConfig, ...config].flatMap(([key, value], index) => [
    [`GIT_CONFIG_KEY_${index}`, key] as const,
    [`GIT_CONFIG_VALUE_${index}`, value] as const,
  ]);
  return {
    ...Object.fromEntries(own),
    ...safeVariables,
    ...variables,
    ...Object.fromEntries(settings),
    GIT_CONFIG_COUNT: String(safeConfig.length + config.length),
  };
}

function end(child: ChildProcess): void {
  signal(child, "SIGTERM");
  const force = setTimeout(signal, graceMs, child, "SIGKILL");
  child.once("close", () => clearTimeout(force));
  // What it left behind may hold the pipes for ever.
  const letGo = (): void => {
    child.stdout?.destroy();
    child.stderr?.destroy();
  };
  if (child.exitCode === null && child.signalCode === null) child.once("exit", letGo);
  else letGo();
}

function signal({ pid }: ChildProcess, name: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, name);
  } catch {
    // The whole group has ended.
  }
}

/** Answers whether all of it was kept. */
function collected(bytesMax: number): { add: (chunk: Buffer) => boolean; text: () => string } {
  const chunks: Buffer[] = [];
  let bytes = 0;
  return {
    add: (chunk) => {
      const room = bytesMax - bytes;
      if (room > 0) chunks.push(chunk.subarray(0, room));
      bytes += chunk.length;
      return bytes <= bytesMax;
    },
    text: () => Buffer.concat(chunks).toString("latin1"),
  };
}

const nameOf = (args: readonly string[]): string => args.find((each) => !each.startsWith("-")) ?? "";

function firstSentence(words: string): string {
  const said = words.split("\n").filter((line) => line.trim() !== "" && !/^(?:hint|warning):/.test(line));
  const ending = said.find((line) => line.startsWith("fatal: ")) ?? said[0] ?? "";
  return shownPath(ending).replace(/^(?:fatal|error): /, "");
}

/** The path, or any other bytes of git, as text. */
export const shownPath = (path: string): string => Buffer.from(path, "latin1").toString("utf8");

/** Text as git's bytes. */
export const pathBytes = (path: string): string => Buffer.from(path, "utf8").toString("latin1");

/** What was ended by NUL each. */
export const listed = (output: string): string[] => output.split("\0").slice(0, -1);

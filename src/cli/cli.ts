/**
 * The command line: the words are read, one verb is loaded and run, and what went wrong is said on standard error.
 * Only the verb that was asked for is loaded, so that one which does little starts fast.
 */
import { Command, CommanderError, Option } from "commander";
import { Failure, failures } from "../errors.ts";
import { isForbidden, isNotListening } from "../rpc/answers.ts";
import { createClient } from "../rpc/client.ts";
import { locate, otherDaemonHint } from "../rpc/endpoint.ts";
import { exitCodes } from "./exit-codes.ts";
import { printFailure } from "./failure.ts";
import { isGiven, textOf, textsOf } from "./given.ts";
import type { Cli, Given, Verb } from "./verb.ts";
import { allVerbs, verbsFor } from "./verbs.ts";
import { plainWords } from "./words.ts";

export interface CliStart {
  readonly argv: readonly string[];
  readonly version: string;
  readonly program: string;
}

const notes = `
coven sessions <verb> is the same as coven <verb>, and coven sessions alone is coven list.
A session, and a wake, may be named by the first characters of its id.
coven <verb> --help explains a verb.`;

/** Answers the exit code. */
export async function runCli({ argv, version, program }: CliStart): Promise<number> {
  process.stdout.on("error", leaveOnClosedPipe);
  process.stderr.on("error", leaveOnClosedPipe);
  const asked: { isOwn: boolean } = { isOwn: true };
  try {
    const { words, verb } = plainWords(argv);
    let exitCode: number = exitCodes.done;
    const run = async (record: Verb, given: Given): Promise<void> => {
      const cli = prepare(given, version, program);
      asked.isOwn = cli.where.isOwn;
      exitCode = await record.run(cli, given);
    };
    const verbs = verb === undefined ? await verbsWithout(words) : await verbsFor(verb);
    await commandOf(verbs, version, run).parseAsync(words, { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return exitCodes.done;
    const failure = outOfSandbox(usageFailure(error, argv));
    return printFailure(asked.isOwn ? failure : elsewhere(failure), argv.includes("--json"));
  }
}

/** Where no verb is named: the help shows all of them, the version needs none. */
const verbsWithout = async (words: readonly string[]): Promise<readonly Verb[]> =>
  words.some((word) => versionFlags.includes(word)) ? [] : allVerbs();

const versionFlags: readonly string[] = ["-V", "--version"];

function commandOf(
  verbs: readonly Verb[],
  version: string,
  run: (verb: Verb, given: Given) => Promise<void>,
): Command {
  const root = new Command("coven")
    .description("Runs coding agents in your projects, and watches, feeds, ends and keeps their sessions.")
    .version(version, versionFlags.join(", "), "say which version this is")
    .helpOption("-h, --help", "explain this")
    .addHelpText("after", notes)
    .addOption(new Option("--home <folder>", "COVEN_HOME of the daemon meant"))
    .addOption(new Option("--url <url>", "address of the daemon: http://host:port or unix:///path"))
    .addOption(new Option("--token <token>", "token for the daemon"))
    .addOption(new Option("--json", "standard output is one JSON document"));
  silence(root);
  const made = new Map<string, Command>();
  for (const verb of verbs) {
    const [first = "", second] = verb.name.split(" ");
    const parent = second === undefined ? root : (made.get(first) ?? groupOf(root, first));
    if (second !== undefined) made.set(first, parent);
    addVerb(parent, second ?? first, verb, run);
  }
  return root;
}

interface Group {
  readonly summary: string;
  /** Shown under the help of the group. */
  readonly notes?: string;
  /** Why it does nothing where no verb of it was given, and what to do. */
  readonly alone?: { readonly why: string; readonly hint: string };
}

const groups: ReadonlyMap<string, Group> = new Map<string, Group>([
  ["daemon", { summary: "The daemon: start, stop, restart and its status." }],
  [
    "mcp",
    {
      summary:
        "The MCP server for Claude Code, Codex and other clients: alone it serves on standard input and output.",
      notes: `A client starts coven mcp by itself once coven mcp install has told it to. Alone it takes no options: COVEN_HOME,
COVEN_URL and COVEN_TOKEN in its environment say which daemon is meant and who calls. It starts the daemon with
the first call and ends with its input. Over HTTP the daemon serves the same tools at /mcp.`,
      alone: {
        why: "coven mcp takes no options: it reads its environment",
        hint: "Set COVEN_HOME, COVEN_URL or COVEN_TOKEN for it instead.",
      },
    },
  ],
]);

const isGroup = (verb: string): boolean => groups.has(verb);

function groupOf(root: Command, name: string): Command {
  const { summary = "", notes } = groups.get(name) ?? {};
  const command = silence(root.command(name).description(summary));
  return notes === undefined ? command : command.addHelpText("after", `\n${notes}`);
}

function addVerb(
  parent: Command,
  name: string,
  verb: Verb,
  run: (verb: Verb, given: Given) => Promise<void>,
): void {
  const command = silence(parent.command(name).description(verb.summary));
  if (verb.alias !== undefined) command.alias(verb.alias);
  for (const argument of verb.arguments ?? []) command.addArgument(argument);
  for (const option of verb.options ?? []) command.addOption(option);
  if (verb.notes !== undefined) command.addHelpText("after", `\n${verb.notes}`);
  command.action(async () => {
    const given: readonly unknown[] = command.processedArgs;
    const options = command.optsWithGlobals<Record<string, unknown>>();
    refuseBlank([...command.options, ...(command.parent?.options ?? [])], options);
    await run(verb, { arguments: given, options });
  });
}

/** What is looked for may be a blank; nothing else that is named can be. */
const mayBeSpaces: ReadonlySet<string> = new Set(["match", "matchPattern"]);

/** An empty variable of a script is told by the name of its flag, and not taken for something else. */
function refuseBlank(options: readonly Option[], given: Readonly<Record<string, unknown>>): void {
  for (const option of options) {
    const name = option.attributeName();
    const value = given[name];
    const blank = [...[textOf(value)].filter((text) => text !== undefined), ...textsOf(value)].find(
      (text) => (mayBeSpaces.has(name) ? text : text.trim()) === "",
    );
    if (blank === undefined) continue;
    const flag = option.long ?? option.flags;
    throw new Failure("invalid_request", `${flag} must not be blank`, {
      hint: `Give ${flag} a value, or leave it out.`,
      details: { option: flag },
    });
  }
}

/** Errors are thrown and said in one place; help goes to standard output. */
const silence = (command: Command): Command =>
  command
    .exitOverride()
    .allowExcessArguments(false)
    .helpCommand(false)
    .configureOutput({ writeErr: () => undefined })
    .configureHelp({ showGlobalOptions: true });

function prepare({ options }: Given, version: string, program: string): Cli {
  const env = withoutUndefined(process.env);
  const where = locate(
    { home: textOf(options["home"]), url: textOf(options["url"]), token: textOf(options["token"]) },
    env,
  );
  const client = createClient(where.endpoint, "cli");
  return {
    version,
    program,
    env,
    where,
    json: isGiven(options["json"]),
    client,
    async call(action, args, callOptions) {
      try {
        return await client.call(action, args, callOptions);
      } catch (error) {
        if (!where.isOwn || !isNotListening(error)) throw error;
        const { startDaemon } = await import("./daemon-process.ts");
        await startDaemon({ home: where.home, program, env });
        return client.call(action, args, callOptions);
      }
    },
  };
}

const withoutUndefined = (env: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])),
  );

/** A daemon that was named by an address is not ours to start. */
function elsewhere(error: unknown): unknown {
  if (!(error instanceof Failure) || !isNotListening(error)) return error;
  const { code, message, details = {}, cause } = error;
  return new Failure(code, message, { hint: otherDaemonHint, details, cause });
}

/** Set by Codex for the commands that its sandbox keeps from the network, and with it from every socket. */
const sandboxVariable = "CODEX_SANDBOX_NETWORK_DISABLED";

/** Whoever was not let out of a sandbox has another way to the daemon, and no use for starting one. */
function outOfSandbox(error: unknown): unknown {
  if (!isForbidden(error)) return error;
  const { code, message, details = {}, cause } = error;
  const isCodex = process.env[sandboxVariable] === "1";
  return new Failure(code, isCodex ? `the sandbox of Codex forbids it: ${message}` : message, {
    hint: isCodex
      ? "Use the MCP tools of coven instead (run, watch, status, kill …): they work from inside. coven mcp install codex sets them up."
      : "A sandbox or a file permission forbids it. From inside a sandbox use the MCP tools of coven, where it has them.",
    details,
    cause,
  });
}

/** What the parser refuses, in our words; it names the nearest verb or option by itself. */
function usageFailure(error: unknown, argv: readonly string[]): unknown {
  if (!(error instanceof CommanderError)) return error;
  const [message = "", ...rest] = error.message.replace(/^error: /, "").split("\n");
  const nearest = rest.join(" ").trim();
  const { verb } = plainWords(argv);
  const isKnown = verb !== undefined && (error.code !== "commander.unknownCommand" || isGroup(verb));
  const help = `coven ${isKnown ? `${verb} ` : ""}--help`;
  const alone = groups.get(verb ?? "")?.alone;
  if (error.code === "commander.help" && alone !== undefined)
    return new Failure("invalid_request", alone.why, { hint: `${alone.hint} See ${help}` });
  const what =
    error.code === "commander.help"
      ? "a verb is missing"
      : message.replace(/^unknown command/, "unknown verb");
  return new Failure("invalid_request", what, { hint: `${nearest} See ${help}`.trim() });
}

/** `coven … | head` has seen enough: that is no error. A full disk is one, but no bug. */
function leaveOnClosedPipe(error: Error): void {
  if ("code" in error && error.code === "EPIPE") process.exit(exitCodes.done);
  process.stderr.write(`coven: internal_error: the output cannot be written: ${error.message}\n`);
  process.exit(failures.internal_error.exit);
}

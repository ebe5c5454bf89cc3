/**
 * Coven's entry in Claude Code's configuration: of a project in its `.mcp.json`, which is made for being edited; of the
 * user in a file that Claude Code itself writes to all the time, so there its own command makes it.
 */
import { execFile } from "node:child_process";
import { homedir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual, promisify } from "node:util";
import { Failure } from "../errors.ts";
import type { McpServer } from "./mcp-server.ts";
import { contentOf, replaceFile } from "./replace-file.ts";
import { oneLine } from "./text.ts";

export type ClaudeScope = "project" | "user";

type Json = Record<string, unknown>;

/**
 * Without `alwaysLoad` the first turn of `claude -p` does not wait for the server where Claude searches for tools, and
 * its model is told of none. The calls need no longer time than Claude gives.
 */
export const claudeEntry = ({ command, args, env }: McpServer): Json => ({
  type: "stdio",
  command,
  args: [...args],
  alwaysLoad: true,
  ...(Object.keys(env).length === 0 ? {} : { env: { ...env } }),
});

export const claudeConfig = (
  scope: ClaudeScope,
  { project, env }: { readonly project: string; readonly env: Readonly<Record<string, string>> },
): string =>
  scope === "project"
    ? join(project, ".mcp.json")
    : join(env["CLAUDE_CONFIG_DIR"] || homedir(), ".claude.json");

/** The same as a command of Claude Code's; only as JSON can it say all of the entry. */
export const claudeCommand = (scope: ClaudeScope, server: McpServer): string =>
  ["claude", "mcp", "add-json", "-s", scope, "coven", JSON.stringify(claudeEntry(server))]
    .map(shellWord)
    .join(" ");

const shellWord = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

/** Others who work on the project read it too. */
const sharedMode = 0o644;

/** Makes the entry of a project; false where it was there already. */
export function writeClaudeProject(file: string, server: McpServer): boolean {
  const text = contentOf(file);
  const config = text === undefined ? {} : configIn(file, text);
  const servers = serversOf(file, config);
  const entry = mergedEntry(servers["coven"], server);
  if (isDeepStrictEqual(servers["coven"], entry)) return false;
  servers["coven"] = entry;
  config["mcpServers"] = servers;
  const end = text === undefined || text.endsWith("\n") ? "\n" : "";
  replaceFile(file, JSON.stringify(config, null, indentOf(text)) + end, sharedMode);
  return true;
}

/** How long Claude Code may take to change its own configuration, ms: it starts in about one second. */
const claudeMsMax = 30_000;

/** Has Claude Code make the entry of the user; false where it was there already. */
export async function writeClaudeUser(
  file: string,
  server: McpServer,
  env: Readonly<Record<string, string>>,
): Promise<boolean> {
  const text = contentOf(file);
  const known = text === undefined ? undefined : serversOf(file, configIn(file, text))["coven"];
  const entry = mergedEntry(known, server);
  if (isDeepStrictEqual(known, entry)) return false;
  const claude = async (...words: string[]): Promise<void> => {
    await promisify(execFile)("claude", ["mcp", ...words], { env, timeout: claudeMsMax }).catch(
      (error: unknown) => {
        throw notDone(error, claudeCommand("user", server));
      },
    );
  };
  // It refuses to replace one.
  if (known !== undefined) await claude("remove", "coven", "-s", "user");
  await claude("add-json", "-s", "user", "coven", JSON.stringify(entry));
  return true;
}

function notDone(error: unknown, command: string): Failure {
  const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
  const said = error instanceof Error && "stderr" in error ? String(error.stderr) : "";
  const why = isMissing ? "claude is not on PATH" : `claude refused: ${oneLine(said || String(error), 300)}`;
  return new Failure(isMissing ? "harness_not_found" : "invalid_request", `the entry was not made: ${why}`, {
    hint: isMissing ? "Install Claude Code first, or use --scope project." : `Do it by hand: ${command}`,
    cause: error,
  });
}

/** What somebody has added to the entry stays. */
function mergedEntry(known: unknown, server: McpServer): Json {
  const ours = claudeEntry(server);
  if (!isObject(known)) return ours;
  const before = isObject(known["env"]) ? known["env"] : {};
  const env = { ...before, ...("COVEN_HOME" in before ? { COVEN_HOME: server.home } : {}), ...server.env };
  const alwaysLoad = known["alwaysLoad"] ?? ours["alwaysLoad"];
  return { ...known, ...ours, alwaysLoad, ...("env" in known || "env" in ours ? { env } : {}) };
}

function configIn(file: string, text: string): Json {
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch (cause) {
    throw leftAlone(file, `it is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  if (isObject(config)) return config;
  throw leftAlone(file, "it holds no JSON object");
}

function serversOf(file: string, config: Json): Json {
  if (!Object.hasOwn(config, "mcpServers")) return {};
  const servers = config["mcpServers"];
  if (isObject(servers)) return servers;
  throw leftAlone(file, "its mcpServers is no object");
}

const leftAlone = (file: string, why: string): Failure =>
  new Failure("invalid_request", `${file} was left as it is: ${oneLine(why, 300)}`, {
    hint: "Mend it first, or put the entry there by hand: coven mcp install claude prints it.",
    details: { file },
  });

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** As the file is written, two blanks otherwise. */
const indentOf = (text: string | undefined): string => /^[ \t]+(?=")/m.exec(text ?? "")?.[0] ?? "  ";

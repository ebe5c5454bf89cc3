/** Coven's entry in Codex's `config.toml`. */
import { homedir } from "node:os";
import { join } from "node:path";
import { Failure } from "../errors.ts";
import type { McpServer } from "./mcp-server.ts";
import { contentOf, replaceFile } from "./replace-file.ts";
import { type TomlKey, TomlRefusal, hasTomlKey, setTomlKey } from "./toml-keys.ts";

/** What Codex hands on only when it is named: which Coven is meant, and that the caller is a run of it. */
const variables = ["COVEN_HOME", "COVEN_URL", "COVEN_TOKEN", "COVEN_SESSION_ID", "COVEN_RUN_ID"];

/** Longer than the longest wait of a tool, which ends by itself; Codex gives a call up without regard to its progress. */
const toolTimeoutSeconds = 300;
/** The bridge answers in a blink; this is for a machine under load. */
const startupTimeoutSeconds = 30;

const table = ["mcp_servers", "coven"];

function settingsOf({ command, args, env, home }: McpServer, text: string): TomlKey[] {
  const fixed = (value: string) => () => value;
  const isHomeNamed = hasTomlKey(text, [...table, "env"], "COVEN_HOME");
  return [
    { table, key: "command", value: fixed(JSON.stringify(command)) },
    { table, key: "args", value: fixed(listOf(args)) },
    { table, key: "env_vars", value: withVariables },
    { table, key: "startup_timeout_sec", value: atLeast(startupTimeoutSeconds) },
    { table, key: "tool_timeout_sec", value: atLeast(toolTimeoutSeconds) },
    ...Object.entries(isHomeNamed ? { ...env, COVEN_HOME: home } : env).map(([key, value]) => ({
      table: [...table, "env"],
      key,
      value: fixed(JSON.stringify(value)),
    })),
    // Where Codex cannot ask it refuses what destroys, and a supervisor must be able to end what it started. Deleting
    // a session for good stays asked.
    { table: [...table, "tools", "kill"], key: "approval_mode", value: fixed('"approve"') },
  ];
}

const listOf = (texts: readonly string[]): string =>
  `[${texts.map((text) => JSON.stringify(text)).join(", ")}]`;

/** What somebody has set higher, or named as well, stays. */
const atLeast =
  (seconds: number) =>
  (written: string | undefined): string =>
    written !== undefined && Number(written) >= seconds ? written : String(seconds);

function withVariables(written: string | undefined): string {
  const named = [...(written ?? "").matchAll(/"([^"\\]*)"|'([^']*)'/g)].map(
    ([, one, other]) => one ?? other ?? "",
  );
  if (variables.every((name) => named.includes(name))) return written ?? "";
  return listOf([...new Set([...variables, ...named])]);
}

export const codexConfig = (env: Readonly<Record<string, string>>): string =>
  join(env["CODEX_HOME"] || join(homedir(), ".codex"), "config.toml");

/** The entry alone, to be pasted. */
export const codexEntry = (server: McpServer): string => settingsOf(server, "").reduce(setTomlKey, "");

/** It may hold keys. */
const privateMode = 0o600;

/** Makes the entry; false where it was there already. */
export function writeCodex(file: string, server: McpServer): boolean {
  const before = contentOf(file) ?? "";
  const after = changed(file, before, server);
  if (after === before) return false;
  replaceFile(file, after, privateMode);
  return true;
}

function changed(file: string, text: string, server: McpServer): string {
  try {
    return settingsOf(server, text).reduce(setTomlKey, text);
  } catch (cause) {
    if (!(cause instanceof TomlRefusal)) throw cause;
    throw new Failure("invalid_request", `${file} was left as it is: ${cause.message}`, {
      hint: "Put the entry there by hand: coven mcp install codex prints it.",
      details: { file },
      cause,
    });
  }
}

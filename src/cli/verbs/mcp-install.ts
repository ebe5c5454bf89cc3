/** `mcp install`: shows or makes the entry by which a client starts Coven's MCP server. Needs no daemon. */
import { Argument, Option } from "commander";
import { Failure } from "../../errors.ts";
import { jsonText } from "../action-verb.ts";
import { exitCodes } from "../exit-codes.ts";
import { isGiven, textOf } from "../given.ts";
import {
  claudeCommand,
  claudeConfig,
  claudeEntry,
  writeClaudeProject,
  writeClaudeUser,
} from "../mcp-claude.ts";
import { codexConfig, codexEntry, writeCodex } from "../mcp-codex.ts";
import { mcpServerOf } from "../mcp-server.ts";
import { projectAround } from "../project.ts";
import type { Cli, Given, Verb } from "../verb.ts";

export const mcpInstall: Verb = {
  name: "mcp install",
  summary: "Shows the entry that gives Claude Code or Codex the tools of Coven, or makes it with --write.",
  notes: `What else stands in the file stays as it is, and so does what you added to the entry.
Codex is told to run kill without asking, since it refuses what it cannot ask for; sacrifice stays asked.`,
  arguments: [new Argument("<client>", "who is to use the tools").choices(["claude", "codex"])],
  options: [
    new Option("--write", "make the entry, and not only show it"),
    new Option(
      "--scope <scope>",
      "claude: user for all your projects (default), project for .mcp.json of this one, which others may share",
    ).choices(["user", "project"]),
  ],
  run: (cli, given) => (given.arguments[0] === "claude" ? forClaude(cli, given) : forCodex(cli, given)),
};

async function forClaude(cli: Cli, { options }: Given): Promise<number> {
  const server = mcpServerOf(cli);
  const scope = textOf(options["scope"]) === "project" ? "project" : "user";
  const file = claudeConfig(scope, { project: projectAround(process.cwd()), env: cli.env });
  const entry = { mcpServers: { coven: claudeEntry(server) } };
  const command = claudeCommand(scope, server);
  if (isGiven(options["write"])) {
    const isNew =
      scope === "project" ? writeClaudeProject(file, server) : await writeClaudeUser(file, server, cli.env);
    return tell(cli, { client: "claude", file, entry, isNew });
  }
  if (cli.json) process.stdout.write(jsonText({ client: "claude", file, entry, command }));
  else process.stdout.write(`${jsonText(entry)}\nThis belongs in ${file}, or run:\n${command}\n`);
  return exitCodes.done;
}

function forCodex(cli: Cli, { options }: Given): Promise<number> {
  const server = mcpServerOf(cli);
  if (textOf(options["scope"]) === "project") {
    throw new Failure(
      "invalid_request",
      "--scope project is for claude: Codex has one file for all projects",
      {
        hint: "Leave out --scope.",
      },
    );
  }
  const file = codexConfig(cli.env);
  const entry = codexEntry(server);
  if (isGiven(options["write"])) {
    const isNew = writeCodex(file, server);
    return Promise.resolve(tell(cli, { client: "codex", file, entry, isNew }));
  }
  // A comment, so that the whole may be appended to the file.
  if (cli.json) process.stdout.write(jsonText({ client: "codex", file, entry }));
  else process.stdout.write(`${entry}\n# This belongs in ${file}; --write puts it there.\n`);
  return Promise.resolve(exitCodes.done);
}

interface Made {
  readonly client: string;
  readonly file: string;
  readonly entry: unknown;
  readonly isNew: boolean;
}

function tell(cli: Cli, { client, file, entry, isNew }: Made): number {
  if (cli.json) process.stdout.write(jsonText({ client, file, entry, changed: isNew }));
  else
    process.stdout.write(
      isNew
        ? `coven is in ${file} now; ${client} has its tools when it is started next\n`
        : `coven is in ${file} already; nothing was changed\n`,
    );
  return exitCodes.done;
}

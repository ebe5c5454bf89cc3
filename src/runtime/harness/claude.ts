import { claudeScreens } from "./claude-screens.ts";
import {
  checkMode,
  checkPrompt,
  checkPromptFitsArgument,
  checkedConversationId,
  checkedDirectory,
  checkedModel,
  fitsArgument,
} from "./launch-arguments.ts";
import { claudeHookArgs, signOfClaudeHook } from "./claude-hooks.ts";
import type { Harness, LaunchMode, LaunchPlan, LaunchRequest, Permission, ToolServer } from "./harness.ts";

const modes: readonly LaunchMode[] = ["interactive", "nonInteractive", "stream"];

export const claude: Harness = {
  id: "claude",
  label: "Claude Code",
  executable: "claude",
  modes,
  authOwner: "Claude Code (claude /login, or ANTHROPIC_API_KEY)",
  installHint: "npm install -g @anthropic-ai/claude-code",
  source: "built in",
  plan,
  resumes: () => true,
  message,
  screens: claudeScreens,
  signOfHook: signOfClaudeHook,
};

function plan(request: LaunchRequest): LaunchPlan {
  checkMode(claude.label, modes, request.mode);
  checkPrompt(request);
  switch (request.mode) {
    case "interactive":
      return interactive(request);
    case "nonInteractive":
      return nonInteractive(request);
    case "stream":
      return stream(request);
  }
}

function interactive(request: LaunchRequest): LaunchPlan {
  const { prompt, permission } = request;
  checkPromptFitsArgument(prompt, "Claude Code in interactive mode");
  return {
    args: [
      ...conversationArgs(request),
      ...permissionArgs(request, permission),
      ...commonArgs(request),
      ...claudeHookArgs(request.hook),
      ...promptArgs(prompt),
    ],
    transport: "pty",
    stdin: undefined,
    format: undefined,
    harnessSessionId: request.conversation.id,
    ...saysUnknown(request),
  };
}

function nonInteractive(request: LaunchRequest): LaunchPlan {
  const { prompt } = request;
  const asArgument = fitsArgument(prompt);
  return structured(request, {
    first: [],
    last: asArgument ? promptArgs(prompt) : [],
    stdin: asArgument ? undefined : prompt,
  });
}

/** The prompt is the first message, and more may follow: it is never an argument. */
const stream = (request: LaunchRequest): LaunchPlan =>
  structured(request, {
    first: ["--input-format", "stream-json"],
    last: [],
    stdin: message(request.prompt),
  });

interface Differences {
  readonly first: readonly string[];
  readonly last: readonly string[];
  readonly stdin: string | undefined;
}

function structured(request: LaunchRequest, { first, last, stdin }: Differences): LaunchPlan {
  const { permission = "workspace-write", conversation } = request;
  return {
    args: [
      "--print",
      ...first,
      "--output-format",
      "stream-json",
      "--verbose",
      ...conversationArgs(request),
      ...permissionArgs(request, permission),
      ...commonArgs(request),
      ...last,
    ],
    transport: "pipes",
    stdin,
    format: "claude",
    harnessSessionId: conversation.id,
    ...saysUnknown(request),
  };
}

function message(text: string): string {
  const content = [{ type: "text", text }];
  return `${JSON.stringify({ type: "user", message: { role: "user", content } })}\n`;
}

const permissionModes: Readonly<Record<Permission, string>> = {
  "read-only": "plan",
  "workspace-write": "acceptEdits",
  full: "bypassPermissions",
};

/** Measured: `acceptEdits` alone is denied `sh ./test.sh`, so a lane could edit but never run the project's tests. */
function permissionArgs(
  { toolServer, instructions }: LaunchRequest,
  permission: Permission | undefined,
): string[] {
  const allowed = [
    ...(permission === "workspace-write" ? ["Bash"] : []),
    ...(toolServer === undefined ? [] : [`mcp__${toolServer.name}`]),
  ];
  return [
    ...(permission === undefined ? [] : ["--permission-mode", permissionModes[permission]]),
    ...(allowed.length === 0 ? [] : ["--allowedTools", ...allowed]),
    ...(toolServer === undefined ? [] : toolServerArgs(toolServer)),
    ...systemPromptArgs(instructions, toolServer?.about),
  ];
}

/** All in one flag, since nothing says what becomes of one that is given twice. */
function systemPromptArgs(...texts: readonly (string | undefined)[]): string[] {
  const given = texts.filter((text) => text !== undefined);
  return given.length === 0 ? [] : ["--append-system-prompt", given.join("\n\n")];
}

/** It inherits Claude's environment. `alwaysLoad` has even a first turn wait for it. */
function toolServerArgs({ name, command, args }: ToolServer): string[] {
  const servers = { [name]: { type: "stdio", command, args, alwaysLoad: true } };
  return ["--mcp-config", JSON.stringify({ mcpServers: servers })];
}

function conversationArgs({ conversation }: LaunchRequest): string[] {
  const id = checkedConversationId(conversation.id);
  return conversation.kind === "resume" ? ["--resume", id] : ["--session-id", id];
}

/** Measured with 2.1.197: the same words in every mode. */
const saysUnknown = ({
  conversation: { kind, id },
}: LaunchRequest): Pick<LaunchPlan, "unknownConversation"> =>
  kind === "resume" ? { unknownConversation: [`No conversation found with session ID: ${id}`] } : {};

function commonArgs({ addDirs, model }: LaunchRequest): string[] {
  return [
    ...addDirs.flatMap((directory) => ["--add-dir", checkedDirectory(directory)]),
    ...(model === undefined ? [] : ["--model", checkedModel(model)]),
  ];
}

/**
 * Even after `--`, Claude Code takes a first word that names one of its commands as that command: the prompt "update"
 * starts its updater. A space in front makes any single word a prompt again, and its TUI shows the prompt unchanged.
 */
function promptArgs(prompt: string): string[] {
  if (prompt === "") return [];
  return ["--", /^\S+$/.test(prompt) && !prompt.startsWith("/") ? ` ${prompt}` : prompt];
}

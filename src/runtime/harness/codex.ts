import { codexScreens } from "./codex-screens.ts";
import {
  checkMode,
  checkPrompt,
  checkPromptFitsArgument,
  checkedConversationId,
  checkedDirectory,
  checkedModel,
  fitsArgument,
} from "./launch-arguments.ts";
import { codexHookArgs, signOfCodexHook } from "./codex-hooks.ts";
import type { Harness, LaunchMode, LaunchPlan, LaunchRequest, Permission } from "./harness.ts";

const modes: readonly LaunchMode[] = ["interactive", "nonInteractive"];

export const codex: Harness = {
  id: "codex",
  label: "Codex CLI",
  executable: "codex",
  modes,
  authOwner: "Codex CLI (codex login, or OPENAI_API_KEY)",
  installHint: "npm install -g @openai/codex",
  source: "built in",
  plan,
  resumes: () => true,
  // `codex exec` reads its standard input to the end and only then begins: it cannot be spoken to in turns.
  message: undefined,
  screens: codexScreens,
  signOfHook: signOfCodexHook,
};

function plan(request: LaunchRequest): LaunchPlan {
  checkMode(codex.label, modes, request.mode);
  checkPrompt(request);
  return request.mode === "interactive" ? interactive(request) : nonInteractive(request);
}

/** `--no-daemon`: on Codex's shared background server a turn would go on after its terminal is gone. */
function interactive(request: LaunchRequest): LaunchPlan {
  const { conversation, prompt, permission, addDirs } = request;
  checkPromptFitsArgument(prompt, "Codex in interactive mode");
  return {
    args: [
      ...(conversation.kind === "resume" ? ["resume"] : []),
      "--no-daemon",
      ...(permission === undefined ? addDirArgs(addDirs) : newSandboxArgs(permission, addDirs)),
      ...modelArgs(request),
      ...toolServerArgs(request),
      ...instructionArgs(request),
      ...codexHookArgs(request.hook),
      ...(conversation.kind === "resume" ? [checkedConversationId(conversation.id)] : []),
      ...(prompt === "" ? [] : ["--", prompt]),
    ],
    transport: "pty",
    stdin: undefined,
    format: undefined,
    harnessSessionId: knownId(request),
    ...saysUnknown(request),
  };
}

function nonInteractive(request: LaunchRequest): LaunchPlan {
  const { conversation, prompt, permission = "workspace-write" } = request;
  // A prompt of one dash would be taken as "read standard input", where nothing stands.
  const asArgument = fitsArgument(prompt) && prompt !== "-";
  return {
    args: [
      "exec",
      "--json",
      "--skip-git-repo-check",
      "-c",
      'approval_policy="never"',
      ...(conversation.kind === "resume"
        ? resumedSandboxArgs(permission, request.addDirs)
        : newSandboxArgs(permission, request.addDirs)),
      ...modelArgs(request),
      ...toolServerArgs(request),
      ...instructionArgs(request),
      ...(conversation.kind === "resume" ? ["resume", checkedConversationId(conversation.id)] : []),
      ...(asArgument ? ["--", prompt] : ["-"]),
    ],
    transport: "pipes",
    stdin: asArgument ? undefined : prompt,
    format: "codex",
    harnessSessionId: knownId(request),
    ...saysUnknown(request),
  };
}

const sandboxes: Readonly<Record<Permission, string>> = {
  "read-only": "read-only",
  "workspace-write": "workspace-write",
  full: "danger-full-access",
};

/** Directories are writable roots; a read-only Codex reads everywhere already and, interactive, exits over the flag. */
function newSandboxArgs(permission: Permission, addDirs: readonly string[]): string[] {
  const sandbox = ["--sandbox", sandboxes[permission]];
  return permission === "read-only" ? sandbox : [...sandbox, ...addDirArgs(addDirs)];
}

/** `exec resume` has no flags for the sandbox and does not keep the former one, so it is stated as configuration. */
function resumedSandboxArgs(permission: Permission, addDirs: readonly string[]): string[] {
  const sandbox = ["-c", `sandbox_mode=${JSON.stringify(sandboxes[permission])}`];
  if (permission !== "workspace-write" || addDirs.length === 0) return sandbox;
  const roots = JSON.stringify(addDirs.map(checkedDirectory));
  return [...sandbox, "-c", `sandbox_workspace_write.writable_roots=${roots}`];
}

const addDirArgs = (addDirs: readonly string[]): string[] =>
  addDirs.flatMap((directory) => ["--add-dir", checkedDirectory(directory)]);

const modelArgs = ({ model }: LaunchRequest): string[] =>
  model === undefined ? [] : ["--model", checkedModel(model)];

/**
 * Codex gives a server of its own configuration none of its environment but what is named, begins without one that is
 * not there within a second unless it is required, and refuses tools that destroy unless they are approved.
 */
function toolServerArgs({ toolServer }: LaunchRequest): string[] {
  if (toolServer === undefined) return [];
  const { name, command, args, variables, approved } = toolServer;
  const settings: readonly (readonly [string, unknown])[] = [
    ["command", command],
    ["args", args],
    ["env_vars", variables],
    ["required", true],
    ["tool_timeout_sec", toolSecondsMax],
    ...approved.map((tool) => [`tools.${tool}.approval_mode`, "approve"] as const),
  ];
  return settings.flatMap(([key, value]) => setting(`mcp_servers.${name}.${key}`, value));
}

/** All in one setting, since the last of two would replace the first. */
function instructionArgs({ instructions, toolServer }: LaunchRequest): string[] {
  const given = [instructions, toolServer?.about].filter((text) => text !== undefined);
  return given.length === 0 ? [] : setting("developer_instructions", given.join("\n\n"));
}

/** Longest call of a tool, s: more than the longest wait of one, which is four minutes. */
const toolSecondsMax = 300;

/** Strings, numbers and lists of them are written in TOML as in JSON. */
const setting = (key: string, value: unknown): string[] => ["-c", `${key}=${JSON.stringify(value)}`];

/** No flag chooses a new thread's id; it is read from the output (`thread.started`). */
const knownId = ({ conversation }: LaunchRequest): string | undefined =>
  conversation.kind === "resume" ? conversation.id : undefined;

/** Measured with 0.169.0: `codex exec` says the first, the TUI the second. */
const saysUnknown = ({
  conversation: { kind, id },
}: LaunchRequest): Pick<LaunchPlan, "unknownConversation"> =>
  kind === "resume"
    ? {
        unknownConversation: [`no rollout found for thread id ${id}`, `No saved session found with ID ${id}`],
      }
    : {};

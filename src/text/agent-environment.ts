/**
 * What a launched harness must not inherit from the agent that called Coven. Such variables name the caller's own
 * session: with `CLAUDE_CODE_CHILD_SESSION` an interactive Claude saves no conversation, so it could never be resumed;
 * with `CODEX_THREAD_ID` tools believe they run in the caller's thread. What a user configures (accounts, model
 * providers, limits, config directories) must pass.
 *
 * The names were read from what Claude Code 2.1.197 and Codex CLI 0.169.0 set in their children, and from what these
 * programs themselves remove before they start a further session.
 */
export type Environment = Readonly<Record<string, string | undefined>>;

const sessionVariables = new Set([
  // Set by Claude Code for its tools, hooks, MCP servers and plugins.
  "AI_AGENT",
  "CLAUDECODE",
  "CLAUDE_CODE_CHILD_SESSION",
  "CLAUDE_CODE_ENTRYPOINT",
  "CLAUDE_CODE_EXECPATH",
  "CLAUDE_CODE_SESSION_ID",
  "CLAUDE_EFFORT",
  "CLAUDE_ENV_FILE",
  "CLAUDE_PLUGIN_DATA",
  "CLAUDE_PLUGIN_ROOT",
  "CLAUDE_PROJECT_DIR",
  "CLAUDE_SESSION_ID",
  "CLAUDE_SKILL_DIR",
  // Set for Claude Code by what started that one session: an editor, an SDK, a team, a background job.
  "CLAUDE_AGENT_SDK_CLIENT_APP",
  "CLAUDE_AGENT_SDK_VERSION",
  "CLAUDE_CODE_AGENT",
  "CLAUDE_CODE_AGENT_VIEW_RELAUNCH",
  "CLAUDE_CODE_COORDINATOR_MODE",
  "CLAUDE_CODE_PLAN_MODE_REQUIRED",
  "CLAUDE_CODE_REMOTE_SESSION_ID",
  "CLAUDE_CODE_RESUME_FROM_SESSION",
  "CLAUDE_CODE_RESUME_INTERRUPTED_TURN",
  "CLAUDE_CODE_RESUME_PROMPT",
  "CLAUDE_CODE_SESSION_ACCESS_TOKEN",
  "CLAUDE_CODE_SESSION_KIND",
  "CLAUDE_CODE_SESSION_NAME",
  "CLAUDE_CODE_SPAWN_TIMESTAMP_MS",
  "CLAUDE_CODE_SSE_PORT",
  "CLAUDE_CODE_SUPERVISED",
  "CLAUDE_CODE_TEAMMATE_COMMAND",
  "CLAUDE_CODE_TMUX_SESSION",
  "CLAUDE_CODE_TUI_JUST_SWITCHED",
  "CLAUDE_CODE_WORKER_EPOCH",
  "CLAUDE_JOB_DIR",
  "CLAUDE_PTY_HOST_EXEC",
  "CLAUDE_RUNNER_ACTIVITY_FD",
  // Set by Codex for its tools and MCP servers.
  "CODEX_APPLY_PATCH_PRESERVE_LINE_ENDINGS",
  "CODEX_CI",
  "CODEX_INTERNAL_ORIGINATOR_OVERRIDE",
  "CODEX_MANAGED_BY_BUN",
  "CODEX_MANAGED_BY_NPM",
  "CODEX_MANAGED_PACKAGE_ROOT",
  "CODEX_SESSION_ID",
  "CODEX_THREAD_ID",
  "CODEX_TOOL_CALL_ID",
  "CODEX_VERSION",
  // Set by Coven itself for an outer run.
  "COVEN_RUN_ID",
  "COVEN_SESSION_ID",
  "COVEN_TOKEN",
]);

const sessionPrefixes = ["CLAUDE_BG_", "CLAUDE_BRIDGE_REATTACH_", "CODEX_SANDBOX", "CODEX_NETWORK_PROXY_"];

/**
 * Settings an agent forces upon its shell tool. They would make a harness colourless or its editor a no-op, but a user
 * may set the same names, so they go only beside the agent's marker and only with the agent's own value.
 */
const forcedSettings = [
  { marker: "CLAUDECODE", name: "GIT_EDITOR", value: "true" },
  { marker: "CLAUDECODE", name: "COREPACK_ENABLE_AUTO_PIN", value: "0" },
  { marker: "CLAUDECODE", name: "NoDefaultCurrentDirectoryInExePath", value: "1" },
  { marker: "CODEX_CI", name: "NO_COLOR", value: "1" },
  { marker: "CODEX_CI", name: "COLORTERM", value: "" },
  { marker: "CODEX_CI", name: "PAGER", value: "cat" },
  { marker: "CODEX_CI", name: "GIT_PAGER", value: "cat" },
  { marker: "CODEX_CI", name: "GH_PAGER", value: "cat" },
] as const;

export function withoutAgentVariables(env: Environment): Record<string, string> {
  const forced = new Set<string>(
    forcedSettings
      .filter(({ marker, name, value }) => env[marker] !== undefined && env[name] === value)
      .map(({ name }) => name),
  );
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || forced.has(name) || isSessionVariable(name)) continue;
    kept[name] = value;
  }
  return kept;
}

const isSessionVariable = (name: string): boolean =>
  sessionVariables.has(name) || sessionPrefixes.some((prefix) => name.startsWith(prefix));

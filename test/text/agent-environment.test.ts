import { expect, it } from "vitest";
import { withoutAgentVariables } from "../../src/text/agent-environment.ts";

it("drops what Claude Code sets in its children", () => {
  const set = {
    AI_AGENT: "claude-code_2-1-197_agent",
    CLAUDECODE: "1",
    CLAUDE_CODE_CHILD_SESSION: "1",
    CLAUDE_CODE_ENTRYPOINT: "sdk-cli",
    CLAUDE_CODE_EXECPATH: "/opt/claude",
    CLAUDE_CODE_SESSION_ID: "82f387a2-3a24-411c-8499-e9b90dd3bc2f",
    CLAUDE_CODE_SSE_PORT: "1234",
    CLAUDE_EFFORT: "high",
    CLAUDE_BG_PTY_AUTH: "x",
    COREPACK_ENABLE_AUTO_PIN: "0",
    GIT_EDITOR: "true",
    NoDefaultCurrentDirectoryInExePath: "1",
  };
  expect(withoutAgentVariables({ ...set, HOME: "/home/user" })).toEqual({ HOME: "/home/user" });
});

it("drops what Codex sets in its children", () => {
  const set = {
    CODEX_APPLY_PATCH_PRESERVE_LINE_ENDINGS: "1",
    CODEX_CI: "1",
    CODEX_MANAGED_BY_NPM: "1",
    CODEX_MANAGED_PACKAGE_ROOT: "/opt/codex",
    CODEX_SANDBOX: "seatbelt",
    CODEX_SANDBOX_NETWORK_DISABLED: "1",
    CODEX_SESSION_ID: "01a1f8ee-df59-7621-ab62-a001a4d9536e",
    CODEX_THREAD_ID: "01a1f8ee-df59-7621-ab62-a001a4d9536e",
    CODEX_TOOL_CALL_ID: "call",
    CODEX_VERSION: "0.169.0",
    COLORTERM: "",
    GH_PAGER: "cat",
    GIT_PAGER: "cat",
    NO_COLOR: "1",
    PAGER: "cat",
  };
  expect(withoutAgentVariables({ ...set, PATH: "/usr/bin" })).toEqual({ PATH: "/usr/bin" });
});

it("drops what names an outer run of Coven", () => {
  const set = { COVEN_RUN_ID: "r", COVEN_SESSION_ID: "s", COVEN_TOKEN: "t" };
  expect(withoutAgentVariables({ ...set, COVEN_HOME: "/h" })).toEqual({ COVEN_HOME: "/h" });
});

it("keeps what a user configures", () => {
  const configured = {
    ANTHROPIC_API_KEY: "k",
    ANTHROPIC_BASE_URL: "http://127.0.0.1:1",
    CLAUDE_CODE_MAX_OUTPUT_TOKENS: "1000",
    CLAUDE_CODE_OAUTH_TOKEN: "t",
    CLAUDE_CODE_USE_BEDROCK: "1",
    CLAUDE_CONFIG_DIR: "/c",
    CODEX_HOME: "/x",
    OPENAI_API_KEY: "k",
  };
  expect(withoutAgentVariables(configured)).toEqual(configured);
});

it("keeps a user's own settings where no agent forced them", () => {
  const own = { NO_COLOR: "1", PAGER: "cat", GIT_EDITOR: "true" };
  expect(withoutAgentVariables(own)).toEqual(own);
  expect(withoutAgentVariables({ CLAUDECODE: "1", GIT_EDITOR: "vim" })).toEqual({ GIT_EDITOR: "vim" });
});

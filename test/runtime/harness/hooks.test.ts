/** What the hooks of both harnesses tell, as they were called by the real programs. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { claudeStatusFile, signOfClaudeStatus } from "../../../src/runtime/harness/claude-status-file.ts";
import { claude } from "../../../src/runtime/harness/claude.ts";
import { codex } from "../../../src/runtime/harness/codex.ts";
import type { HookSign } from "../../../src/runtime/harness/harness.ts";
import { request } from "./requests.ts";

const eventOf = (fixture: string): object => {
  const event: unknown = JSON.parse(
    readFileSync(new URL(`fixtures/hooks/${fixture}.json`, import.meta.url), "utf8"),
  );
  if (typeof event !== "object" || event === null) throw new Error(`${fixture} is no event`);
  return event;
};

const claudeSays = (fixture: string, more: object = {}): HookSign | undefined =>
  claude.signOfHook?.({ ...eventOf(fixture), ...more });
const codexSays = (fixture: string, more: object = {}): HookSign | undefined =>
  codex.signOfHook?.({ ...eventOf(fixture), ...more });

describe("a hook of Claude Code", () => {
  it.each([
    ["claude-user-prompt-submit", "busy", "hook UserPromptSubmit"],
    ["claude-pre-tool-use", "busy", "hook PreToolUse"],
    ["claude-post-tool-use", "busy", "hook PostToolUse"],
    ["claude-stop", "waiting", "hook Stop"],
    ["claude-stop-failure", "waiting", "hook StopFailure"],
    ["claude-notification-idle-prompt", "waiting", "hook Notification idle_prompt"],
  ])("%s means %s", (fixture, state, evidence) => {
    expect(claudeSays(fixture)?.sign).toEqual({ state, evidence });
  });

  it("that asks for a permission says what for, and the same once the tool has run", () => {
    const about = "Bash: echo done > done.txt";
    expect(claudeSays("claude-permission-request")).toEqual({
      sign: {
        state: "attention",
        evidence: "hook PermissionRequest",
        question: { text: "May Bash be used?\necho done > done.txt\nRun it", choices: [] },
      },
      about,
    });
    expect(claudeSays("claude-post-tool-use")?.about).toBe(about);
  });

  it("that puts questions of the model to the person gives their text, and the same once they are answered", () => {
    const asked = claudeSays("claude-permission-request-ask-user-question");
    expect(asked?.sign?.question?.text).toBe("Which colour?");
    expect(claudeSays("claude-pre-tool-use-ask-user-question")?.sign).toMatchObject({
      state: "attention",
      question: { text: "Which colour?" },
    });
    expect(claudeSays("claude-post-tool-use-ask-user-question")).toMatchObject({
      sign: { state: "busy" },
      about: asked?.about,
    });
  });

  it("that shows a plan gives the plan", () => {
    expect(claudeSays("claude-permission-request-exit-plan-mode")?.sign?.question?.text).toBe(
      "Go on with this plan?\n1. Do this\n2. Do that",
    );
  });

  it("that only reminds of a prompt has no question of its own", () => {
    expect(claudeSays("claude-notification-permission-prompt")).toEqual({
      sign: { state: "attention", evidence: "hook Notification permission_prompt" },
    });
  });

  it("that a tool server asks by gives the server and its words", () => {
    const event = { hook_event_name: "Elicitation", mcp_server_name: "shop", message: "Which size?" };
    expect(claude.signOfHook?.(event)?.sign).toMatchObject({
      state: "attention",
      question: { text: "shop asks:\nWhich size?", choices: [] },
    });
  });

  it("names the conversation when it starts, also when another is begun in the same process", () => {
    expect(claudeSays("claude-session-start")).toEqual({
      conversation: "11111111-1111-4111-8111-111111111111",
    });
    expect(claudeSays("claude-session-start-clear")?.conversation).toMatch(/^7f43de38-/);
  });

  it("says nothing at the end, of what is not known, or of what is no event", () => {
    for (const event of [
      eventOf("claude-session-end"),
      { hook_event_name: "SomethingNew", session_id: "x" },
      { hook_event_name: "Notification", notification_type: "auth_success" },
      {},
      "Stop",
      undefined,
    ])
      expect(claude.signOfHook?.(event)).toBeUndefined();
  });

  it("gives no more of a question than a person reads, and survives whatever stands in it", () => {
    const long = claudeSays("claude-permission-request-exit-plan-mode", {
      tool_input: { plan: "p".repeat(9000) },
    });
    expect(long?.sign?.question?.text).toHaveLength(2000);
    const odd = claudeSays("claude-permission-request", { tool_name: 7, tool_input: ["x"], session_id: {} });
    expect(odd?.sign?.state).toBe("attention");
  });
});

describe("a hook of Codex", () => {
  it.each([
    ["codex-user-prompt-submit", "busy", "hook UserPromptSubmit"],
    ["codex-pre-tool-use", "busy", "hook PreToolUse"],
    ["codex-stop", "waiting", "hook Stop"],
    ["codex-interrupt", "waiting", "hook Interrupt"],
  ])("%s means %s", (fixture, state, evidence) => {
    expect(codexSays(fixture)?.sign).toEqual({ state, evidence });
  });

  it("that asks for a permission says what for and why, and the same once the tool has run", () => {
    const asked = codexSays("codex-permission-request");
    expect(asked?.sign).toEqual({
      state: "attention",
      evidence: "hook PermissionRequest",
      question: { text: "May Bash be used?\ntouch done.txt\nNeed to make the file outside?", choices: [] },
    });
    expect(codexSays("codex-post-tool-use")).toEqual({
      sign: { state: "busy", evidence: "hook PostToolUse" },
      about: asked?.about,
    });
  });

  it("names the conversation at its start and after each turn, but not a subagent's", () => {
    const conversation = "01a1fec0-eb1d-7943-ba87-3381807b4074";
    expect(codexSays("codex-session-start")).toEqual({ conversation });
    expect(codexSays("codex-stop")?.conversation).toBe(conversation);
    expect(codexSays("codex-stop", { agent_id: "a1" })?.conversation).toBeUndefined();
    expect(codexSays("codex-session-start", { session_id: "../../x; rm" })).toBeUndefined();
  });
});

describe("an interactive launch with a hook", () => {
  const hook = { command: "/opt/Ada's tools/bin/coven", args: ["hook", "claude"] };

  it("gives Claude Code its hooks in settings of this launch, as a line that a shell reads back", () => {
    const { args } = claude.plan(request({ mode: "interactive", hook }));
    const settings = args[args.indexOf("--settings") + 1] ?? "";
    const line = /"command":("(?:[^"\\]|\\.)*")/.exec(settings)?.[1] ?? "";
    const { hooks } = z.object({ hooks: z.record(z.string(), z.unknown()) }).parse(JSON.parse(settings));
    expect(Object.keys(hooks)).toEqual(
      expect.arrayContaining([
        "SessionStart",
        "UserPromptSubmit",
        "PermissionRequest",
        "Notification",
        "Stop",
      ]),
    );
    const words = execFileSync("sh", ["-c", `printf '%s\\n' ${String(JSON.parse(line))}`], {
      encoding: "utf8",
    });
    expect(words.trim().split("\n")).toEqual([hook.command, ...hook.args]);
  });

  it("gives Codex its hooks with the hash of each, and trusts none beside them", () => {
    const { args } = codex.plan(request({ mode: "interactive", hook: { ...hook, command: "/bin/coven" } }));
    const text = args.join("\n");
    const [, handler = ""] = /^hooks\.Stop=(.*)$/m.exec(text) ?? [];
    expect(handler).toBe(
      '[{hooks=[{type="command",command="/bin/coven hook claude",timeout=3,async=false}]}]',
    );
    // The hash as Codex makes it: of the handler's JSON with its keys in order.
    const json = '{"async":false,"command":"/bin/coven hook claude","timeout":3,"type":"command"}';
    const hash = createHash("sha256").update(`{"event_name":"stop","hooks":[${json}]}`).digest("hex");
    expect(text).toContain(`"/<session-flags>/config.toml:stop:0:0"={trusted_hash="sha256:${hash}"}`);
    expect(text).not.toContain("bypass");
    expect(text).not.toContain("notify");
  });

  it("is the only one that calls back", () => {
    for (const { plan } of [claude, codex]) {
      expect(plan(request({ mode: "nonInteractive", hook }))).toEqual(
        plan(request({ mode: "nonInteractive" })),
      );
      expect(plan(request({ mode: "interactive" })).args.join(" ")).not.toContain("hooks");
    }
  });
});

describe("the status file of Claude Code", () => {
  const file = (fields: object): string => JSON.stringify({ pid: 8139, kind: "interactive", ...fields });

  it("says what the process does, and for what it waits", () => {
    expect(signOfClaudeStatus(file({ status: "busy" }))?.state).toBe("busy");
    expect(signOfClaudeStatus(file({ status: "shell" }))?.state).toBe("busy");
    expect(signOfClaudeStatus(file({ status: "idle" }))?.state).toBe("waiting");
    expect(signOfClaudeStatus(file({ status: "waiting", waitingFor: "permission prompt" }))).toEqual({
      state: "attention",
      evidence: "status file: permission prompt",
    });
  });

  it("says nothing without a status, with an unknown one, or half written", () => {
    for (const text of [file({}), file({ status: "dreaming" }), '{"pid":8139,"sta', "", "[]"])
      expect(signOfClaudeStatus(text)).toBeUndefined();
  });

  it("stands in the folder that the process was configured with", () => {
    expect(claudeStatusFile({ HOME: "/home/ada" }, 7)).toBe("/home/ada/.claude/sessions/7.json");
    expect(claudeStatusFile({ HOME: "/home/ada", CLAUDE_CONFIG_DIR: "/c" }, 7)).toBe("/c/sessions/7.json");
  });
});

import { describe, expect, it } from "vitest";
import { claude } from "../../../src/runtime/harness/claude.ts";
import { conversationId, request, resumed, toolServer } from "./requests.ts";

const structured = ["--print", "--output-format", "stream-json", "--verbose"];
const workspaceWrite = ["--permission-mode", "acceptEdits", "--allowedTools", "Bash"];

describe("a nonInteractive launch of Claude Code", () => {
  it("prints structured output on pipes, under a conversation id chosen beforehand", () => {
    expect(claude.plan(request())).toEqual({
      args: [...structured, "--session-id", conversationId, ...workspaceWrite, "--", "fix the test"],
      transport: "pipes",
      stdin: undefined,
      format: "claude",
      harnessSessionId: conversationId,
    });
  });

  it.each([
    ["read-only", ["--permission-mode", "plan"]],
    ["workspace-write", workspaceWrite],
    ["full", ["--permission-mode", "bypassPermissions"]],
  ] as const)("holds it to the permission %s", (permission, flags) => {
    expect(claude.plan(request({ permission })).args).toEqual([
      ...structured,
      "--session-id",
      conversationId,
      ...flags,
      "--",
      "fix the test",
    ]);
  });

  it.each([
    ["read-only", ["--permission-mode", "plan", "--allowedTools", "mcp__coven"]],
    ["workspace-write", [...workspaceWrite, "mcp__coven"]],
  ] as const)("is given Coven's tools and told of them under the permission %s", (permission, flags) => {
    const { args } = claude.plan(request({ permission, toolServer }));
    const [config = "", ...others] = args.slice(args.indexOf("--mcp-config") + 1);
    expect(args.slice(args.indexOf("--permission-mode"), args.indexOf("--mcp-config"))).toEqual(flags);
    expect(JSON.parse(config)).toEqual({
      mcpServers: {
        coven: { type: "stdio", command: "/opt/coven/bin/coven", args: ["mcp"], alwaysLoad: true },
      },
    });
    expect(others).toEqual(["--append-system-prompt", toolServer.about, "--", "fix the test"]);
  });

  it("resumes a conversation with the permission stated again", () => {
    const plan = claude.plan(
      request({ conversation: resumed, permission: "read-only", model: "opus", addDirs: ["/a", "/b"] }),
    );
    expect(plan.args).toEqual([
      ...structured,
      ...["--resume", conversationId, "--permission-mode", "plan"],
      ...["--add-dir", "/a", "--add-dir", "/b", "--model", "opus", "--", "fix the test"],
    ]);
    expect(plan.harnessSessionId).toBe(conversationId);
  });

  it("gives a prompt above the argument limit on standard input, and one at the limit as an argument", () => {
    const longest = "é".repeat(50_000);
    expect(claude.plan(request({ prompt: longest }))).toMatchObject({ stdin: undefined });
    expect(claude.plan(request({ prompt: longest })).args.slice(-2)).toEqual(["--", ` ${longest}`]);
    const plan = claude.plan(request({ prompt: `${longest}!` }));
    expect(plan.stdin).toBe(`${longest}!`);
    expect(plan.args).toEqual([...structured, "--session-id", conversationId, ...workspaceWrite]);
  });

  it("keeps a prompt that looks like an option a prompt", () => {
    expect(claude.plan(request({ prompt: "--help me" })).args.slice(-2)).toEqual(["--", "--help me"]);
  });

  it("needs a prompt", () => {
    expect(() => claude.plan(request({ prompt: "" }))).toThrow(
      expect.objectContaining({ code: "invalid_request" }),
    );
  });
});

describe("a stream launch of Claude Code", () => {
  const streamed = [
    "--print",
    "--input-format",
    "stream-json",
    "--output-format",
    "stream-json",
    "--verbose",
  ];
  const said = (text: string): object => ({
    type: "user",
    message: { role: "user", content: [{ type: "text", text }] },
  });

  it("is given its prompt as the first message, whatever its size, and never as an argument", () => {
    const prompt = `--help\n"${"é".repeat(60_000)}"`;
    const plan = claude.plan(request({ mode: "stream", prompt, model: "opus", addDirs: ["/a"] }));
    const { stdin, ...rest } = plan;
    expect(rest).toEqual({
      args: [
        ...streamed,
        ...["--session-id", conversationId, ...workspaceWrite],
        ...["--add-dir", "/a", "--model", "opus"],
      ],
      transport: "pipes",
      format: "claude",
      harnessSessionId: conversationId,
    });
    expect(
      stdin
        ?.trimEnd()
        .split("\n")
        .map((line): unknown => JSON.parse(line)),
    ).toEqual([said(prompt)]);
    expect(stdin?.endsWith("\n")).toBe(true);
  });

  it("resumes a conversation", () => {
    const plan = claude.plan(request({ mode: "stream", conversation: resumed, permission: "full" }));
    const flags = ["--resume", conversationId, "--permission-mode", "bypassPermissions"];
    expect(plan.args).toEqual([...streamed, ...flags]);
  });
});

describe("an interactive launch of Claude Code", () => {
  it("shows its own screen in a terminal with its own default permission", () => {
    expect(claude.plan(request({ mode: "interactive" }))).toEqual({
      args: ["--session-id", conversationId, "--", "fix the test"],
      transport: "pty",
      stdin: undefined,
      format: undefined,
      harnessSessionId: conversationId,
    });
  });

  it("resumes with a permission, directories and a model, and without a prompt", () => {
    const plan = claude.plan(
      request({
        mode: "interactive",
        prompt: "",
        conversation: resumed,
        permission: "workspace-write",
        addDirs: ["/a"],
        model: "claude-opus-4-8",
      }),
    );
    expect(plan.args).toEqual([
      ...["--resume", conversationId, ...workspaceWrite],
      ...["--add-dir", "/a", "--model", "claude-opus-4-8"],
    ]);
  });

  it("does not let a prompt of one word run the command of that name, and leaves slash commands alone", () => {
    const promptOf = (prompt: string) => claude.plan(request({ mode: "interactive", prompt })).args.at(-1);
    expect(promptOf("update")).toBe(" update");
    expect(promptOf("/compact")).toBe("/compact");
    expect(promptOf("update the docs")).toBe("update the docs");
  });

  it("refuses a prompt that no argument can carry, naming limit and size", () => {
    const prompt = "x".repeat(100_001);
    expect(() => claude.plan(request({ mode: "interactive", prompt }))).toThrow(
      expect.objectContaining({
        code: "payload_too_large",
        message: "The prompt has 100001 bytes; Claude Code in interactive mode takes at most 100000.",
        details: { limitBytes: 100_000, bytes: 100_001 },
      }),
    );
  });
});

describe("what Claude Code is not given", () => {
  it.each(["--evil", "a..b", "", "a b", "ümlaut", "a\nb"])("refuses the model name %j", (model) => {
    expect(() => claude.plan(request({ model }))).toThrow(
      expect.objectContaining({ code: "invalid_request" }),
    );
  });

  it.each(["-r", "latest", "", "../../etc"])("refuses the conversation id %j", (id) => {
    expect(() => claude.plan(request({ conversation: { kind: "resume", id } }))).toThrow(
      expect.objectContaining({ code: "invalid_request" }),
    );
  });

  it.each(["relative", "--flag", "/a\nb"])("refuses the directory %j", (directory) => {
    expect(() => claude.plan(request({ addDirs: [directory] }))).toThrow(
      expect.objectContaining({ code: "invalid_request" }),
    );
  });

  it("refuses a NUL character in the prompt", () => {
    expect(() => claude.plan(request({ prompt: "a\0b" }))).toThrow(
      expect.objectContaining({ code: "invalid_request" }),
    );
  });
});

import { describe, expect, it } from "vitest";
import { codex } from "../../../src/runtime/harness/codex.ts";
import { conversationId, request, resumed, toolServer } from "./requests.ts";

const structured = ["exec", "--json", "--skip-git-repo-check", "-c", 'approval_policy="never"'];

describe("a nonInteractive launch of Codex", () => {
  it("prints structured output on pipes and finds its conversation id there", () => {
    expect(codex.plan(request())).toEqual({
      args: [...structured, "--sandbox", "workspace-write", "--", "fix the test"],
      transport: "pipes",
      stdin: undefined,
      format: "codex",
      harnessSessionId: undefined,
    });
  });

  it("is given Coven's tools, with the variables named and what ends something approved, and told of them", () => {
    const server = "mcp_servers.coven";
    expect(codex.plan(request({ toolServer })).args).toEqual([
      ...structured,
      ...["--sandbox", "workspace-write"],
      ...["-c", `${server}.command="/opt/coven/bin/coven"`, "-c", `${server}.args=["mcp"]`],
      ...["-c", `${server}.env_vars=["COVEN_HOME","COVEN_TOKEN"]`, "-c", `${server}.required=true`],
      ...["-c", `${server}.tool_timeout_sec=300`],
      ...["-c", `${server}.tools.kill.approval_mode="approve"`],
      ...["-c", 'developer_instructions="You have \\"tools\\".\\nUse them."'],
      ...["--", "fix the test"],
    ]);
  });

  it.each([
    ["read-only", ["--sandbox", "read-only"]],
    ["workspace-write", ["--sandbox", "workspace-write", "--add-dir", "/a", "--add-dir", "/b"]],
    ["full", ["--sandbox", "danger-full-access", "--add-dir", "/a", "--add-dir", "/b"]],
  ] as const)("holds it to the permission %s, directories being writable roots", (permission, flags) => {
    expect(codex.plan(request({ permission, addDirs: ["/a", "/b"], model: "gpt-5.4" })).args).toEqual([
      ...structured,
      ...flags,
      ...["--model", "gpt-5.4", "--", "fix the test"],
    ]);
  });

  it.each([
    ["read-only", ["-c", 'sandbox_mode="read-only"']],
    [
      "workspace-write",
      ["-c", 'sandbox_mode="workspace-write"', "-c", 'sandbox_workspace_write.writable_roots=["/a","/b"]'],
    ],
    ["full", ["-c", 'sandbox_mode="danger-full-access"']],
  ] as const)(
    "resumes under the permission %s, stated as configuration before the subcommand",
    (permission, flags) => {
      const plan = codex.plan(
        request({ conversation: resumed, permission, addDirs: ["/a", "/b"], model: "gpt-5.4" }),
      );
      expect(plan.args).toEqual([
        ...structured,
        ...flags,
        ...["--model", "gpt-5.4", "resume", conversationId, "--", "fix the test"],
      ]);
      expect(plan.harnessSessionId).toBe(conversationId);
    },
  );

  it("gives a prompt above the argument limit, and one that means standard input, on standard input", () => {
    const prompt = "x".repeat(100_001);
    expect(codex.plan(request({ prompt }))).toMatchObject({
      args: [...structured, "--sandbox", "workspace-write", "-"],
      stdin: prompt,
    });
    expect(codex.plan(request({ prompt: "-", conversation: resumed }))).toMatchObject({
      args: [...structured, "-c", 'sandbox_mode="workspace-write"', "resume", conversationId, "-"],
      stdin: "-",
    });
  });
});

describe("an interactive launch of Codex", () => {
  it("runs apart from Codex's shared server, with its own default permission", () => {
    expect(codex.plan(request({ mode: "interactive" }))).toEqual({
      args: ["--no-daemon", "--", "fix the test"],
      transport: "pty",
      stdin: undefined,
      format: undefined,
      harnessSessionId: undefined,
    });
  });

  it.each([
    ["read-only", ["--sandbox", "read-only"]],
    ["workspace-write", ["--sandbox", "workspace-write", "--add-dir", "/a"]],
    ["full", ["--sandbox", "danger-full-access", "--add-dir", "/a"]],
  ] as const)("holds it to the permission %s", (permission, flags) => {
    const launch = request({ mode: "interactive", prompt: "", permission, addDirs: ["/a"] });
    expect(codex.plan(launch).args).toEqual(["--no-daemon", ...flags]);
    expect(codex.plan({ ...launch, conversation: resumed, prompt: "go on" }).args).toEqual([
      ...["resume", "--no-daemon", ...flags, conversationId, "--", "go on"],
    ]);
  });

  it("refuses a prompt that no argument can carry", () => {
    expect(() => codex.plan(request({ mode: "interactive", prompt: "x".repeat(100_001) }))).toThrow(
      expect.objectContaining({ code: "payload_too_large" }),
    );
  });
});

it("does not launch Codex in mode stream, as published clients know it, and names the modes it has", () => {
  expect(() => codex.plan(request({ mode: "stream" }))).toThrow(
    expect.objectContaining({
      code: "launch_failed",
      message: "Codex CLI cannot be launched in mode stream.",
      hint: "Accepted launch modes: interactive, nonInteractive.",
    }),
  );
  expect(codex.modes).not.toContain("stream");
});

it("does not launch Codex with a doubtful model, id or directory", () => {
  const refused: unknown = expect.objectContaining({ code: "invalid_request" });
  expect(() => codex.plan(request({ model: "-c" }))).toThrow(refused);
  expect(() => codex.plan(request({ conversation: { kind: "resume", id: "--last" } }))).toThrow(refused);
  expect(() => codex.plan(request({ addDirs: ['/a"]\n'] }))).toThrow(refused);
});

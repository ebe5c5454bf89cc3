import { describe, expect, it } from "vitest";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { covenForFile, jsonIn } from "../support/coven.ts";

const { coven, folder, launch, project } = covenForFile();

describe("help", () => {
  it("lists the verbs, and explains one", async () => {
    const all = await coven(["--help"]);
    expect(all).toMatchObject({ code: 0, stderr: "" });
    for (const verb of [
      "run",
      "watch",
      "rejoin|attach",
      "input",
      "daemon",
      "logs",
      "doctor",
      "list",
      "sacrifice",
    ])
      expect(all.stdout).toContain(`\n  ${verb} `);
    const one = await coven(["watch", "--help"]);
    expect(one.code).toBe(0);
    expect(one.stdout).toContain("--match-pattern <value>");
    expect(await coven(["sessions", "watch", "--help"])).toEqual(one);
    expect(one.stdout.replace(/\s+/g, " ")).toContain("such as 30s or 5m (default: no limit)");
    expect((await coven(["kill", "--help"])).stdout.replace(/\s+/g, " ")).toContain(
      "at most 4s (default: 2s)",
    );
    expect((await coven(["tail", "--help"])).stdout).toContain("how many lines (default: 20)");
    expect((await coven(["sessions", "--help"])).stdout).toContain("Live sessions come first");
    expect(await coven([])).toEqual(all);
  });

  it("says its version", async () => {
    expect((await coven(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe("bad input gets a code, a sentence and what to do next", () => {
  const outside = join(folder, "outside");
  mkdirSync(outside);
  symlinkSync(outside, join(project, "way-out"));
  writeFileSync(join(project, "file"), "");

  it.each([
    {
      args: ["wtach"],
      exit: 64,
      code: "invalid_request",
      says: "unknown verb 'wtach'",
      hint: "Did you mean watch?",
    },
    {
      args: ["sessions", "lst"],
      exit: 64,
      code: "invalid_request",
      says: "unknown verb 'lst'",
      hint: "list",
    },
    {
      args: ["list", "--lable", "x"],
      exit: 64,
      code: "invalid_request",
      says: "unknown option '--lable'",
      hint: "--label",
    },
    {
      args: ["--home", "elsewhere", "mcp"],
      exit: 64,
      code: "invalid_request",
      says: "coven mcp takes no options",
      hint: "Set COVEN_HOME",
    },
    {
      args: ["daemon"],
      exit: 64,
      code: "invalid_request",
      says: "a verb is missing",
      hint: "coven daemon --help",
    },
    {
      args: ["daemon", "pause"],
      exit: 64,
      code: "invalid_request",
      says: "unknown verb 'pause'",
      hint: "coven daemon --help",
    },
    {
      args: ["logs", "--lines", "-5"],
      exit: 64,
      code: "invalid_request",
      says: "a whole number, 0 or more",
      hint: "coven logs --help",
    },
    {
      args: ["run"],
      exit: 64,
      code: "invalid_request",
      says: "harness and prompt are missing",
      hint: "coven run codex",
    },
    {
      args: ["run", "codex"],
      exit: 64,
      code: "invalid_request",
      says: "the prompt is missing",
      hint: "coven run codex",
    },
    {
      args: ["run", "codex", "fix", "the", "tests"],
      exit: 64,
      code: "invalid_request",
      says: "too many words",
      hint: "quotes",
    },
    {
      args: ["run", "codex", "  "],
      exit: 64,
      code: "invalid_request",
      says: "must not be blank",
      hint: "arguments of run",
    },
    {
      args: ["run", "codex", "x", "--project", ""],
      exit: 64,
      code: "invalid_request",
      says: "--project must not be blank",
      hint: "leave it out",
    },
    {
      args: ["list", "--label", " "],
      exit: 64,
      code: "invalid_request",
      says: "--label must not be blank",
      hint: "leave it out",
    },
    {
      args: ["run", "codex", "-"],
      exit: 64,
      code: "invalid_request",
      says: "standard input is empty",
      hint: "coven run codex - < prompt.md",
    },
    {
      args: ["list", "--url", "http://127.0.0.1:1"],
      exit: 69,
      code: "runtime_unavailable",
      says: "no daemon is listening there",
      hint: "Check the address",
    },
    {
      args: ["run", "cody", "x"],
      exit: 64,
      code: "invalid_request",
      says: "unknown harness cody; known are codex, claude, asks",
      hint: "manifest",
    },
    {
      args: ["run", "codex", "x", "--mode", "tui"],
      exit: 64,
      code: "invalid_request",
      says: "interactive, nonInteractive, stream.",
      hint: "coven run --help",
    },
    {
      args: ["run", "codex", "x", "--project", "none"],
      exit: 64,
      code: "invalid_request",
      says: "projectRoot does not exist",
      hint: "",
    },
    {
      args: ["run", "codex", "x", "--project", "file"],
      exit: 64,
      code: "invalid_request",
      says: "projectRoot is not a directory",
      hint: "",
    },
    {
      args: ["run", "codex", "x", "--cwd", "../.."],
      exit: 64,
      code: "invalid_request",
      says: "outside the project root",
      hint: "inside the project root",
    },
    {
      args: ["run", "codex", "x", "--cwd", "way-out"],
      exit: 64,
      code: "invalid_request",
      says: "outside the project root",
      hint: "inside the project root",
    },
    {
      args: ["watch"],
      exit: 64,
      code: "invalid_request",
      says: "missing required argument 'sessions'",
      hint: "coven watch --help",
    },
    {
      args: ["watch", "x", "--timeout", "soon"],
      exit: 64,
      code: "invalid_request",
      says: "a time such as",
      hint: "coven watch --help",
    },
    {
      args: ["watch", "x", "--any", "--count", "2"],
      exit: 64,
      code: "invalid_request",
      says: "cannot be used with",
      hint: "coven watch --help",
    },
    {
      args: ["tail", "x", "--lines", "many"],
      exit: 64,
      code: "invalid_request",
      says: "whole number",
      hint: "coven tail --help",
    },
    {
      args: ["status", "no-such-session"],
      exit: 66,
      code: "session_not_found",
      says: "no session no-such-session",
      hint: "List the sessions",
    },
    {
      args: ["kill", "00000000-0000-4000-8000-000000000000"],
      exit: 66,
      code: "session_not_found",
      says: "no session",
      hint: "List the sessions",
    },
    {
      args: ["input", "x"],
      exit: 64,
      code: "invalid_request",
      says: "standard input is empty",
      hint: "--key enter",
    },
    {
      args: ["input", "x", "--key", "entr"],
      exit: 66,
      code: "session_not_found",
      says: "no session x",
      hint: "",
    },
  ])("coven $args", async ({ args, exit, code, says, hint }) => {
    const plain = await coven(args);
    expect(plain).toMatchObject({ code: exit, stdout: "" });
    expect(plain.stderr).toMatch(new RegExp(`^coven: ${code}: `));
    expect(plain.stderr).toContain(says);
    expect(plain.stderr).toContain(hint);

    const asJson = await coven([...args, "--json"]);
    expect(asJson).toMatchObject({ code: exit, stdout: "" });
    expect(jsonIn(asJson.stderr)).toMatchObject({ error: { code } });
  });

  it("refuses what the state of a session forbids", async () => {
    const { id } = await launch("codex", "stay");
    const live = await coven(["archive", id]);
    expect(live).toMatchObject({ code: 65, stdout: "" });
    expect(live.stderr).toContain(`session_live: session ${id} is live and cannot be archived`);
    expect(await coven(["input", id, "x"])).toMatchObject({ code: 65 });
    expect((await coven(["input", id, "x"])).stderr).toContain("input_not_accepted");
    await coven(["kill", id]);
    expect((await coven(["kill", id])).stderr).toMatch(/^coven: session_not_live: .*\n.+/);
    const unsure = await coven(["sacrifice", id]);
    expect(unsure.code).toBe(64);
    expect(unsure.stderr).toMatch(
      new RegExp(`confirmation_required: sacrificing session ${id} .*\n.*\\(stay\\)`),
    );
    expect(unsure.stderr).toContain("--yes");
  });

  it("names the key it does not know", async () => {
    const { id } = await launch("asks", "--mode", "interactive", "go");
    expect((await coven(["input", id, "--key", "entr"])).stderr).toContain(
      "unknown key entr; known are enter",
    );
    await coven(["kill", id]);
  });

  it("names the candidates of an ambiguous prefix", async () => {
    const seen = new Map<string, string>();
    for (;;) {
      const { id } = await launch("codex", "look");
      const other = seen.get(id.slice(0, 1));
      seen.set(id.slice(0, 1), id);
      if (other === undefined) continue;
      const { code, stderr } = await coven(["status", id.slice(0, 1)]);
      expect(code).toBe(66);
      expect(stderr).toMatch(/^coven: ambiguous_id: \d+ sessions begin with/);
      expect(stderr).toContain(id);
      expect(stderr).toContain(other);
      return;
    }
  });
});

describe("what others wrote", () => {
  it("steers no terminal", async () => {
    const { id } = await launch("codex", "look", "--title", "a\u001b[2J\u001b]0;t\u0007b");
    await coven(["watch", id]);
    const { stderr } = await coven(["sacrifice", id]);
    expect(stderr).toContain("(ab)");
    expect(stderr).not.toContain("\u001b");
  });
});

describe("--json", () => {
  it("is refused where the answer is a screen", async () => {
    const { code, stderr } = await coven(["rejoin", "x", "--json"]);
    expect(code).toBe(64);
    expect(jsonIn(stderr)).toMatchObject({ error: { code: "invalid_request" } });
    expect(stderr).toContain("coven events <session> --json");
  });

  it("is one document on standard output, whatever the verb", async () => {
    const { id } = await launch("codex", "look");
    await coven(["watch", id]);
    const lines = [
      ["list"],
      ["status"],
      ["status", id],
      ["record", id],
      ["events", id],
      ["events", id, "--tail", "2"],
      ["tail", id],
      ["output", id],
      ["watch", id],
      ["watch", id, "--tail"],
      ["capabilities"],
      ["health"],
      ["archive", id],
      ["summon", id],
      ["doctor"],
      ["daemon", "start"],
      ["daemon", "status"],
    ];
    for (const line of lines) {
      const { stdout, stderr, code } = await coven([...line, "--json"]);
      expect({ line, stderr, code }).toEqual({ line, stderr: "", code: 0 });
      expect(jsonIn(stdout)).toBeTypeOf("object");
    }
  });
});

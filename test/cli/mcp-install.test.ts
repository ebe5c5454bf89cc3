/** Coven's entry in the configuration of a client: made once, beside whatever stands there. */
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeEach, describe, expect, test } from "vitest";
import { covenForFile, jsonIn } from "../support/coven.ts";

const { bin, coven, env, folder, project } = covenForFile();
const command = fileURLToPath(new URL("../../bin/coven", import.meta.url));
const entry = { type: "stdio", command, args: ["mcp"], alwaysLoad: true };

const install = (...words: string[]) => coven(["mcp", "install", ...words]);
const installAt = (home: string, ...words: string[]) =>
  coven(["mcp", "install", ...words], { env: { COVEN_HOME: home } });

describe("codex", () => {
  const codexHome = join(folder, ".codex");
  const file = join(codexHome, "config.toml");
  const ours = `[mcp_servers.coven]
command = ${JSON.stringify(command)}
args = ["mcp"]
env_vars = ["COVEN_HOME", "COVEN_URL", "COVEN_TOKEN", "COVEN_SESSION_ID", "COVEN_RUN_ID"]
startup_timeout_sec = 30
tool_timeout_sec = 300

[mcp_servers.coven.tools.kill]
approval_mode = "approve"
`;
  const put = (text: string): void => {
    mkdirSync(codexHome, { recursive: true });
    writeFileSync(file, text);
  };
  const written = (): string => readFileSync(file, "utf8");
  beforeEach(() => rmSync(codexHome, { recursive: true, force: true }));

  test("is shown the entry, and nothing is written", async () => {
    const { code, stdout } = await install("codex");
    expect(code).toBe(0);
    expect(stdout).toBe(`${ours}\n# This belongs in ${file}; --write puts it there.\n`);
    expect(existsSync(codexHome)).toBe(false);
    expect(jsonIn((await install("codex", "--json")).stdout)).toEqual({ client: "codex", file, entry: ours });
  });

  test("gets the entry in a file of its own where it has none, and once only", async () => {
    expect(await install("codex", "--write")).toMatchObject({
      code: 0,
      stdout: `coven is in ${file} now; codex has its tools when it is started next\n`,
    });
    expect(written()).toBe(ours);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(await install("codex", "--write")).toMatchObject({
      code: 0,
      stdout: `coven is in ${file} already; nothing was changed\n`,
    });
    expect(written()).toBe(ours);
    const other = join(folder, "codex-elsewhere");
    await coven(["mcp", "install", "codex", "--write"], { env: { CODEX_HOME: other } });
    expect(readFileSync(join(other, "config.toml"), "utf8")).toBe(ours);
  });

  test("keeps every character of what else stands in the file, whatever it looks like", async () => {
    const others = `# mine
model = "gpt-5.5"   # kept
notify = [
  ["[mcp_servers.coven]"], # ]
  ["mcp_servers"]
]
text = """
[mcp_servers.coven]
command = "\\""" """
literal = '''[mcp_servers.coven]'''

[mcp_servers.other]
command = 'C:\\x'

["mcp_servers".'last'] # no line end follows
command = "y"`;
    put(others);
    chmodSync(file, 0o640);
    expect(await install("codex", "--write")).toMatchObject({ code: 0 });
    expect(written()).toBe(`${others}\n\n${ours}`);
    expect(statSync(file).mode & 0o777).toBe(0o640);
    expect(readdirSync(codexHome)).toEqual(["config.toml"]);
  });

  test("has an old entry brought up to date, with what was added to it left", async () => {
    put(`[mcp_servers."coven"] # the supervisor
command = "/old/coven"
enabled_tools = ["run", "watch"]
tool_timeout_sec = 900 # long
env_vars = ["MY_VARIABLE"]

# why
[mcp_servers.coven.tools.sacrifice]
approval_mode = "approve"

[profiles.x]
model = "y"
`);
    expect(await install("codex", "--write")).toMatchObject({ code: 0 });
    expect(written()).toBe(`[mcp_servers."coven"] # the supervisor
command = ${JSON.stringify(command)}
enabled_tools = ["run", "watch"]
tool_timeout_sec = 900 # long
env_vars = ["COVEN_HOME", "COVEN_URL", "COVEN_TOKEN", "COVEN_SESSION_ID", "COVEN_RUN_ID", "MY_VARIABLE"]
args = ["mcp"]
startup_timeout_sec = 30

# why
[mcp_servers.coven.tools.sacrifice]
approval_mode = "approve"

[mcp_servers.coven.tools.kill]
approval_mode = "approve"

[profiles.x]
model = "y"
`);
    expect((await install("codex", "--write")).stdout).toContain("already");
  });

  test("is told of another COVEN_HOME, and of the usual one again", async () => {
    const home = join(folder, "other home");
    expect(await installAt(home, "codex", "--write")).toMatchObject({ code: 0 });
    expect(written()).toContain(`[mcp_servers.coven.env]\nCOVEN_HOME = ${JSON.stringify(home)}\n`);
    await install("codex", "--write");
    expect(written()).toContain(`COVEN_HOME = ${JSON.stringify(join(folder, ".coven"))}\n`);
    expect(written()).not.toContain("other home");
  });

  test("has a link to its file kept", async () => {
    const kept = join(folder, "dotfiles.toml");
    mkdirSync(codexHome);
    writeFileSync(kept, "");
    symlinkSync(kept, file);
    await install("codex", "--write");
    expect(readFileSync(kept, "utf8")).toBe(ours);
    expect(lstatSync(file).isSymbolicLink()).toBe(true);
  });

  test.each([
    ["in an inline table", `mcp_servers = { coven = { command = "x" } }\n`, /written in another way/],
    ["in an inline table of its own", `[mcp_servers]\ncoven = { command = "x" }\n`, /written in another way/],
    ["with dotted keys", `mcp_servers.coven.command = "x"\n`, /written in another way/],
    ["as a list", `[[mcp_servers.coven]]\ncommand = "x"\n`, /written in another way/],
    ["with the approval dotted", `[mcp_servers.coven]\ntools.kill.approval_mode = "prompt"\n`, /another way/],
    ["in what is no TOML", `model = "gpt\n`, /line 1 cannot be read as TOML/],
    ["behind an open list", `a = [1,\n[mcp_servers.coven]\n`, /cannot be read as TOML/],
    ["behind a line that is nothing", `a = 1\nhello\n`, /line \d cannot be read as TOML/],
  ])("is refused where the entry stands %s, with the file left as it is", async (_, text, why) => {
    put(text);
    const { code, stderr, stdout } = await install("codex", "--write");
    expect({ code, stdout }).toEqual({ code: 64, stdout: "" });
    expect(stderr).toMatch(why);
    expect(stderr).toContain("coven mcp install codex prints it");
    expect(written()).toBe(text);
  });
});

describe("claude, in a project", () => {
  const file = join(project, ".mcp.json");
  const written = (): string => readFileSync(file, "utf8");
  beforeEach(() => rmSync(file, { force: true }));

  test("is shown the entry and the command that makes it, with the COVEN_HOME that is not the usual one", async () => {
    const { code, stdout } = await install("claude");
    expect(code).toBe(0);
    expect(stdout).toContain(JSON.stringify({ mcpServers: { coven: entry } }, null, 2));
    expect(stdout).toContain(`\nclaude mcp add-json -s user coven '${JSON.stringify(entry)}'\n`);
    const home = join(folder, "other home");
    const shown = jsonIn((await installAt(home, "claude", "--scope", "project", "--json")).stdout);
    const withHome = { ...entry, env: { COVEN_HOME: home } };
    expect(shown).toEqual({
      client: "claude",
      file,
      entry: { mcpServers: { coven: withHome } },
      command: `claude mcp add-json -s project coven '${JSON.stringify(withHome)}'`,
    });
    expect(existsSync(file)).toBe(false);
  });

  test("gets .mcp.json in the root of the project, once only", async () => {
    const made = await coven(["mcp", "install", "claude", "--write", "--scope", "project"], {
      cwd: join(project, "packages/cli"),
    });
    expect(made.stdout).toBe(`coven is in ${file} now; claude has its tools when it is started next\n`);
    const text = written();
    expect(JSON.parse(text)).toEqual({ mcpServers: { coven: entry } });
    const again = await install("claude", "--write", "--scope", "project");
    expect(again.stdout).toBe(`coven is in ${file} already; nothing was changed\n`);
    expect(written()).toBe(text);
  });

  test("keeps what else stands in .mcp.json, and what was added to the entry", async () => {
    const before = {
      $schema: "x",
      mcpServers: {
        other: { command: "o", env: { A: "1" } },
        coven: { command: "/old", timeout: 600000, env: { B: "2", COVEN_HOME: "/old" } },
      },
      more: [1, null],
    };
    writeFileSync(file, JSON.stringify(before, null, "\t"));
    expect(await install("claude", "--write", "--scope", "project")).toMatchObject({ code: 0 });
    const env = { B: "2", COVEN_HOME: join(folder, ".coven") };
    const coven = { command, timeout: 600000, env, type: "stdio", args: ["mcp"], alwaysLoad: true };
    const after = { ...before, mcpServers: { other: before.mcpServers.other, coven } };
    expect(written()).toBe(JSON.stringify(after, null, "\t"));
  });

  test.each([
    ["{", /it is not JSON/],
    ["", /it is not JSON/],
    ["[]", /holds no JSON object/],
    [`{"mcpServers":[]}`, /its mcpServers is no object/],
  ])("leaves a file with %j in it alone", async (text, why) => {
    writeFileSync(file, text);
    const { code, stderr } = await install("claude", "--write", "--scope", "project");
    expect(code).toBe(64);
    expect(stderr).toMatch(why);
    expect(written()).toBe(text);
  });
});

describe("claude, for the user", () => {
  const file = join(folder, ".claude.json");
  const calls = join(folder, "claude-calls");
  beforeEach(() => {
    rmSync(calls, { force: true });
    rmSync(file, { force: true });
    rmSync(join(bin, "claude"), { force: true });
  });
  /** Notes how it was called, one line each. */
  const fakeClaude = (more = ""): void =>
    writeFileSync(join(bin, "claude"), `#!/bin/sh\nprintf '%s\\n' "$*" >>${calls}\n${more}\n`, {
      mode: 0o755,
    });
  const called = (): string[] => readFileSync(calls, "utf8").trimEnd().split("\n");

  test("has its own program make the entry, which takes the place of an older one", async () => {
    fakeClaude();
    expect(await install("claude", "--write")).toMatchObject({ code: 0 });
    expect(called()).toEqual([`mcp add-json -s user coven ${JSON.stringify(entry)}`]);

    rmSync(calls);
    writeFileSync(file, JSON.stringify({ mcpServers: { coven: { command: "/old", timeout: 5 } } }));
    expect(await install("claude", "--write")).toMatchObject({ code: 0 });
    const merged = { command, timeout: 5, type: "stdio", args: ["mcp"], alwaysLoad: true };
    expect(called()).toEqual([
      "mcp remove coven -s user",
      `mcp add-json -s user coven ${JSON.stringify(merged)}`,
    ]);

    rmSync(calls);
    writeFileSync(file, JSON.stringify({ mcpServers: { coven: { ...entry, alwaysLoad: false } } }));
    expect((await install("claude", "--write")).stdout).toContain("already; nothing was changed");
    expect(existsSync(calls)).toBe(false);
  });

  test("is told what went wrong there, and what to do by hand", async () => {
    fakeClaude("echo no login >&2; exit 3");
    const refused = await install("claude", "--write");
    expect(refused.code).toBe(64);
    expect(refused.stderr).toContain(
      "claude refused: no login\nDo it by hand: claude mcp add-json -s user coven ",
    );
    rmSync(join(bin, "claude"));
    const missing = await coven(["mcp", "install", "claude", "--write"], { env: { PATH: onlyNode() } });
    expect(missing.code).toBe(66);
    expect(missing.stderr).toContain("claude is not on PATH");
  });

  /** No folder where a claude of the machine's own may be. */
  const onlyNode = (): string =>
    [bin, ...(env["PATH"] ?? "").split(":").filter((each) => !existsSync(join(each, "claude")))].join(":");
});

test("what cannot be meant is refused", async () => {
  expect(await install("vim")).toMatchObject({ code: 64, stdout: "" });
  expect(await install()).toMatchObject({ code: 64, stdout: "" });
  expect(await install("claude", "--scope", "local")).toMatchObject({ code: 64 });
  expect((await install("codex", "--scope", "project")).stderr).toContain("--scope project is for claude");
  const elsewhere = await install("codex", "--url", "http://127.0.0.1:1");
  expect(elsewhere).toMatchObject({ code: 64 });
  expect(elsewhere.stderr).toContain("Leave out --url");
});

/** Every command line of the seeds, as it stands there; only the placeholders are filled in. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { covenForFile, jsonIn } from "./support/coven.ts";

const { coven, folder, home, launch, project, shell } = covenForFile();

/** Whose lane it was and how it ended stands beside the text, on standard error. */
const ended = /^coven: session \w{8} runs codex\ncoven: session \w{8} completed \(exit 0\)\n$/;
const laneEnd = { code: 0, stderr: expect.stringMatching(ended) };
const cleanEnd = { code: 0, stderr: "" } as const;

describe("launch a session", () => {
  it('coven run codex "fix the failing tests"', async () => {
    expect(await shell('coven run codex "fix the failing tests"')).toEqual({
      ...laneEnd,
      stdout: `> fix the failing tests\ndone in ${project}\n`,
    });
  });

  it("the equivalent explicit form", async () => {
    const line = `coven run \\
  --harness codex \\
  --project ~/code/example-project \\
  --title "fix tests" \\
  "fix the failing tests"`;
    expect(await shell(line, { cwd: folder })).toEqual({
      ...laneEnd,
      stdout: `> fix the failing tests\ndone in ${project}\n`,
    });
    expect((await coven(["list", "--json"])).stdout).toContain('"title": "fix tests"');
  });

  it("directly via the socket", async () => {
    const line = `curl --unix-socket "$HOME/.coven/coven.sock" \\
  -X POST -H 'content-type: application/json' \\
  -d '{
    "projectRoot": "/Users/example/example-project",
    "cwd":         "/Users/example/example-project",
    "harness":     "codex",
    "prompt":      "fix the failing tests",
    "title":       "fix tests"
  }' \\
  http://localhost/api/v1/sessions`.replaceAll("/Users/example/example-project", project);
    const { code, stdout } = await shell(line);
    expect(code).toBe(0);
    const record = jsonIn(stdout);
    expect(record).toMatchObject({
      harness: "codex",
      title: "fix tests",
      project_root: project,
      status: "running",
    });
    await coven(["kill", String(record["id"])]);
  });
});

describe("concepts", () => {
  it('coven run codex "fix tests"', async () => {
    expect(await shell('coven run codex "fix tests"')).toMatchObject(laneEnd);
  });

  it('coven run codex "inspect the CLI package" --cwd packages/cli', async () => {
    expect(await shell('coven run codex "inspect the CLI package" --cwd packages/cli')).toEqual({
      ...laneEnd,
      stdout: `> inspect the CLI package\ndone in ${project}/packages/cli\n`,
    });
    const { code, stderr } = await shell('coven run codex "inspect the CLI package" --cwd packages/none');
    expect(code).toBe(64);
    expect(stderr).toContain("coven: invalid_request: cwd does not exist");
  });

  it("the handshake and the catalog", async () => {
    const health = await shell(
      `curl -s --unix-socket "$HOME/.coven/coven.sock" http://localhost/api/v1/health`,
    );
    expect(jsonIn(health.stdout)).toMatchObject({ ok: true, apiVersion: "coven.daemon.v1" });
    const catalog = await shell(
      `curl -s --unix-socket "$HOME/.coven/coven.sock" http://localhost/api/v1/capabilities`,
    );
    expect(catalog.stdout).toContain("harness.codex");
  });
});

describe("watch the session", () => {
  it("coven sessions", async () => {
    const { code, stdout } = await shell("coven sessions");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ID +STATUS +HARNESS +AGE +TITLE\n/);
    expect(stdout).toMatch(/^\w{8} +completed +codex +\d+[sm] +fix tests$/m);
  });

  it('echo "y" | coven sessions input <session-id>, then coven rejoin <session-id>', async () => {
    const { id, cursor } = await launch("asks", "--mode", "interactive", "go");
    await coven(["watch", id, "--match", "go on?", "--cursor", cursor]);
    expect(await shell(`echo "y" | coven sessions input ${id}`)).toEqual({ ...cleanEnd, stdout: "" });
    const { code, stdout } = await shell(`coven rejoin ${id}`);
    expect(code).toBe(0);
    expect(stdout).toBe('go on?\r\ny\r\nanswer "y"\r\n');
  });

  it("the event stream with a cursor", async () => {
    const { id } = await launch("codex", "look");
    await coven(["watch", id]);
    const line = `curl --unix-socket "$HOME/.coven/coven.sock" \\
"http://localhost/api/v1/sessions/${id}/events?afterSeq=0"`;
    const { code, stdout } = await shell(line);
    expect(code).toBe(0);
    expect(stdout).toContain('"kind":"exit"');
    const { nextCursor } = jsonIn(stdout);
    const seq = jsonIn(JSON.stringify(nextCursor))["afterSeq"];
    const rest = await shell(line.replace("afterSeq=0", `afterSeq=${String(seq)}`));
    expect(jsonIn(rest.stdout)).toMatchObject({ events: [], hasMore: false });
    const bySession = await shell(
      `curl -s --unix-socket "$HOME/.coven/coven.sock" "http://localhost/api/v1/events?sessionId=${id}"`,
    );
    expect(jsonIn(bySession.stdout)["events"]).toEqual(jsonIn(stdout)["events"]);
    const record = await shell(
      `curl -s --unix-socket "$HOME/.coven/coven.sock" http://localhost/api/v1/sessions/${id}`,
    );
    expect(jsonIn(record.stdout)).toMatchObject({ id, status: "completed", exit_code: 0 });
  });
});

describe("observability", () => {
  it("coven daemon status, and the health route", async () => {
    expect(await shell("coven daemon status")).toMatchObject(cleanEnd);
    const { code, stdout } = await shell(`curl --unix-socket "$HOME/.coven/coven.sock" \\
  http://localhost/api/v1/health`);
    expect(code).toBe(0);
    expect(jsonIn(stdout)).toMatchObject({ ok: true });
  });

  it("the same with $COVEN_HOME in place of $HOME/.coven", async () => {
    const line = `curl --unix-socket "$COVEN_HOME/coven.sock" http://localhost/api/v1/health`;
    expect(jsonIn((await shell(line, { env: { COVEN_HOME: home } })).stdout)).toMatchObject({ ok: true });
  });

  it("which codex, which claude: doctor says what the daemon finds", async () => {
    const codex = await shell("which codex");
    const { stdout } = await shell("coven doctor");
    expect(stdout).toMatch(new RegExp(`^PASS +codex +${codex.stdout.trim()}$`, "m"));
    expect(stdout).toMatch(/^PASS +claude /m);
  });
});

describe("monitor and wake from the command line (under this program's names)", () => {
  it("sessions list, status, watch --until terminal and watch --tail", async () => {
    const { id } = await launch("codex", "Run ./big-build.sh and summarize the failures, exit 3");
    expect(await shell(`coven sessions watch ${id} --until terminal`)).toMatchObject({ code: 3 });
    expect((await shell(`if ! coven sessions watch ${id}; then echo "it failed"; fi`)).stdout).toMatch(
      /\nit failed\n$/,
    );
    expect((await shell(`coven sessions list --project .`)).stdout).toContain(id.slice(0, 8));
    expect((await shell(`coven sessions list --include-archived`)).code).toBe(0);
    expect((await shell(`coven sessions status ${id}`)).stdout).toMatch(/^active +no$/m);
    expect((await shell(`coven sessions watch ${id} --tail`)).stdout).toContain(`done in ${project}`);
    expect((await shell(`coven sessions events ${id} --tail 1`)).stdout).toMatch(/ exit +failed 3\n$/);
  });
});

describe("the log", () => {
  it("answers what the seeds ask of it", async () => {
    const { id } = await launch("codex", "look");
    await coven(["watch", id]);
    await coven(["kill", id]);
    await coven(["run", "codex", "look", "--cwd", "packages/none"]);
    await coven(["run", "codex", "look"], { env: { PATH: "/usr/bin:/bin" } });
    const { stdout } = await shell("coven logs --lines 10000");
    for (const said of [
      "socket bound",
      "store open",
      "cwd does not exist",
      "launch_failed",
      "session_not_live",
    ])
      expect(stdout).toContain(said);
    expect(readFileSync(`${home}/logs/crash.log`, "utf8")).toMatch(/^coven daemon: serving /);
  });
});

import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { userInfo } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import Database from "better-sqlite3";
import { describe, expect, it, onTestFinished } from "vitest";
import { covenForFile, jsonIn } from "../support/coven.ts";

const { coven, folder, home, launch, project, start } = covenForFile();
let files = 0;

/** What diagnostics writes, as text and as its sections. */
async function written(args: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
  const file = join(folder, `diagnostics-${(files += 1)}.json`);
  const { code, stdout, stderr } = await coven(["diagnostics", "--output", file, ...args], { env });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const text = readFileSync(file, "utf8");
  return { file, text, stdout, sections: jsonIn(text) };
}

/** Whatever text; `expect.any` is typed as any. */
const someText: unknown = expect.any(String);

describe("diagnostics", () => {
  it("tells of a daemon that is down what can be known without it, and does not start it", async () => {
    const { sections } = await written();
    expect(sections).toMatchObject({
      coven: { version: someText, install: someText, packageManager: someText, node: process.versions.node },
      system: { platform: process.platform, arch: process.arch, kernel: someText },
      home: { isCustomised: false },
      daemon: { running: false },
      harnesses: {
        seenBy: "this shell",
        harnesses: [{ name: "codex", path: "~/bin/codex" }, { name: "claude" }],
      },
      config: { problems: [] },
    });
    expect((await coven(["daemon", "status"])).code).toBe(3);
  });

  it("tells what the daemon sees and logged, and neither prompts nor output, names nor secrets", async () => {
    const { id } = await launch("codex", "prompt-to-hide");
    await coven(["watch", id]);
    await coven(["sacrifice", id]);
    await coven(["run", "no-harness-to-hide", "look"]);
    await coven(["tail", "name-to-hide"]);
    await coven(["register", "--id", "id-to-hide", "--project", "/", "--harness", "tool-to-hide"]);
    const secret = `ghp_${"a1B2".repeat(9)}`;
    const failing = `coven run codex --token ${secret} --title ${userInfo().username}`;
    const { file, text, stdout, sections } = await written(["--command", failing, "--code", "launch_failed"]);
    expect(sections).toMatchObject({
      failure: { command: "coven run codex --token [REDACTED] --title <user>", code: "launch_failed" },
      daemon: { running: true, health: { apiVersion: "coven.daemon.v1", liveSessions: 0 } },
      sessions: { live: 0, sessions: [] },
      harnesses: { seenBy: "the daemon" },
    });
    expect(text).toContain('"path": "~/bin/codex"');
    expect(text).toContain("socket bound");
    expect(text).toMatch(/action refused action=sacrifice code=confirmation_required/);
    expect(text).toMatch(/action refused action=run code=invalid_request/);
    expect(text).toMatch(/action refused action=record code=session_not_found .*session=\(not shown\)/);
    expect(text).toContain(`session=${id}`);
    for (const hidden of [
      "prompt-to-hide",
      "no-harness-to-hide",
      "name-to-hide",
      "id-to-hide",
      "tool-to-hide",
      "done in",
      secret,
      folder,
      project,
    ])
      expect(text).not.toContain(hidden);
    expect(text).not.toMatch(new RegExp(`(?<![\\w-])${userInfo().username}(?![\\w-])`));
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(file).size).toBeLessThan(256 * 1024);
    for (const section of ["failure", "coven", "system", "daemon", "logs", "doctor"])
      expect(stdout).toMatch(new RegExp(`^  ${section} +[\\d.]+ (bytes|KB)$`, "m"));
    expect(stdout).toMatch(/Review it before you share it\.\n$/);
  });

  it("hides the path of a home that was named, says that it was, and lists its contents as JSON", async () => {
    const other = join(folder, "other-home-to-hide");
    mkdirSync(other, { mode: 0o700 });
    writeFileSync(join(other, "config.json"), '{"wrong": 1}');
    const { text, sections } = await written(["--home", other]);
    expect(sections["home"]).toMatchObject({ isCustomised: true });
    expect(text).toContain("$COVEN_HOME/config.json: wrong: is no setting of Coven");
    expect(text).not.toContain("other-home-to-hide");
    const file = join(folder, "as-json.json");
    const { stdout } = await coven(["diagnostics", "--json", "--output", file]);
    expect(jsonIn(stdout)).toMatchObject({ file, bytes: statSync(file).size });
  });

  it("does not write over a file, nor where it cannot", async () => {
    const { file, text } = await written();
    const again = await coven(["diagnostics", "--output", file]);
    expect(again.code).toBe(64);
    expect(again.stderr).toMatch(/^coven: invalid_request: .* is not written: it exists\n/);
    expect(readFileSync(file, "utf8")).toBe(text);
    expect((await coven(["diagnostics", "--output", join(folder, "no/such/folder.json")])).code).toBe(64);
  });

  it("is small however much was logged", async () => {
    const entry = JSON.stringify({ time: "2026-01-01T00:00:00Z", level: "error", msg: "é".repeat(900) });
    mkdirSync(join(folder, "loud/logs"), { recursive: true, mode: 0o700 });
    for (const name of ["daemon.1.log", "host.1.log", "crash.log"])
      writeFileSync(join(folder, "loud/logs", name), `${entry}\n`.repeat(5000));
    const { file, text } = await written(["--home", join(folder, "loud")]);
    expect(text).toContain("error é");
    expect(statSync(file).size).toBeLessThan(256 * 1024);
  });

  it("is written of a home that is none, and of a daemon that hangs, which doctor names too", async () => {
    const { sections } = await written(["--home", join(home, "daemon.lock/x")]);
    expect(sections["logs"]).toEqual({ problem: someText });
    expect(JSON.stringify(sections["doctor"])).toContain("is not a directory");

    const hung = join(folder, "hung");
    mkdirSync(hung, { mode: 0o700 });
    const daemon = start(["daemon", "serve", "--home", hung]);
    if (daemon.stdout) await once(daemon.stdout, "data");
    const { stdout } = await coven(["daemon", "status", "--json", "--home", hung]);
    const pid = Number(jsonIn(stdout)["pid"]);
    onTestFinished(async () => {
      process.kill(pid, "SIGCONT");
      await coven(["daemon", "stop", "--home", hung]);
    });
    process.kill(pid, "SIGSTOP");
    const [told, doctor, status] = await Promise.all([
      written(["--home", hung]),
      coven(["doctor", "--home", hung]),
      coven(["daemon", "status", "--home", hung]),
    ]);
    expect(told.sections["daemon"]).toEqual({ problem: someText });
    expect(JSON.stringify(told.sections["doctor"])).toContain("has not answered in");
    expect(told.text).toContain("socket bound");
    expect(doctor.code).toBe(1);
    expect(doctor.stdout).toMatch(/^FAIL +daemon +.*what listens on .* has not answered in 5 s$/m);
    expect(status.code).toBe(69);
    expect(status.stderr).toMatch(
      /^coven: runtime_unavailable: what listens on .* has not answered in 5 s\n/,
    );
  });
});

describe("doctor", () => {
  it("knows its own store, and one that a newer Coven wrote", async () => {
    const other = join(folder, "newer");
    mkdirSync(other, { mode: 0o700 });
    await coven(["daemon", "start", "--home", other]);
    await coven(["daemon", "stop", "--home", other]);
    expect((await coven(["doctor", "--home", other])).stdout).toMatch(/^PASS +store /m);
    const db = new Database(join(other, "ledger.sqlite3"));
    const version = Number(db.pragma("user_version", { simple: true }));
    db.pragma(`user_version = ${version + 1}`);
    db.close();
    const { code, stdout } = await coven(["doctor", "--home", other]);
    expect(code).toBe(1);
    expect(stdout).toContain(
      `was written by a newer Coven (version ${version + 1}, this one knows ${version})`,
    );
    expect(stdout).toMatch(/→ Install the newer Coven again/);
  });

  it("says how much room the disk has, and that there is none", async () => {
    expect((await coven(["doctor"])).stdout).toMatch(/^(PASS|WARN) +disk +[\d.]+ [MG]B free for /m);
    // A file system that has no room at all, on every machine.
    const full = existsSync("/proc/self") ? "/proc" : "/dev";
    const { stdout } = await coven(["doctor", "--home", join(full, "coven")]);
    expect(stdout).toMatch(/^FAIL +disk +0 bytes free for .*: it is full$/m);
    expect(stdout).toMatch(/→ Make room on that disk/);
  });

  it("names what is wrong in config.json", async () => {
    writeFileSync(join(home, "config.json"), '{"retention": {"maxAgeDays": -1}}');
    const { code, stdout } = await coven(["doctor"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^WARN +config +\S+config\.json: retention\.maxAgeDays: must be /m);
    expect(stdout).toContain("coven config shows what holds");
  });

  it.each([
    ["an HTTP server", JSON.stringify({ ok: true })],
    ["another program", "hello"],
  ])("names %s on the socket and what to do about it", async (what, answer) => {
    const other = join(folder, what.replaceAll(" ", "-"));
    mkdirSync(other, { mode: 0o700 });
    const server = createServer((_, response) => response.end(answer)).listen(join(other, "coven.sock"));
    onTestFinished(() => void server.close());
    await once(server, "listening");
    const { code, stdout } = await coven(["doctor", "--home", other]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^FAIL +daemon +foreign_daemon: /m);
    expect(stdout).toMatch(/→ .*Stop it.* set COVEN_HOME to another folder/);
  });
});

import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { covenForFile, jsonIn } from "../support/coven.ts";

const { coven, folder, home, launch, project, socket, start } = covenForFile();

describe("daemon", () => {
  it("starts once, says what it is, and stops", async () => {
    expect(await coven(["daemon", "status"])).toMatchObject({ code: 3, stderr: "" });
    const stopped = await coven(["daemon", "status", "--json"]);
    expect(stopped.code).toBe(3);
    expect(jsonIn(stopped.stdout)).toEqual({ running: false, home, socket });

    const started = await coven(["daemon", "start"]);
    expect(started).toMatchObject({ code: 0, stderr: "" });
    const again = await coven(["daemon", "start"]);
    expect(again.code).toBe(0);
    expect(again.stdout).toMatch(/^daemon +already running$/m);

    const { code, stdout } = await coven(["daemon", "status"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^daemon +running\npid +\d+\nsocket +\S+coven\.sock\nuptime +\d+s\nAPI version +coven\.daemon\.v1\nversion +\S+\nlive sessions +0\n$/,
    );
    expect(jsonIn((await coven(["daemon", "status", "--json"])).stdout)).toMatchObject({
      running: true,
      socket,
      apiVersion: "coven.daemon.v1",
      liveSessions: 0,
    });

    expect((await coven(["daemon", "stop"])).stdout).toMatch(/^stopped \(pid \d+\)\n$/);
    expect(await coven(["daemon", "stop"])).toMatchObject({ code: 0, stdout: "not running\n" });
    expect(await coven(["daemon", "status"])).toMatchObject({ code: 3 });
  });

  it("names the sessions it ends, which are orphaned then", async () => {
    const { id } = await launch("codex", "stay here");
    const { code, stdout } = await coven(["daemon", "stop"]);
    expect(code).toBe(0);
    expect(stdout).toContain(`ended ${id}  codex  stay here\n`);
    expect(await coven(["watch", id])).toMatchObject({ code: 74 });
  });

  it("leaves the sessions running with --keep and over a restart", async () => {
    const { id } = await launch("codex", "stay");
    expect(await coven(["daemon", "restart"])).toMatchObject({ code: 0 });
    expect((await coven(["status", id])).stdout).toMatch(/^active +yes$/m);
    const { stdout } = await coven(["daemon", "stop", "--keep"]);
    expect(stdout).toMatch(/^stopped \(pid \d+\)\n$/);
    expect((await coven(["daemon", "start"])).stdout).toMatch(/^live sessions +1$/m);
    expect(await coven(["kill", id])).toMatchObject({ code: 0 });
  });

  it("is started by the verb that needs it, once for all that need it at the same time", async () => {
    await coven(["daemon", "stop"]);
    const answers = await Promise.all([coven(["list"]), coven(["list"]), coven(["list"])]);
    expect(answers.map(({ code, stderr }) => ({ code, stderr }))).toEqual(
      answers.map(() => ({ code: 0, stderr: "" })),
    );
  });

  it("serves in the foreground until it is signalled", async () => {
    await coven(["daemon", "stop"]);
    const child = start(["--home", home, "daemon", "serve"]);
    await firstOutput(child);
    expect(await coven(["daemon", "status"])).toMatchObject({ code: 0 });
    child.kill("SIGTERM");
    await once(child, "exit");
    expect(child.exitCode).toBe(0);
  });
});

describe("where the daemon is", () => {
  it("takes flags before COVEN_URL, and that before COVEN_HOME", async () => {
    const other = join(folder, "other");
    mkdirSync(other, { mode: 0o700 });
    const env = { COVEN_URL: `unix://${socket}`, COVEN_HOME: other };
    await coven(["daemon", "start"]);
    const byUrl = await coven(["daemon", "status", "--json"], { env });
    expect(jsonIn(byUrl.stdout)).toMatchObject({ running: true, socket });
    const byFlag = await coven(["daemon", "status", "--json", "--home", other], { env });
    expect(jsonIn(byFlag.stdout)).toMatchObject({ running: false, home: other });
    const byUrlFlag = await coven(["--url", `unix://${socket}`, "daemon", "status"], {
      env: { COVEN_HOME: other },
    });
    expect(byUrlFlag).toMatchObject({ code: 0 });
    expect(await coven(["list"], { env: { COVEN_URL: "ftp://x" } })).toMatchObject({ code: 64 });
  });

  it("does not start a daemon that a URL names", async () => {
    const { code, stderr } = await coven(["list", "--url", `unix://${folder}/none.sock`]);
    expect(code).toBe(69);
    expect(stderr).toMatch(/^coven: runtime_unavailable: .*no daemon is listening there\nCheck the address/);
  });

  it("says why a daemon does not start", async () => {
    const open = join(folder, "open");
    mkdirSync(open);
    chmodSync(open, 0o755);
    expect(await coven(["list", "--home", open])).toMatchObject({
      code: 78,
      stdout: "",
      stderr: `coven: home_unsafe: ${open} is open to other users (mode 755)\nClose it: chmod 700 ${open}\n`,
    });
    const broken = join(folder, "broken");
    mkdirSync(broken, { mode: 0o700 });
    writeFileSync(join(broken, "ledger.sqlite3"), "no database");
    const { code, stderr } = await coven(["daemon", "start", "--home", broken]);
    expect(code).toBe(78);
    expect(stderr).toMatch(/^coven: store_unusable: /);
    // Where no folder can be made, not even the one it would stand in.
    if (existsSync("/proc/self"))
      expect((await coven(["list", "--home", "/proc/no/home"])).stderr).toMatch(
        /^coven: home_unsafe: \/proc\/no\/home cannot be made: /,
      );
    const long = join(folder, "x".repeat(100));
    expect((await coven(["list", "--home", long])).stderr).toMatch(/^coven: home_unsafe: .*bytes long/);
  });
});

describe("logs and doctor", () => {
  it("shows what was logged, of one session when asked", async () => {
    const { id } = await launch("codex", "look");
    await coven(["watch", id]);
    await coven(["input", id, "x"]);
    const all = await coven(["logs"]);
    expect(all.stdout).toContain("socket bound");
    expect(all.stdout).toContain("store open");
    const { stdout } = await coven(["logs", "--session", id.slice(0, 8), "--json"]);
    const codes = stdout
      .trimEnd()
      .split("\n")
      .map((line) => jsonIn(line));
    expect(codes.every((entry) => entry["session"] === id)).toBe(true);
    expect(codes).toContainEqual(expect.objectContaining({ code: "session_not_live", level: "warn" }));
    expect((await coven(["logs", "--lines", "1"])).stdout.split("\n")).toHaveLength(2);
  });

  it("follows the log", async () => {
    const following = start(["logs", "--follow", "--lines", "0"]);
    // The follower may come after the first entry, so there is one more for as long as it has seen none.
    const seen: string[] = [];
    const printed = firstOutput(following).then((text) => seen.push(text));
    while (seen.length === 0) await coven(["input", "no-such-session", "x"]);
    await printed;
    expect(seen[0]).toContain("session_not_found");
    following.kill();
  });

  it("checks the daemon that an address names, and no other", async () => {
    const { stdout, code } = await coven(["doctor", "--url", "http://127.0.0.1:1"]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^FAIL +daemon +nothing listens on http:\/\/127\.0\.0\.1:1$/m);
    expect(stdout).not.toContain("coven daemon start");
  });

  it("refuses a home that could not be one, and makes nothing", async () => {
    const long = join(home, "x".repeat(100));
    const tooLong = await coven(["doctor", "--home", long]);
    expect(tooLong.code).toBe(1);
    expect(tooLong.stdout).toMatch(/^FAIL +home .* bytes long; at most \d+ work$/m);
    const blocked = await coven(["doctor", "--home", join(home, "daemon.lock/x")]);
    expect(blocked.stdout).toMatch(/^FAIL +home .* is not a directory$/m);
    expect(existsSync(long)).toBe(false);
  });

  it("finds everything in order, and where the caller's PATH differs", async () => {
    const well = await coven(["doctor", "--json"]);
    expect(well.code).toBe(0);
    expect(jsonIn(well.stdout)).toMatchObject({ ok: true });
    expect(well.stdout).toContain(project);
    const { stdout, code } = await coven(["doctor"], { env: { PATH: "/usr/bin:/bin" } });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^WARN +codex +the daemon finds \S+codex, a run from this shell none$/m);
  });

  it("exits 1 when something keeps sessions from running", async () => {
    const { code, stdout } = await coven(["doctor", "--home", join(folder, "broken")]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^FAIL +store /m);
  });
});

const firstOutput = (child: ChildProcess): Promise<string> =>
  new Promise((resolve) => child.stdout?.setEncoding("utf8").once("data", resolve));

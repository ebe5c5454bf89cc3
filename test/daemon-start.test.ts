import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { once } from "node:events";
import { type Server, createServer } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { spawn } from "node:child_process";
import { makeHome, startDaemon } from "./support/daemon.ts";

const launcher = fileURLToPath(new URL("../bin/coven", import.meta.url));

/** Starts a daemon that is expected to refuse. */
async function refused(home: string): Promise<{ code: number | null; stderr: string }> {
  const child = spawn(launcher, ["daemon", "serve"], {
    env: { COVEN_HOME: home, HOME: home, PATH: "/usr/bin:/bin", SHELL: "/bin/sh" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let stderr = "";
  child.stderr.on("data", (text) => (stderr += String(text)));
  await once(child, "close");
  return { code: child.exitCode, stderr };
}

test("a home that others can read is refused with the command that closes it", async () => {
  const home = makeHome();
  chmodSync(home, 0o755);
  const { code, stderr } = await refused(home);
  expect(code).toBe(78);
  expect(stderr).toMatch(/home_unsafe: .*mode 755/);
  expect(stderr).toContain(`chmod 700 ${home}`);
  expect(readdirSync(home)).toEqual(["adapters"]);
});

test("a home that makes the socket's path too long is refused with the limit", async () => {
  const home = join(makeHome(), "x".repeat(100));
  mkdirSync(home, { mode: 0o700 });
  const { code, stderr } = await refused(home);
  expect(code).toBe(78);
  expect(stderr).toMatch(/home_unsafe: the socket path .* bytes long; at most/);
  expect(readdirSync(home)).toEqual([]);
});

test("a store of a newer Coven is refused and left as it is", async () => {
  const home = makeHome();
  const daemon = await startDaemon(home);
  await daemon.stop();
  const db = new Database(join(home, "ledger.sqlite3"));
  db.pragma("user_version = 999");
  db.close();
  const { code, stderr } = await refused(home);
  expect(code).toBe(78);
  expect(stderr).toMatch(/store_unusable: .*newer Coven \(version 999/);
});

test("a store of another program is refused and not a byte of it changes", async () => {
  const home = makeHome();
  const path = join(home, "ledger.sqlite3");
  const db = new Database(path);
  db.exec("CREATE TABLE sessions (id TEXT)");
  db.close();
  const before = readFileSync(path);
  const { code, stderr } = await refused(home);
  expect(code).toBe(78);
  expect(stderr).toMatch(/store_unusable: .*another program/);
  expect(readFileSync(path).equals(before)).toBe(true);
});

test("a file that is no database is refused by name", async () => {
  const home = makeHome();
  writeFileSync(
    join(home, "ledger.sqlite3"),
    "not a database, but long enough to be taken for one ".repeat(40),
  );
  const { code, stderr } = await refused(home);
  expect(code).toBe(78);
  expect(stderr).toMatch(/store_unusable: .*cannot be opened/);
});

test("a second daemon of the same home is refused, and the first serves on", async () => {
  const home = makeHome();
  const first = await startDaemon(home);
  const { code, stderr } = await refused(home);
  expect(code).toBe(78);
  expect(stderr).toContain("daemon_running");
  expect(await first.client.call("health", {})).toMatchObject({ ok: true, daemon: { pid: first.pid } });
});

test("another program that serves our socket is named and left alone", async () => {
  const home = makeHome();
  const stranger: Server = createServer((_, response) => {
    response.setHeader("content-type", "application/json");
    response.end(
      JSON.stringify({
        ok: true,
        apiVersion: "coven.daemon.v1",
        covenVersion: "0.4.6",
        daemon: { pid: 4711 },
      }),
    );
  });
  stranger.listen(join(home, "coven.sock"));
  await once(stranger, "listening");
  onTestFinished(() => void stranger.close());
  const { code, stderr } = await refused(home);
  expect(code).toBe(78);
  expect(stderr).toMatch(/foreign_daemon: .*0\.4\.6.*4711/);
  expect(existsSync(join(home, "coven.sock"))).toBe(true);
  expect(existsSync(join(home, "ledger.sqlite3"))).toBe(false);
});

test("a socket that a crashed daemon left behind is replaced, and everything in the home is the owner's alone", async () => {
  const home = makeHome();
  const first = await startDaemon(home);
  process.kill(first.pid, "SIGKILL");
  await first.exited;
  expect(existsSync(join(home, "coven.sock"))).toBe(true);
  const second = await startDaemon(home);
  expect(await second.client.call("health", {})).toMatchObject({ ok: true });
  const open = readdirSync(home).filter((name) => (statSync(join(home, name)).mode & 0o077) !== 0);
  expect(open).toEqual([]);
});

test("the log answers what a person who looks for a fault asks", async () => {
  const home = makeHome();
  const daemon = await startDaemon(home);
  await daemon.client
    .call("run", { harness: "shell", projectRoot: "/nowhere", prompt: "x" })
    .catch(() => undefined);
  await daemon.client.call("run", { harness: "codex", projectRoot: "/", prompt: "x" }).catch(() => undefined);
  await daemon.client.call("kill", { session: "none" }).catch(() => undefined);
  const lines = readFileSync(join(home, "logs/daemon.1.log"), "utf8").trim().split("\n");
  const log = lines.map((line): unknown => JSON.parse(line));
  expect(log).toContainEqual(
    expect.objectContaining({ msg: "socket bound", socket: daemon.socket, pid: daemon.pid }),
  );
  expect(log).toContainEqual(expect.objectContaining({ msg: "store open" }));
  expect(log).toContainEqual(expect.objectContaining({ msg: "health served" }));
  expect(log).toContainEqual(
    expect.objectContaining({ action: "run", code: "invalid_request", time: expect.any(String) }),
  );
  expect(log).toContainEqual(expect.objectContaining({ action: "run", code: "launch_failed" }));
  expect(log).toContainEqual(
    expect.objectContaining({ action: "kill", code: "session_not_found", session: "none" }),
  );
});

test("a home that is no absolute path, or no folder, is refused before anything is made", async () => {
  const relative = await refused("somewhere");
  expect(relative).toMatchObject({
    code: 78,
    stderr: expect.stringMatching(/home_unsafe: .*not an absolute path/),
  });
  const home = join(makeHome(), "file");
  writeFileSync(home, "");
  const file = await refused(home);
  expect(file).toMatchObject({ code: 78, stderr: expect.stringContaining("home_unsafe") });
});

import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { once } from "node:events";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type TestDaemon, startDaemon } from "../support/daemon.ts";
import { send } from "../support/socket.ts";

let daemon: TestDaemon;
let project: string;

beforeEach(() => {
  project = realpathSync(mkdtempSync(join(tmpdir(), "coven-project-")));
  mkdirSync(join(project, "inside"));
  writeFileSync(join(project, "file"), "");
  symlinkSync("/", join(project, "way-out"));
});

afterEach(() => rmSync(project, { recursive: true, force: true }));

/** One daemon for a table of refusals: none of them may leave a trace in it. */
test("what cannot be launched is refused with its code, and leaves no row and no process", async () => {
  daemon = await startDaemon();
  const right = { harness: "shell", projectRoot: project, prompt: "exit 0" };
  const refusals: readonly [string, object, string, RegExp][] = [
    ["no prompt", { ...right, prompt: undefined }, "invalid_request", /prompt/],
    ["blank prompt", { ...right, prompt: " \n" }, "invalid_request", /prompt.*blank/],
    [
      "prompt above every limit",
      { ...right, prompt: "x".repeat(500_001) },
      "invalid_request",
      /500000 bytes/,
    ],
    [
      "prompt too long for an argument",
      { ...right, prompt: "x".repeat(400_000) },
      "payload_too_large",
      /100000/,
    ],
    ["no project root", { ...right, projectRoot: undefined }, "invalid_request", /projectRoot/],
    [
      "project root missing",
      { ...right, projectRoot: join(project, "no") },
      "invalid_request",
      /does not exist/,
    ],
    [
      "project root a file",
      { ...right, projectRoot: join(project, "file") },
      "invalid_request",
      /not a directory/,
    ],
    ["project root relative", { ...right, projectRoot: "inside" }, "invalid_request", /absolute/],
    ["cwd outside", { ...right, cwd: ".." }, "invalid_request", /outside the project root/],
    [
      "cwd outside through a link",
      { ...right, cwd: "way-out" },
      "invalid_request",
      /outside the project root/,
    ],
    ["unknown harness", { ...right, harness: "nobody" }, "invalid_request", /unknown harness nobody.*codex/],
    ["harness not on PATH", { ...right, harness: "codex" }, "launch_failed", /not on the daemon's PATH/],
    ["unknown mode", { ...right, launchMode: "batch" }, "invalid_request", /interactive.*nonInteractive/],
    ["wrong type", { ...right, labels: "a" }, "invalid_request", /labels/],
    ["directory to add missing", { ...right, addDirs: ["/nowhere"] }, "invalid_request", /addDirs/],
  ];
  for (const [what, args, code, message] of refusals) {
    await expect(daemon.client.call("run", args), what).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
    const answer = await send(daemon.socket, "POST", "/api/v1/sessions", { body: args });
    expect(answer, what).toMatchObject({ body: { error: { code, message: expect.any(String) } } });
    expect(answer.status, what).toBe(
      { invalid_request: 400, launch_failed: 500, payload_too_large: 413 }[code],
    );
  }
  // On the published route it is left alone.
  await expect(daemon.client.call("run", { ...right, promt: "x" })).rejects.toMatchObject({
    code: "invalid_request",
    message: expect.stringContaining("promt"),
  });
  expect(await daemon.client.call("list", { includeArchived: true })).toEqual({
    sessions: [],
    nextCursor: null,
  });
});

describe("over the socket", () => {
  test("a body that is no action is rejected in the published form", async () => {
    daemon = await startDaemon();
    const post = (body: string) => send(daemon.socket, "POST", "/api/v1/actions", { body });
    const rejected = { ok: false, accepted: false, status: "rejected" };
    expect(await post("{")).toMatchObject({ status: 400, body: { ...rejected, action: "(unknown)" } });
    expect(await post("[1]")).toMatchObject({ status: 400, body: { ...rejected, action: "(unknown)" } });
    expect(await post("{}")).toMatchObject({ status: 400, body: { ...rejected, action: "" } });
    const unknown = await post('{"action":"nope"}');
    expect(unknown).toMatchObject({
      status: 400,
      body: { ...rejected, action: "nope", reason: "unknown action `nope`" },
    });
    expect(unknown.body).toMatchObject({
      error: { code: "unknown_action", details: { actions: expect.arrayContaining(["run"]) } },
    });
    expect(await post('{"action":"constructor"}')).toMatchObject({
      body: { error: { code: "unknown_action" } },
    });
    expect(await post(`{"action":"run","args":{"prompt":"${"x".repeat(4_200_000)}"}}`)).toMatchObject({
      status: 413,
      body: { error: { code: "payload_too_large" } },
    });
  });

  test("unknown routes, methods and versions are named as such", async () => {
    daemon = await startDaemon();
    const codeOf = async (method: string, path: string) => {
      const { status, body } = await send(daemon.socket, method, path);
      return [status, body];
    };
    expect(await codeOf("GET", "/api/v1/nope")).toEqual([
      404,
      { error: { code: "not_found", message: "Route not found." } },
    ]);
    expect(await codeOf("DELETE", "/api/v1/health")).toMatchObject([404, { error: { code: "not_found" } }]);
    expect(await codeOf("GET", "/api/v2/health")).toMatchObject([
      404,
      { error: { code: "invalid_request", details: { apiVersion: "v2", supportedApiVersions: ["v1"] } } },
    ]);
    expect(await codeOf("GET", "/api/v1/sessions/none/events")).toMatchObject([
      404,
      { error: { code: "session_not_found", details: { sessionId: "none" } } },
    ]);
    expect(await codeOf("GET", "/api/v1/events")).toMatchObject([
      400,
      { error: { code: "invalid_request" } },
    ]);
  });

  test("an ended session takes neither input nor a kill, a live one no ritual", async () => {
    daemon = await startDaemon();
    const { client, socket } = daemon;
    const launch = async (prompt: string, launchMode: string): Promise<string> => {
      const record = await client.call("run", { harness: "shell", projectRoot: project, prompt, launchMode });
      return typeof record === "object" && record !== null && "id" in record ? String(record.id) : "";
    };
    const ended = await launch("exit 0", "nonInteractive");
    await client.call("watch", { sessions: [ended] });
    await expect(client.call("input", { session: ended, data: "y" })).rejects.toMatchObject({
      code: "session_not_live",
    });
    expect(await send(socket, "POST", `/api/v1/sessions/${ended}/kill`)).toMatchObject({
      status: 409,
      body: { error: { code: "session_not_live", details: { sessionId: ended } } },
    });
    await expect(client.call("sacrifice", { session: ended })).rejects.toMatchObject({
      code: "confirmation_required",
    });

    const live = await launch("read line", "interactive");
    for (const ritual of ["archive", "sacrifice"]) {
      await expect(client.call(ritual, { session: live })).rejects.toMatchObject({ code: "session_live" });
    }
    await expect(client.call("input", { session: live })).rejects.toMatchObject({ code: "invalid_request" });
    await expect(client.call("input", { session: live, keys: ["entr"] })).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining("enter"),
    });
    const oneShot = await launch("read line", "nonInteractive");
    await expect(client.call("input", { session: oneShot, data: "y" })).rejects.toMatchObject({
      code: "input_not_accepted",
    });
    await expect(client.call("kill", { session: "none" })).rejects.toMatchObject({
      code: "session_not_found",
    });
  });

  test("a connection that asks for another protocol in no way we know leaves the daemon as it was", async () => {
    daemon = await startDaemon();
    for (const path of ["//", "/nope", "/api/v1/sessions/none/attach"]) {
      const connection = connect(daemon.socket);
      connection.write(
        `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
      );
      await once(connection, "data");
      connection.destroy();
    }
    expect(await daemon.client.call("health", {})).toMatchObject({ ok: true });
  });

  test("a line that is no request does not end the host and its sessions", async () => {
    daemon = await startDaemon();
    const record = await daemon.client.call("run", {
      harness: "shell",
      projectRoot: project,
      prompt: "read line",
      launchMode: "interactive",
    });
    const host = readdirSync(daemon.home).find((name) => name.startsWith("host-")) ?? "";
    const connection = connect(join(daemon.home, host));
    connection.write("hello\n");
    await once(connection, "close");
    expect(await daemon.client.call("list", {})).toMatchObject({ sessions: [{ status: "running" }] });
    expect(record).toMatchObject({ status: "running" });
  });
});

test("what is refused for being far too long is not sent back whole, nor logged", async () => {
  daemon = await startDaemon();
  const long = "x".repeat(1_000_000);
  const nested: unknown = JSON.parse("[".repeat(2000) + "]".repeat(2000));
  const call = (action: string, args: object): object => ({ action, args });
  const refused: readonly [string, object][] = [
    ["/actions", call(long, {})],
    ["/actions", call("list", { cursor: long })],
    ["/actions", call("record", { session: long })],
    ["/actions", call("health", { [long]: 1 })],
    ["/sessions", { harness: "shell", projectRoot: project, prompt: "x", launchPolicy: nested }],
    ["/rpc", { jsonrpc: "2.0", id: 1, method: long }],
    ["/rpc", { jsonrpc: "2.0", id: 1, method: "tail", params: { session: "x", cursor: long } }],
  ];
  for (const [path, body] of refused) {
    const answer = await send(daemon.socket, "POST", `/api/v1${path}`, { body });
    expect(answer.body).toMatchObject({ error: { code: expect.anything() } });
    expect(JSON.stringify(answer.body).length).toBeLessThan(100_000);
  }
  await daemon.stop();
  expect(daemon.printed().length).toBeLessThan(500_000);
});

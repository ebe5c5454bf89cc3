/** The API on a loopback port: who is let in, and that nothing has an effect for whoever is not. */
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { type IncomingHttpHeaders, request } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { z } from "zod";
import { createClient } from "../../src/rpc/client.ts";
import { covenForFile, jsonIn } from "../support/coven.ts";
import { type TestDaemon, makeHome, startDaemon } from "../support/daemon.ts";
import { launch, makeProject } from "../support/launch.ts";
import { send } from "../support/socket.ts";

const { coven, home: cliHome, folder } = covenForFile();

interface OnTcp extends TestDaemon {
  readonly port: number;
  readonly token: string;
}

const told = z.object({ daemon: z.object({ tcp: z.string().optional() }) });
const tokenIn = (home: string): string => readFileSync(join(home, "token"), "utf8").trim();

async function startOnTcp(host = "127.0.0.1", home = makeHome()): Promise<OnTcp> {
  const daemon = await startDaemon(home, ["--tcp", `${host}:0`]);
  const { tcp = "" } = told.parse(await daemon.client.call("health", {})).daemon;
  expect(tcp.startsWith(`${host}:`)).toBe(true);
  return { ...daemon, port: Number(tcp.slice(host.length + 1)), token: tokenIn(home) };
}

interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly code: unknown;
}

const failure = z.object({ error: z.object({ code: z.string() }) });

/** One request, as a program or a browser sends it: nothing in it that is not said. */
function ask(
  { port }: OnTcp,
  { method = "GET", path = "/api/v1/sessions", headers, body }: Asked,
): Promise<Answered> {
  return new Promise((resolve, reject) => {
    // Without one of its own Node's client names a Host by itself; an empty one stands for none at all.
    const setHost = headers?.["host"] !== "";
    const named = Object.entries(headers ?? {}).filter(([, value]) => value !== "");
    const sent = request({
      host: "127.0.0.1",
      port,
      method,
      path,
      agent: false,
      setHost,
      headers: Object.fromEntries(named),
    });
    sent.on("error", reject);
    sent.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("end", () => {
        const found = failure.safeParse(text === "" ? undefined : JSON.parse(text));
        const code = found.data?.error.code;
        resolve({ status: response.statusCode ?? 0, headers: response.headers, code });
      });
    });
    sent.end(body);
  });
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const sessionsOf = async ({ client }: TestDaemon) =>
  z.object({ sessions: z.array(z.unknown()) }).parse(await client.call("list", {})).sessions;

describe("the token", () => {
  test("is made for the owner alone, asked for by every route, and told neither in output nor in logs", async () => {
    const daemon = await startOnTcp();
    const { token, home } = daemon;
    expect(token).toMatch(/^coven_[A-Za-z0-9_-]{43}$/);
    expect(statSync(join(home, "token")).mode & 0o777).toBe(0o600);

    for (const path of ["/api/v1/sessions", "/api/v1/health", "/health", "/openapi.json", "/nowhere"]) {
      expect(await ask(daemon, { path })).toMatchObject({
        status: 401,
        code: "unauthenticated",
        headers: { "www-authenticate": "Bearer" },
      });
    }
    const wrong = [`${token}x`, token.slice(0, -1), "x", `coven_${"A".repeat(43)}`];
    for (const shown of wrong)
      expect(await ask(daemon, { headers: bearer(shown) })).toMatchObject({ status: 401 });
    expect(await ask(daemon, { headers: { authorization: `Basic ${token}` } })).toMatchObject({
      status: 401,
    });
    expect(await ask(daemon, { headers: bearer(token) })).toMatchObject({ status: 200 });

    expect(daemon.printed()).toContain(`serving http://127.0.0.1:${daemon.port}`);
    const logs = readdirSync(join(home, "logs")).map((name) =>
      readFileSync(join(home, "logs", name), "utf8"),
    );
    const secret = token.slice("coven_".length);
    for (const text of [daemon.printed(), readFileSync(`/proc/${daemon.pid}/cmdline`, "utf8"), ...logs])
      expect(text).not.toContain(secret);
  });

  test("of the owner counts on the Unix socket too, where none is needed", async () => {
    const { socket, token } = await startOnTcp();
    expect(await send(socket, "GET", "/sessions", { headers: bearer(token) })).toMatchObject({ status: 200 });
    expect(await send(socket, "GET", "/sessions")).toMatchObject({ status: 200 });
  });

  test("counts no more when its file is replaced, opened to others or gone", async () => {
    const daemon = await startOnTcp();
    const file = join(daemon.home, "token");
    const status = async (token: string) => (await ask(daemon, { headers: bearer(token) })).status;
    const other = `coven_${"b".repeat(43)}`;
    writeFileSync(file, other);
    expect([await status(daemon.token), await status(other)]).toEqual([401, 200]);
    chmodSync(file, 0o640);
    expect(await status(other)).toBe(401);
    rmSync(file);
    expect([await status(other), await status("undefined"), await status("")]).toEqual([401, 401, 401]);
  });
});

describe("web pages", () => {
  test("are refused by their Host, which names another place, with the token or without", async () => {
    const daemon = await startOnTcp();
    const { port, token } = daemon;
    const foreign = [
      "evil.com",
      `evil.com:${port}`,
      `127.0.0.1.evil.com:${port}`,
      `localhost.:${port}`,
      "127.0.0.1",
      `127.0.0.1:${port + 1}`,
      `0.0.0.0:${port}`,
      "",
    ];
    for (const host of foreign) {
      const refused = { status: 403, code: "not_permitted" };
      expect(await ask(daemon, { headers: { host, ...bearer(token) } }), host).toMatchObject(refused);
      expect(await ask(daemon, { headers: { host } }), host).toMatchObject(refused);
    }
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `LocalHost:${port}`, `[::1]:${port}`])
      expect(await ask(daemon, { headers: { host, ...bearer(token) } }), host).toMatchObject({ status: 200 });
  });

  test("are refused by their Origin, and no origin is ever allowed to read", async () => {
    const daemon = await startOnTcp();
    const { token } = daemon;
    const foreign = [
      "http://evil.example",
      "null",
      "https://localhost.evil.example",
      "file://",
      "http://127.0.0.1@evil",
    ];
    for (const origin of foreign) {
      for (const shown of [{}, bearer(token)]) {
        const answer = await ask(daemon, { headers: { origin, ...shown } });
        expect(answer, origin).toMatchObject({ status: 403, code: "not_permitted" });
      }
    }
    const near = await ask(daemon, { headers: { origin: "http://localhost:3000", ...bearer(token) } });
    expect(near.status).toBe(200);
    const preflight = (origin: string) =>
      ask(daemon, {
        method: "OPTIONS",
        headers: {
          origin,
          "access-control-request-method": "POST",
          "access-control-request-headers": "authorization",
        },
      });
    const answers = [near, await preflight("http://evil.example"), await preflight("http://localhost:3000")];
    expect(answers.map(({ status }) => status)).toEqual([200, 403, 401]);
    const allowing = answers
      .flatMap(({ headers }) => Object.keys(headers))
      .filter((name) => name.startsWith("access-"));
    expect(allowing).toEqual([]);
  });

  test("that post without asking have no effect, not even with a content type that needs no leave", async () => {
    const daemon = await startOnTcp();
    const projectRoot = makeProject();
    const mark = join(projectRoot, "was-here");
    const args = { harness: "shell", projectRoot, prompt: `touch ${mark}` };
    const launching = JSON.stringify({ action: "run", args });
    const post = (headers: Readonly<Record<string, string>>, path = "/api/v1/actions") =>
      ask(daemon, {
        method: "POST",
        path,
        body: launching,
        headers: { "content-type": "text/plain", ...headers },
      });
    expect(await post({ origin: "http://evil.example" })).toMatchObject({ status: 403 });
    expect(await post({ host: `evil.com:${daemon.port}` })).toMatchObject({ status: 403 });
    expect(await post({})).toMatchObject({ status: 401 });
    expect(await post({}, "/internal/lifecycle/shutdown")).toMatchObject({ status: 401 });
    expect(await sessionsOf(daemon)).toEqual([]);
    expect(existsSync(mark)).toBe(false);
    // The same does launch for whoever may.
    expect(await post(bearer(daemon.token))).toMatchObject({ status: 200 });
    expect(await sessionsOf(daemon)).toHaveLength(1);
  });

  test("are not read from: what is refused is answered before its body comes", async () => {
    const { port } = await startOnTcp();
    const sent = request({
      port,
      host: "127.0.0.1",
      method: "POST",
      path: "/api/v1/actions",
      agent: false,
      headers: { "content-length": "1000" },
    });
    sent.on("error", () => undefined);
    onTestFinished(() => void sent.destroy());
    sent.flushHeaders();
    const [response] = z.tuple([z.looseObject({ statusCode: z.int() })]).parse(await once(sent, "response"));
    expect(response.statusCode).toBe(401);
  });

  test("open no WebSocket, and neither does who shows no token", async () => {
    const daemon = await startOnTcp();
    const { port, token } = daemon;
    const { id } = await launch(daemon, "read line; echo got $line", { launchMode: "interactive" });
    const open = async (headers: Readonly<Record<string, string>>): Promise<string> => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/api/v1/sessions/${id}/attach`, { headers });
      onTestFinished(() => socket.terminate());
      return once(socket, "open").then(() => "open", String);
    };
    expect(await open({})).toContain("401");
    expect(await open(bearer("x"))).toContain("401");
    expect(await open({ origin: "http://evil.example", ...bearer(token) })).toContain("403");
    expect(await open({ host: "evil.com", ...bearer(token) })).toContain("403");
    expect(await open(bearer(token))).toBe("open");
  });
});

describe("who shows the owner's token", () => {
  test.each(["127.0.0.1", "[::1]"])("runs, follows and attaches over TCP at %s", async (host) => {
    const daemon = await startOnTcp(host);
    const url = new URL(`http://${host}:${daemon.port}`);
    const client = createClient({ kind: "url", url, token: daemon.token }, "test");
    const overTcp = { ...daemon, client };
    const { id } = await launch(overTcp, "read line; echo got $line", { launchMode: "interactive" });
    const socket = await client.attach(id, 0);
    onTestFinished(() => socket.terminate());
    await once(socket, "open");
    socket.send(Buffer.from("this\n"));
    let output = "";
    for await (const { kind, payload_json } of client.events(id, 0)) {
      if (kind === "output") output += String(jsonIn(payload_json)["data"]);
      if (kind === "exit") break;
    }
    expect(output).toContain("got this");
    expect(await client.call("record", { session: id })).toMatchObject({ status: "completed" });
  });

  test("may stop the daemon there", async () => {
    const daemon = await startOnTcp();
    const url = new URL(`http://127.0.0.1:${daemon.port}`);
    await createClient({ kind: "url", url, token: daemon.token }, "test").shutdown(false);
    expect(await daemon.exited).toBe(0);
  });
});

test("a daemon that was not asked to serves on no port, and makes no token", async () => {
  const daemon = await startDaemon();
  expect(told.parse(await daemon.client.call("health", {})).daemon.tcp).toBeUndefined();
  expect(existsSync(join(daemon.home, "token"))).toBe(false);
});

describe("coven", () => {
  test.each([
    ["0.0.0.0:4680", "is not 127.0.0.1:PORT"],
    ["192.168.0.1:4680", "is not 127.0.0.1:PORT"],
    ["localhost:4680", "is not 127.0.0.1:PORT"],
    ["[::]:4680", "is not 127.0.0.1:PORT"],
    ["127.0.0.1", "is not 127.0.0.1:PORT"],
    ["4680", "is not 127.0.0.1:PORT"],
    ["127.0.0.1:70000", "has no port up to 65535"],
  ])("refuses --tcp %s before anything starts", async (address, why) => {
    for (const verb of ["serve", "start", "restart"]) {
      const { code, stderr, stdout } = await coven(["daemon", verb, "--tcp", address]);
      expect({ code, stdout }, verb).toEqual({ code: 64, stdout: "" });
      expect(stderr).toContain(`coven: invalid_request: --tcp ${address} ${why}`);
    }
    expect(await coven(["daemon", "status"])).toMatchObject({ code: 3 });
  });

  test("says what is wrong with the words of daemon serve", async () => {
    for (const words of [
      ["--tcp"],
      ["--tpc", "127.0.0.1:0"],
      ["127.0.0.1:0"],
      ["--tcp", "127.0.0.1:0", "more"],
    ])
      expect(await coven(["daemon", "serve", ...words]), words.join(" ")).toMatchObject({ code: 64 });
  });

  test("does not start half where the port is taken", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    onTestFinished(() => void other.close());
    await once(other, "listening");
    const { port } = z.object({ port: z.int() }).parse(other.address());
    const tcp = `127.0.0.1:${port}`;
    for (const verb of ["serve", "start"]) {
      const { code, stderr } = await coven(["daemon", verb, "--tcp", tcp]);
      expect(code).toBe(78);
      expect(stderr).toContain(
        `coven: address_unavailable: the API cannot be served on ${tcp}: another program has the port\n`,
      );
    }
    expect(await coven(["daemon", "status"])).toMatchObject({ code: 3 });
    expect(await coven(["daemon", "start"])).toMatchObject({ code: 0 });
    await coven(["daemon", "stop"]);
  });

  test("starts the listener, shows it, keeps it over a restart, and reaches it with the token it prints", async () => {
    const started = await coven(["daemon", "start", "--tcp", "127.0.0.1:0"]);
    expect(started).toMatchObject({ code: 0, stderr: "" });
    const url = /^tcp +(http:\S+)$/m.exec(started.stdout)?.[1] ?? "";
    const { stdout } = await coven(["token"]);
    const env = { COVEN_URL: url, COVEN_TOKEN: stdout.trim() };
    expect(await coven(["list", "--json"], { env })).toMatchObject({ code: 0, stderr: "" });
    const missing = await coven(["--url", url, "list"]);
    expect(missing.code).toBe(77);
    expect(missing.stderr).toMatch(/^coven: unauthenticated: .*no token was shown\n.*coven token/);

    expect((await coven(["daemon", "restart"])).stdout).toContain(url);
    expect(jsonIn((await coven(["daemon", "status", "--json"])).stdout)).toMatchObject({ tcp: url.slice(7) });
    expect(await coven(["daemon", "start"])).toMatchObject({ code: 0 });
    expect(await coven(["daemon", "start", "--tcp", "127.0.0.1:0"])).toMatchObject({ code: 0 });
    const other = await coven(["daemon", "start", "--tcp", "[::1]:0"]);
    expect(other.code).toBe(78);
    expect(other.stderr).toMatch(
      /^coven: daemon_running: .*serves 127\.0\.0\.1:\d+\ncoven daemon restart --tcp/,
    );

    await coven(["daemon", "stop"]);
    expect((await coven(["daemon", "start"])).stdout).not.toMatch(/^tcp/m);
    await coven(["daemon", "stop"]);
  });

  test("prints the owner's token, always the same until it is rotated, and never to a run", async () => {
    const file = join(cliHome, "token");
    rmSync(file, { force: true });
    // Of many that make it at once all get the same.
    const made = await Promise.all([1, 2, 3].map(() => coven(["token"])));
    const [{ stdout: first } = { stdout: "" }] = made;
    expect(first).toMatch(/^coven_[A-Za-z0-9_-]{43}\n$/);
    expect(made.map(({ stdout }) => stdout)).toEqual([first, first, first]);
    expect(jsonIn((await coven(["token", "--json"])).stdout)).toEqual({ token: first.trim(), file });
    const asRun = await coven(["token"], { env: { COVEN_RUN_ID: "r" } });
    expect(asRun).toMatchObject({ code: 77, stdout: "" });

    chmodSync(file, 0o644);
    expect(await coven(["token"])).toMatchObject({
      code: 78,
      stdout: "",
      stderr: `coven: home_unsafe: ${file} is open to other users (mode 644)\nOthers may know the token in it: coven token --rotate makes a new one.\n`,
    });
    const { stdout: second } = await coven(["token", "--rotate"]);
    expect(second).toMatch(/^coven_[A-Za-z0-9_-]{43}\n$/);
    expect(second).not.toBe(first);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect((await coven(["token"])).stdout).toBe(second);

    rmSync(file);
    const elsewhere = join(folder, "elsewhere");
    writeFileSync(elsewhere, second, { mode: 0o600 });
    symlinkSync(elsewhere, file);
    expect(await coven(["token"])).toMatchObject({ code: 78, stdout: "" });
    expect(readdirSync(cliHome).filter((name) => name.startsWith("token"))).toEqual(["token"]);
  });
});

/** A client written for the published daemon works with this one as it is. */
import { chmodSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { once } from "node:events";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { createClient } from "../src/rpc/client.ts";
import { covenForFile } from "./support/coven.ts";
import { type TestDaemon, makeHome, startDaemon } from "./support/daemon.ts";
import { makeProject } from "./support/launch.ts";
import {
  DaemonRefusal,
  EndpointReplaced,
  PublishedClient,
  type PublishedEvent,
} from "./support/published-client.ts";

const { home, project, bin, coven } = covenForFile();

async function agreed(at: string): Promise<PublishedClient> {
  const client = new PublishedClient(at);
  await client.negotiate();
  return client;
}

const launchShell = (client: PublishedClient, prompt: string, more: object = {}) =>
  client.launch({ projectRoot: makeProject(), harness: "shell", prompt, ...more });

const printed = (events: readonly PublishedEvent[]): string =>
  events
    .filter(({ kind }) => kind === "output")
    .map(({ payload }) =>
      typeof payload === "object" && payload !== null && "data" in payload ? String(payload.data) : "",
    )
    .join("");

/** What comes until something is said, or the session ends. */
async function until(events: AsyncGenerator<PublishedEvent>, text?: string): Promise<PublishedEvent[]> {
  const seen: PublishedEvent[] = [];
  for await (const event of events) {
    seen.push(event);
    if (event.kind === "exit" || (text !== undefined && printed(seen).includes(text))) break;
  }
  return seen;
}

/** Leaves the sessions to their host, as a restart does. */
async function restart(daemon: TestDaemon): Promise<TestDaemon> {
  await daemon.client.shutdown(true);
  await daemon.exited;
  return startDaemon(daemon.home);
}

describe("a client of the published daemon", () => {
  test("launches, pages through what it is sent, feeds and kills", async () => {
    const daemon = await startDaemon();
    const client = await agreed(daemon.home);
    const script = 'seq 1 60000; read line; echo "got $line"; read more';
    const launched = await launchShell(client, script, { title: "Count" });
    expect(launched).toMatchObject({ harness: "shell", title: "Count", status: "running" });

    const counted = await until(client.follow(launched.id), "60000\r\n");
    expect(printed(counted)).toBe(Array.from({ length: 60_000 }, (_, i) => `${i + 1}\r\n`).join(""));
    await client.input(launched.id, "hello\r");
    const answered = await until(client.follow(launched.id, counted.at(-1)?.id), "got hello");
    expect(answered).toContainEqual(expect.objectContaining({ kind: "input", payload: { data: "hello\r" } }));
    await client.kill(launched.id);
    const ending = await until(client.follow(launched.id, answered.at(-1)?.id));
    expect(ending.map(({ kind }) => kind)).toContain("kill");
    expect(await client.session(launched.id)).toMatchObject({ status: "killed" });
    expect(await client.sessions()).toMatchObject([{ id: launched.id, status: "killed" }]);
  });

  test("agrees again with a daemon that was restarted, and goes on where it was", async () => {
    const daemon = await startDaemon();
    const client = await agreed(daemon.home);
    const { id } = await launchShell(client, 'echo first; read line; echo "then $line"');
    const before = await until(client.follow(id), "first");

    await restart(daemon);
    await expect(client.input(id, "lost\r")).rejects.toBeInstanceOf(EndpointReplaced);
    await client.negotiate();
    expect(await client.session(id)).toMatchObject({ status: "running" });
    await client.input(id, "kept\r");
    const after = await until(client.follow(id, before.at(-1)?.id));
    expect(printed([...before, ...after])).toBe("first\r\nkept\r\nthen kept\r\n");
    expect(after.at(-1)).toMatchObject({ kind: "exit", payload: { status: "completed", exitCode: 0 } });
  });

  test("is told what went wrong by status and code", async () => {
    const daemon = await startDaemon();
    const client = await agreed(daemon.home);
    const refusal = (status: number, code: string): DaemonRefusal => new DaemonRefusal(status, code);
    await expect(client.session("nobody")).rejects.toEqual(refusal(404, "session_not_found"));
    await expect(client.events("nobody", undefined)).rejects.toEqual(refusal(404, "session_not_found"));
    await expect(client.kill("nobody")).rejects.toEqual(refusal(404, "session_not_found"));
    await expect(launchShell(client, "")).rejects.toEqual(refusal(400, "invalid_request"));
    const { id } = await launchShell(client, "exit 0");
    await until(client.follow(id));
    await expect(client.input(id, "x")).rejects.toEqual(refusal(409, "session_not_live"));
    await expect(client.kill(id)).rejects.toEqual(refusal(409, "session_not_live"));
  });

  test("gives Codex a policy and either harness a conversation, and sees them in what is launched", async () => {
    // In place of the harnesses: what they were started with, word by word.
    for (const name of ["codex", "claude"]) {
      rmSync(join(bin, name));
      writeFileSync(join(bin, name), `#!/bin/sh\nprintf '<%s>' "$@"\n`);
      chmodSync(join(bin, name), 0o755);
    }
    await coven(["daemon", "start"]);
    const client = await agreed(home);
    expect(await client.offers("sessionLaunchPolicy")).toBe(true);
    const added = makeProject();
    const launch = async (body: object): Promise<string> => {
      const { id } = await client.launch({
        projectRoot: project,
        prompt: "do it",
        launchMode: "nonInteractive",
        ...body,
      });
      return printed(await until(client.follow(id)));
    };
    const launchPolicy = { approval: "never", sandbox: "workspace-write", addDirs: [added, `${added}/`] };
    const withPolicy = await launch({ harness: "codex", launchPolicy });
    expect(withPolicy).toContain('<approval_policy="never">');
    expect(withPolicy).toContain(`<--sandbox><workspace-write><--add-dir><${added}>`);
    expect(withPolicy.split(added)).toHaveLength(2);

    const id = "0199a213-81c0-7800-8aa1-bbab2a035a53";
    expect(await launch({ harness: "codex", conversation: { mode: "resume", id } })).toContain(
      `<resume><${id}>`,
    );
    expect(await launch({ harness: "claude", conversation: { mode: "resume", id } })).toContain(
      `<--resume><${id}>`,
    );
    expect(await launch({ harness: "claude", conversation: { mode: "init", id } })).toContain(
      `<--session-id><${id}>`,
    );
  });
});

describe("our own client", () => {
  /** Something that answers health, and remembers what else it is asked. */
  async function serve(health: object) {
    const socket = join(makeHome(), "other.sock");
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(health));
    }).listen(socket);
    onTestFinished(() => void server.close());
    await once(server, "listening");
    const stop = (): void => {
      server.close();
      server.closeAllConnections();
    };
    return { socket, asked, stop };
  }

  test("asks a daemon of another contract for nothing but its health, and says which it is", async () => {
    const { socket, asked } = await serve({ ok: true, apiVersion: "coven.daemon.v2" });
    const client = createClient({ kind: "socket", path: socket }, "test");
    await expect(client.call("run", { prompt: "x" })).rejects.toMatchObject({
      code: "unsupported_api_version",
      message: expect.stringMatching(/coven\.daemon\.v2.*coven\.daemon\.v1/),
      hint: expect.stringContaining("release"),
      details: { apiVersion: "coven.daemon.v2", supportedApiVersions: ["coven.daemon.v1"] },
    });
    await expect(client.output("x").next()).rejects.toMatchObject({ code: "unsupported_api_version" });
    await expect(client.events("x", 0).next()).rejects.toMatchObject({ code: "unsupported_api_version" });
    await expect(client.attach("x", 0)).rejects.toMatchObject({ code: "unsupported_api_version" });
    expect(new Set(asked)).toEqual(new Set(["GET /api/v1/health"]));
    const verb = await coven(["--url", `unix://${socket}`, "list"]);
    expect(verb).toMatchObject({
      code: 76,
      stderr: expect.stringMatching(
        /^coven: unsupported_api_version: .*coven\.daemon\.v2.*coven\.daemon\.v1/,
      ),
    });
  });

  test("takes what says nothing of a contract for no Coven", async () => {
    const { socket, asked } = await serve({ hello: "world" });
    const client = createClient({ kind: "socket", path: socket }, "test");
    await expect(client.call("list", {})).rejects.toMatchObject({ code: "foreign_daemon" });
    expect(asked).toEqual(["GET /api/v1/health"]);
  });

  test("asks once, and again when another daemon took the place", async () => {
    const { socket, asked, stop } = await serve({
      ok: true,
      apiVersion: "coven.daemon.v1",
      event: { payload: {} },
    });
    const client = createClient({ kind: "socket", path: socket }, "test");
    await client.call("list", {});
    await client.call("list", {});
    expect(asked).toEqual(["GET /api/v1/health", "POST /api/v1/actions", "POST /api/v1/actions"]);
    stop();
    const next = createServer((_, response) => response.end('{"apiVersion":"coven.daemon.v3"}')).listen(
      socket,
    );
    onTestFinished(() => void next.close());
    await once(next, "listening");
    await expect(client.call("list", {})).rejects.toMatchObject({ code: "unsupported_api_version" });
  });
});

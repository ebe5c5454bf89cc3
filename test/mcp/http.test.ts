import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import * as z from "zod";
import { makeHome, startDaemon } from "../support/daemon.ts";
import { launch, makeProject } from "../support/launch.ts";
import { launchRun } from "../support/runs.ts";
import { type McpAnswer, exchange, initialize, openSession } from "../support/mcp-http.ts";

const toolAnswer = z.object({ structuredContent: z.record(z.string(), z.unknown()) });
const contentOf = async (answer: McpAnswer): Promise<Record<string, unknown>> =>
  toolAnswer.parse((await answer.rest()).at(-1)?.result).structuredContent;

test.each(["2025-06-18", "2025-11-25"])(
  "a client of %s initializes a session, lists the tools and calls one",
  async (version) => {
    const daemon = await startDaemon();
    const session = await openSession(daemon.socket, { version });
    expect(session.id).toMatch(/^[\x21-\x7e]{32,}$/);
    expect(session.initialized.result).toMatchObject({
      protocolVersion: version,
      serverInfo: { name: "coven" },
    });
    const listed = await session.post({ jsonrpc: "2.0", id: 1, method: "tools/list" });
    expect(listed.response.headers["content-type"]).toBe("text/event-stream");
    expect(await listed.rest()).toMatchObject([
      { id: 1, result: { tools: expect.arrayContaining([expect.objectContaining({ name: "run" })]) } },
    ]);
    const { id } = await launch(daemon, "echo hello");
    const watched = await session.call(2, "watch", { sessions: [id], until: "terminal" });
    expect(await contentOf(watched)).toMatchObject({
      outcome: "met",
      sessions: [{ id, status: "completed" }],
    });
  },
);

test.each(["2025-06-18", "2025-11-25"])(
  "the head of a call's answer is there while the call still waits (%s)",
  async (version) => {
    const daemon = await startDaemon();
    const { id } = await launch(daemon, "read line", { launchMode: "interactive" });
    const session = await openSession(daemon.socket, { version });
    const asked = performance.now();
    // Resolves with the head; what it waits for happens only afterwards.
    const watched = await session.call(1, "watch", { sessions: [id], until: "terminal" });
    console.log(`head of a waiting call after ${(performance.now() - asked).toFixed(1)} ms (${version})`);
    expect(watched.status).toBe(200);
    expect(watched.response.headers).toMatchObject({
      "content-type": "text/event-stream",
      "x-accel-buffering": "no",
    });
    await daemon.client.call("input", { session: id, keys: ["enter"] });
    expect(await contentOf(watched)).toMatchObject({ outcome: "met" });
  },
);

test("hanging up cancels nothing: whoever comes back gets the answer, whether it is there yet or not", async () => {
  const daemon = await startDaemon();
  const { id } = await launch(daemon, "read line", { launchMode: "interactive" });
  const session = await openSession(daemon.socket);
  const calls = [];
  for (const call of [1, 2]) {
    const watched = await session.call(call, "watch", { sessions: [id], until: "terminal" });
    const place = (await watched.sent.next()).value;
    expect(place).toMatchObject({ id: expect.any(String), retry: "1000", message: undefined });
    watched.hangUp();
    calls.push(String(place?.id));
  }
  const [early = "", late = ""] = calls;
  const before = await session.get(early);
  expect(before.status).toBe(200);
  await daemon.client.call("input", { session: id, keys: ["enter"] });
  expect(await before.rest()).toMatchObject([{ id: 1, result: { structuredContent: { outcome: "met" } } }]);
  await daemon.client.call("watch", { sessions: [id] });
  // Each stream has its own answer only, and ends with it, as often as it is asked for.
  for (const time of ["once", "again"])
    expect(await (await session.get(late)).rest(), time).toMatchObject([
      { id: 2, result: { structuredContent: { outcome: "met" } } },
    ]);
  expect((await session.get("7@nowhere")).status).toBe(400);
});

test("a client hears of what changes, and one that is a session only of its own project's", async () => {
  const daemon = await startDaemon();
  const own = await launchRun(daemon, daemon.client, makeProject());
  const beside = await launchRun(daemon, daemon.client, own.project);
  const { id: foreign } = await launch(daemon, "read line", { launchMode: "interactive" });
  const uri = `coven://sessions/${beside.id}`;
  const heardBy = async (headers: object): Promise<McpAnswer["sent"]> => {
    const session = await openSession(daemon.socket, { headers: { ...headers } });
    const pushed = await session.get();
    const subscribe = { jsonrpc: "2.0", id: 1, method: "resources/subscribe", params: { uri } };
    expect(await (await session.post(subscribe)).rest()).toMatchObject([{ id: 1, result: {} }]);
    await (await session.post({ jsonrpc: "2.0", id: 2, method: "resources/list" })).rest();
    return pushed.sent;
  };
  const owner = await heardBy({});
  const run = await heardBy({ authorization: `Bearer ${own.token}` });
  const listChanged = { message: { method: "notifications/resources/list_changed" } };
  const updated = { message: { method: "notifications/resources/updated", params: { uri } } };
  await daemon.client.call("kill", { session: foreign });
  expect((await owner.next()).value).toMatchObject(listChanged);
  // The list that this one sees has not changed: it is first told of what does.
  await daemon.client.call("kill", { session: beside.id });
  expect((await run.next()).value).toMatchObject(updated);
  expect((await run.next()).value).toMatchObject(listChanged);
});

test("a session's own calls are made by that session, and only with its token", async () => {
  const daemon = await startDaemon();
  const run = await launchRun(daemon, daemon.client, makeProject());
  const { id: foreign } = await launch(daemon, "read line", { launchMode: "interactive" });
  const headers = { authorization: `Bearer ${run.token}` };
  const session = await openSession(daemon.socket, { headers });
  const refused = await session.call(1, "kill", { session: foreign });
  expect(await refused.rest()).toMatchObject([{ id: 1, result: { isError: true } }]);
  expect(await daemon.client.call("status", { session: foreign })).toMatchObject({ status: "running" });
  const asOwner = await exchange(daemon.socket, "GET", {
    headers: { accept: "text/event-stream", "mcp-session-id": session.id },
  });
  expect(asOwner.status).toBe(404);
  expect(
    (await session.post({ jsonrpc: "2.0", id: 2, method: "ping" }, { authorization: "Bearer x" })).status,
  ).toBe(401);
});

test("the loopback port serves it to whoever has the token, and to no page", async () => {
  const home = makeHome();
  const daemon = await startDaemon(home, ["--tcp", "127.0.0.1:0"]);
  const { tcp } = z
    .object({ daemon: z.object({ tcp: z.string() }) })
    .parse(await daemon.client.call("health", {})).daemon;
  const place = { port: Number(tcp.split(":").at(-1)) };
  const headers = { authorization: `Bearer ${readFileSync(join(home, "token"), "utf8").trim()}` };
  const session = await openSession(place, { headers });
  const pushed = await session.get();
  const listed = await session.call(1, "list", {});
  expect(await contentOf(listed)).toMatchObject({ sessions: [] });
  const head = { accept: "application/json, text/event-stream", "content-type": "application/json" };
  const body = initialize("2025-11-25");
  for (const [more, status] of [
    [{}, 401],
    [{ ...headers, host: "evil.example.com" }, 403],
    [{ ...headers, origin: "http://evil.example.com" }, 403],
  ] as const)
    expect((await exchange(place, "POST", { headers: { ...head, ...more }, body })).status).toBe(status);
  const ended = pushed.rest();
  await daemon.client.shutdown(false);
  expect(await ended).toEqual([]);
  expect(await daemon.exited).toBe(0);
});

test("two sessions do not know of each other, also where their calls have the same ids", async () => {
  const daemon = await startDaemon();
  const lanes = [];
  for (const word of ["one", "two"]) {
    const { id } = await launch(daemon, "read line", { launchMode: "interactive" });
    const session = await openSession(daemon.socket);
    lanes.push({
      word,
      id,
      session,
      watched: await session.call(1, "watch", { sessions: [id], until: "terminal" }),
    });
  }
  expect(new Set(lanes.map(({ session }) => session.id)).size).toBe(2);
  for (const { id, watched } of lanes.reverse()) {
    await daemon.client.call("input", { session: id, keys: ["enter"] });
    expect(await contentOf(watched)).toMatchObject({ sessions: [{ id }] });
  }
});

test("a session that was ended is gone with what it waited for, and its id is answered 404", async () => {
  const daemon = await startDaemon();
  const { id } = await launch(daemon, "read line", { launchMode: "interactive" });
  const session = await openSession(daemon.socket);
  const watched = await session.call(1, "watch", { sessions: [id], until: "terminal" });
  const pushed = await session.get();
  expect((await session.end()).status).toBe(200);
  expect(await watched.rest()).toEqual([]);
  expect(await pushed.rest()).toEqual([]);
  const after = [await session.call(2, "list", {}), await session.get(), await session.end()];
  for (const answer of after) {
    expect(answer.status).toBe(404);
    expect(await answer.body()).toMatchObject({ id: null, error: { code: -32001 } });
  }
});

test("a stopping daemon ends every stream, and none keeps it", async () => {
  const daemon = await startDaemon();
  const { id } = await launch(daemon, "read line", { launchMode: "interactive" });
  const session = await openSession(daemon.socket);
  const pushed = await session.get();
  expect(pushed.status).toBe(200);
  const watched = await session.call(1, "watch", { sessions: [id], until: "output" });
  const ends = [pushed.rest(), watched.rest()];
  await daemon.client.shutdown(true);
  expect(await daemon.exited).toBe(0);
  // Ended, and not cut off, which would be an error.
  expect((await Promise.all(ends))[0]).toEqual([]);
});

test("what is no request of the protocol is refused with what is wrong", async () => {
  const daemon = await startDaemon();
  const both = "application/json, text/event-stream";
  const head = { accept: both, "content-type": "application/json" };
  const ping = { jsonrpc: "2.0", id: 1, method: "ping" };
  const { id } = await openSession(daemon.socket);
  const session = { ...head, "mcp-session-id": id };
  const large = `"${"x".repeat(4 * 1024 * 1024)}"`;
  const refusals: readonly [
    string,
    string,
    Record<string, string>,
    string | object | undefined,
    number,
    RegExp,
  ][] = [
    ["POST", "Accept", { ...session, accept: "application/json" }, ping, 406, /text\/event-stream/],
    ["GET", "Accept", { ...session, accept: "application/json" }, undefined, 406, /text\/event-stream/],
    ["POST", "Origin", { ...session, origin: "http://evil.example.com" }, ping, 403, /Origin/],
    ["POST", "Origin of a name", { ...session, origin: "http://localhost.example.com" }, ping, 403, /Origin/],
    [
      "POST",
      "version",
      { ...session, "mcp-protocol-version": "1999-01-01" },
      ping,
      400,
      /1999-01-01.*2025-11-25/,
    ],
    ["GET", "version", { ...session, "mcp-protocol-version": "1999-01-01" }, undefined, 400, /1999-01-01/],
    ["GET", "no session", head, undefined, 400, /Mcp-Session-Id/],
    ["DELETE", "no session", head, undefined, 400, /Mcp-Session-Id/],
    ["POST", "no session", head, ping, 400, /not initialized/],
    ["POST", "another session", { ...head, "mcp-session-id": "x" }, ping, 404, /initialize another/],
    ["POST", "no JSON", session, "{", 400, /JSON/],
    ["POST", "no JSON at first", head, "{", 400, /JSON/],
    ["POST", "no message", session, { id: 1 }, 400, /JSON-RPC/],
    ["POST", "a second initialize", session, initialize("2025-11-25"), 400, /already initialized/],
    ["POST", "too large", session, large, 413, /4194304 bytes/],
  ];
  for (const [method, what, headers, body, status, text] of refusals) {
    const answer = await exchange(daemon.socket, method, {
      headers,
      ...(body === undefined ? {} : { body }),
    });
    expect(answer.status, `${method}: ${what}`).toBe(status);
    expect((await answer.body()).error?.message, `${method}: ${what}`).toMatch(text);
  }
  const local = await exchange(daemon.socket, "POST", {
    headers: { ...session, origin: "http://127.0.0.1:8080" },
    body: ping,
  });
  expect(await local.rest()).toEqual([{ jsonrpc: "2.0", id: 1, result: {} }]);
});

/** What becomes of sessions and of what they wait for: the handler by itself, with waits that say when they end. */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Identity } from "../../src/capabilities/capability.ts";
import { callsInHandMax } from "../../src/mcp/bounded-transport.ts";
import { type McpLimits, createMcpHandler } from "../../src/mcp/http.ts";
import { createMcpServer } from "../../src/mcp/server.ts";
import { exchange, initialize, openSession } from "../support/mcp-http.ts";

interface Wait {
  readonly ended: Promise<unknown>;
  isOver: boolean;
}

/** Each call of `watch` waits until it is cancelled; by the session that it names. */
async function startHandler(limits: Partial<McpLimits> = {}) {
  const waits = new Map<string, Wait>();
  let told: () => void = () => undefined;
  const handler = createMcpHandler({
    limits,
    trouble: () => undefined,
    newServer: ({ session }) =>
      createMcpServer({
        version: "1",
        client: session,
        // Nothing ever does.
        changes: async function* () {},
        invoke: async (_, input, { signal }) => {
          const wait: Wait = { ended: once(signal, "abort"), isOver: false };
          waits.set(JSON.stringify(input), wait);
          told();
          await wait.ended;
          wait.isOver = true;
          throw new Error("cancelled");
        },
      }),
  });
  const folder = mkdtempSync(join(tmpdir(), "coven-mcp-"));
  const server = createServer((request, response) => {
    const run = request.headers.authorization?.replace("Bearer ", "");
    const identity: Identity = run === undefined ? { kind: "owner" } : { kind: "run", run, session: run };
    void handler.handle(request, response, identity);
  });
  const socket = join(folder, "socket");
  server.listen(socket);
  await once(server, "listening");
  onTestFinished(async () => {
    await handler.close();
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });
  const waitFor = async (session: string): Promise<Wait> => {
    for (;;) {
      const wait = [...waits].find(([input]) => input.includes(`"${session}"`))?.[1];
      if (wait !== undefined) return wait;
      await new Promise<void>((resolve) => (told = resolve));
    }
  };
  return { socket, handler, waitFor };
}

const onlyWaits = (session: string): object => ({ sessions: [session] });

test("a cancelled call ends its wait and its stream, and nothing else", async () => {
  const { socket, waitFor } = await startHandler();
  const session = await openSession(socket);
  const cancelled = await session.call(1, "watch", onlyWaits("one"));
  const place = (await cancelled.sent.next()).value;
  const other = await session.call(2, "watch", onlyWaits("two"));
  const [one, two] = [await waitFor("one"), await waitFor("two")];
  expect((await session.cancel(1)).status).toBe(202);
  await one.ended;
  expect(await cancelled.rest()).toEqual([]);
  expect(two.isOver).toBe(false);
  // A client that takes the end of the stream for a broken one is told, and need not ask again.
  expect(await (await session.get(place?.id)).rest()).toMatchObject([{ id: 1, error: { code: -32800 } }]);
  expect((await session.cancel(1)).status).toBe(202);
  expect((await session.cancel(77)).status).toBe(202);
  await session.cancel(2);
  await two.ended;
  expect((await other.rest()).length).toBe(0);
});

test("a cancelled call of a client of 2025-06-18, which cannot come back, ends as well", async () => {
  const { socket, waitFor } = await startHandler();
  const session = await openSession(socket, { version: "2025-06-18" });
  const cancelled = await session.call(1, "watch", onlyWaits("one"));
  const one = await waitFor("one");
  await session.cancel(1);
  await one.ended;
  expect(await cancelled.rest()).toEqual([]);
});

test("ending a session ends its waits, and so does the end of all", async () => {
  const { socket, handler, waitFor } = await startHandler();
  const [ended, left] = [await openSession(socket), await openSession(socket)];
  await ended.call(1, "watch", onlyWaits("one"));
  const leftOpen = await left.call(1, "watch", onlyWaits("two"));
  const [one, two] = [await waitFor("one"), await waitFor("two")];
  await ended.end();
  await one.ended;
  expect(two.isOver).toBe(false);
  await handler.close();
  await two.ended;
  expect(await leftOpen.rest()).toEqual([]);
  expect((await exchange(socket, "POST", { body: initialize("2025-11-25") })).status).toBe(503);
});

test("a session is only for the caller that began it", async () => {
  const { socket } = await startHandler();
  const [first, second] = [{ authorization: "Bearer first" }, { authorization: "Bearer second" }];
  const session = await openSession(socket, { headers: first });
  const ping = { jsonrpc: "2.0", id: 1, method: "ping" };
  const known = {
    accept: "application/json, text/event-stream",
    "content-type": "application/json",
    "mcp-session-id": session.id,
  };
  const strangers = [known, { ...known, ...second }];
  for (const headers of strangers) {
    for (const method of ["POST", "GET", "DELETE"]) {
      const answer = await exchange(socket, method, {
        headers,
        ...(method === "POST" ? { body: ping } : {}),
      });
      expect(answer.status).toBe(404);
    }
  }
  const own = await exchange(socket, "POST", { headers: { ...known, ...first }, body: ping });
  expect(await own.rest()).toMatchObject([{ id: 1, result: {} }]);
});

test("a session that everybody has left ends with what it waits for, one with an open stream stays", async () => {
  const { socket, waitFor } = await startHandler({ idleMsMax: 1500 });
  const listening = await openSession(socket);
  const pushed = await listening.get();
  const left = await openSession(socket);
  const call = await left.call(1, "watch", onlyWaits("one"));
  const one = await waitFor("one");
  expect(one.isOver).toBe(false);
  call.hangUp();
  await one.ended;
  expect((await left.get()).status).toBe(404);
  const asked = await listening.post({ jsonrpc: "2.0", id: 1, method: "ping" });
  expect(await asked.rest()).toMatchObject([{ id: 1 }]);
  pushed.hangUp();
});

test("where there are too many sessions the one that was idle longest goes, and where none is idle the new one", async () => {
  const { socket } = await startHandler({ sessionsMax: 2 });
  const oldest = await openSession(socket);
  const newer = await openSession(socket);
  await (await oldest.post({ jsonrpc: "2.0", id: 1, method: "ping" })).rest();
  const third = await openSession(socket);
  expect((await newer.get()).status).toBe(404);
  const [one, two] = [await oldest.get(), await third.get()];
  expect([one.status, two.status]).toEqual([200, 200]);
  const headers = { accept: "application/json, text/event-stream", "content-type": "application/json" };
  const refused = await exchange(socket, "POST", { headers, body: initialize("2025-11-25") });
  expect(refused.status).toBe(429);
  expect(await refused.body()).toMatchObject({
    error: { code: 429, data: { code: "limit_exceeded", sessionsMax: 2 } },
  });
  await oldest.end();
  expect((await openSession(socket)).id).not.toBe(oldest.id);
});

test("a session has only so many calls waiting, also where its client hung up on them", async () => {
  const { socket, waitFor } = await startHandler();
  const session = await openSession(socket);
  for (let id = 1; id <= callsInHandMax; id += 1) {
    const call = await session.call(id, "watch", onlyWaits(`s${id}`));
    call.hangUp();
  }
  const refused = await session.call(1000, "watch", onlyWaits("more"));
  expect(await refused.rest()).toMatchObject([
    { id: 1000, error: { code: 429, data: { code: "limit_exceeded", callsInHandMax } } },
  ]);
  await session.cancel(1);
  await (
    await waitFor("s1")
  ).ended;
  await session.call(1001, "watch", onlyWaits("after"));
  expect((await waitFor("after")).isOver).toBe(false);
});

/** Calls that take their time: cancelled, given up, too many, and over a connection that is misused. */
import { once } from "node:events";
import { request } from "node:http";
import { Socket } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import { Failure } from "../../src/errors.ts";
import type { Method } from "../../src/rpc/json-rpc/method.ts";
import { ownMethods } from "../../src/rpc/json-rpc/own-methods.ts";
import { byPost, openRpc } from "../support/json-rpc.ts";
import { read, serveMethods, waiting } from "../support/json-rpc-server.ts";
import { startDaemon } from "../support/daemon.ts";
import { launch } from "../support/launch.ts";
import { stubServices } from "../support/services.ts";
import { send } from "../support/socket.ts";

const own = Object.fromEntries(ownMethods.map(({ name, method }) => [name, method]));
const call = (id: unknown, method: string, params?: unknown): object => ({
  jsonrpc: "2.0",
  id,
  method,
  params,
});
const cancelledAnswer = { error: { code: 499, data: { code: "cancelled", hint: expect.any(String) } } };

test("a wait is cancelled by its id, also in the spelling of language servers, and others go on", async () => {
  const daemon = await startDaemon();
  const { id: session } = await launch(daemon, "read line", { launchMode: "interactive" });
  const rpc = await openRpc(daemon.socket);
  for (const id of [1, "1", 2.5, "last"]) rpc.say(call(id, "watch", { sessions: [session] }));
  expect(await rpc.ask("cancel", { id: 1 })).toMatchObject({ result: { cancelled: true } });
  expect(await rpc.answerTo(1)).toMatchObject(cancelledAnswer);
  expect(await rpc.ask("$/cancelRequest", { id: "1" })).toMatchObject({ result: { cancelled: true } });
  expect(await rpc.answerTo("1")).toMatchObject(cancelledAnswer);
  rpc.say({ jsonrpc: "2.0", method: "cancel", params: { id: 2.5 } });
  expect(await rpc.answerTo(2.5)).toMatchObject(cancelledAnswer);
  expect(await rpc.ask("cancel", { id: 1 })).toMatchObject({ result: { cancelled: false } });
  expect(await rpc.ask("cancel", { id: null })).toMatchObject({
    error: { code: -32602, data: { code: "invalid_request" } },
  });
  await daemon.client.call("input", { session, keys: ["enter"] });
  expect(await rpc.answerTo("last")).toMatchObject({ result: { outcome: "met" } });
});

test("one request of a batch cancels another, and what is cancelled before it begins is never done", async () => {
  const done: string[] = [];
  const { method: wait } = waiting();
  const path = await serveMethods({ ...own, wait, write: read(() => void done.push("write")) });
  const batch = [
    call(1, "wait"),
    call(2, "cancel", { id: 1 }),
    call(3, "cancel", { id: 4 }),
    call(4, "write"),
  ];
  const answers = await byPost(path)(JSON.stringify(batch));
  expect(answers).toMatchObject([
    { id: 1, ...cancelledAnswer },
    { id: 2, result: { cancelled: true } },
    { id: 3, result: { cancelled: true } },
    { id: 4, ...cancelledAnswer },
  ]);
  expect(done).toEqual([]);
});

test("what changes something says what it did although it was cancelled", async () => {
  const { method: wait, begun } = waiting("write");
  const rpc = await openRpc(await serveMethods({ ...own, wait }));
  rpc.say(call(1, "wait"));
  await begun;
  await rpc.ask("cancel", { id: 1 });
  expect(await rpc.answerTo(1)).toMatchObject({ result: { outcome: "what was found by then" } });
});

test("who leaves in the middle of a wait or of a batch has cancelled all of it, over both transports", async () => {
  for (const batch of [1, 3]) {
    for (const transport of ["POST", "WebSocket"]) {
      const waits = Array.from({ length: batch }, () => waiting());
      const path = await serveMethods(
        Object.fromEntries(waits.map(({ method }, at) => [`wait${at}`, method])),
      );
      const calls = waits.map((_, at) => call(at, `wait${at}`));
      const text = JSON.stringify(batch === 1 ? calls[0] : calls);
      let leave: () => void;
      if (transport === "POST") {
        const sent = request({ socketPath: path, method: "POST", path: "/api/v1/rpc" });
        sent.on("error", () => undefined);
        sent.end(text);
        leave = () => sent.destroy();
      } else {
        const rpc = await openRpc(path);
        rpc.say(text);
        leave = () => rpc.socket.terminate();
      }
      await Promise.all(waits.map(({ begun }) => begun));
      leave();
      await Promise.all(waits.map(({ ended }) => ended));
    }
  }
});

test("of what a client has sent before it left nothing is begun any more", async () => {
  const begun: unknown[] = [];
  const { method: last, ended } = waiting();
  const path = await serveMethods({ ...own, last, count: read((params) => begun.push(params)) });
  const rpc = await openRpc(path);
  rpc.say(call("first", "last"));
  // In one go, far more than is begun before the end of the connection is seen.
  const { _socket: stream } = z.object({ _socket: z.instanceof(Socket) }).parse(rpc.socket);
  stream.cork();
  for (let id = 0; id < 500; id += 1) rpc.say(call(id, "count", {}));
  stream.uncork();
  stream.destroySoon();
  await ended;
  const whenLeft = begun.length;
  expect((await byPost(path)(JSON.stringify(call(1, "count")))) ?? {}).toMatchObject({ id: 1 });
  for (let turn = 0; turn < 600; turn += 1) await new Promise(setImmediate);
  expect(begun.length).toBe(whenLeft + 1);
  expect(whenLeft).toBeLessThan(500);
});

test("an id that is under way is not taken again until its call is answered, within a batch as well", async () => {
  const { method: wait } = waiting();
  const path = await serveMethods({ ...own, wait, quick: read(() => "quick") });
  const rpc = await openRpc(path);
  rpc.say(call("same", "wait"));
  rpc.say(call("same", "quick"));
  expect(await rpc.answerTo("same")).toMatchObject({
    error: { code: -32600, data: { message: expect.stringContaining('"same" is under way') } },
  });
  await rpc.ask("cancel", { id: "same" });
  await rpc.until((heard) => (heard.length === 3 ? true : undefined));
  const code = expect.objectContaining({ code: 499 });
  expect(rpc.heard).toContainEqual(expect.objectContaining({ id: "same", error: code }));
  rpc.say([call("same", "quick"), call("same", "quick"), call(null, "quick"), call(null, "quick")]);
  const answers = await rpc.until((heard) => heard.find((each) => Array.isArray(each)));
  expect(answers).toMatchObject([
    { id: "same", result: "quick" },
    { id: "same", error: { code: -32600 } },
    { id: null, result: "quick" },
    { id: null, result: "quick" },
  ]);
});

test("calls under way on one connection have a limit, and are taken again when one of them is answered", async () => {
  const { method: wait } = waiting();
  const path = await serveMethods({ ...own, wait, quick: read(() => "quick") });
  const rpc = await openRpc(path);
  for (let id = 0; id < 256; id += 1) rpc.say(call(id, "wait"));
  expect(await rpc.ask("quick")).toMatchObject({
    error: {
      code: 429,
      data: { code: "limit_exceeded", hint: expect.any(String), details: { limit: 256 } },
    },
  });
  const other = await openRpc(path);
  expect(await other.ask("quick")).toMatchObject({ result: "quick" });
  // A cancel is no call too many: it is how a client makes room.
  rpc.say(call("room", "cancel", { id: 7 }));
  expect(await rpc.answerTo("room")).toMatchObject({ result: { cancelled: true } });
  expect(await rpc.answerTo(7)).toMatchObject(cancelledAnswer);
  expect(await rpc.ask("quick")).toMatchObject({ result: "quick" });
});

test("binary frames are refused and the connection goes on; a message that is too large ends it", async () => {
  const path = await serveMethods({ quick: read(() => "quick") });
  const rpc = await openRpc(path);
  rpc.say(Buffer.from(JSON.stringify(call(1, "quick"))));
  expect(await rpc.answerTo(null)).toMatchObject({
    error: { code: -32700, data: { message: expect.stringContaining("binary") } },
  });
  expect(await rpc.ask("quick")).toMatchObject({ result: "quick" });
  rpc.say(JSON.stringify(call(2, "quick", { text: "x".repeat(4 * 1024 * 1024) })));
  expect((await rpc.closed)[0]).toBe(1009);
  const tooLarge = await send(path, "POST", "/api/v1/rpc", { body: " ".repeat(4 * 1024 * 1024 + 1) });
  expect(tooLarge).toMatchObject({
    status: 413,
    body: { jsonrpc: "2.0", id: null, error: { code: 413, data: { code: "payload_too_large" } } },
  });
});

test("a peer that answers no ping is hung up on, and its calls with it", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  onTestFinished(() => void vi.useRealTimers());
  const { method: wait, begun, ended } = waiting();
  const path = await serveMethods({ wait });
  const [dead, alive] = [await openRpc(path, { autoPong: false }), await openRpc(path)];
  dead.say(call(1, "wait"));
  await begun;
  for (let turn = 0; turn < 2; turn += 1) {
    const pinged = Promise.all([once(dead.socket, "ping"), once(alive.socket, "ping")]);
    vi.advanceTimersByTime(30_000);
    await pinged;
  }
  // So that its second pong has been read.
  await alive.ask("nothing");
  vi.advanceTimersByTime(30_000);
  expect((await dead.closed)[0]).toBe(1006);
  await ended;
  expect(await alive.ask("nothing")).toMatchObject({ error: { code: -32601 } });
});

test("who may not is refused before there is a message, and at each call and page when that changes", async () => {
  let isKnown = false;
  let grow: () => void = () => undefined;
  const grown = (): Promise<void> => new Promise((resolve) => (grow = resolve));
  const services = {
    ...stubServices,
    identify: () => {
      if (isKnown) return { kind: "owner" } as const;
      throw new Failure("unauthenticated", "the token has ended", { hint: "Get another." });
    },
    data: () => ({
      ...stubServices.data({ kind: "owner" }),
      lastSeq: () => 0,
      cursorAt: String,
      follow: async function* () {
        for (let seq = 1; ; seq += 1) {
          yield [{ seq, session: "s", kind: "output", json: Buffer.from(JSON.stringify({ seq })) }];
          await grown();
        }
      },
    }),
  };
  const who: Method = { effect: "read", run: async (_, { identify }) => identify() };
  const path = await serveMethods({ ...own, who }, services);
  const body = call(1, "who");
  expect(await send(path, "POST", "/api/v1/rpc", { body })).toMatchObject({
    status: 401,
    body: { jsonrpc: "2.0", id: null, error: { code: 401, data: { code: "unauthenticated" } } },
  });
  await expect(openRpc(path)).rejects.toThrow("401");
  await expect(openRpc(path, { path: "/api/v1/rpcs" })).rejects.toThrow("404");
  isKnown = true;
  expect(await send(path, "POST", "/api/v1/rpc", { body })).toMatchObject({ status: 200 });
  const rpc = await openRpc(path);
  expect(await rpc.ask("who")).toMatchObject({ result: { kind: "owner" } });
  expect(await rpc.ask("subscribe")).toMatchObject({ result: { subscription: "events-1" } });
  await rpc.told("event");
  isKnown = false;
  expect(await rpc.ask("who")).toMatchObject({ error: { code: 401, data: { code: "unauthenticated" } } });
  grow();
  expect(await rpc.told("subscription_ended")).toMatchObject({
    params: { subscription: "events-1", reason: "failed", error: { data: { code: "unauthenticated" } } },
  });
  expect(rpc.heard.filter((each) => JSON.stringify(each).includes('"event"'))).toHaveLength(1);
});

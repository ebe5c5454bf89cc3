/** Events pushed over a WebSocket. */
import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { z } from "zod";
import { type TestDaemon, startDaemon } from "../support/daemon.ts";
import { type RpcSocket, openRpc, post } from "../support/json-rpc.ts";
import { allEventsOf, digestOf } from "../support/lanes.ts";
import { eventsOf, launch } from "../support/launch.ts";
import { send } from "../support/socket.ts";

const opened = z.object({ result: z.object({ subscription: z.string(), cursor: z.string() }) });
const pushed = z.object({
  method: z.literal("event"),
  params: z.object({
    subscription: z.string(),
    event: z.object({
      id: z.string(),
      seq: z.int(),
      session_id: z.string(),
      kind: z.string(),
      payload_json: z.string(),
    }),
  }),
});

const subscribe = async (rpc: RpcSocket, params: object) =>
  opened.parse(await rpc.ask("subscribe", params)).result;
/** What was pushed to a subscription, in order. */
const eventsIn = (heard: readonly unknown[], subscription: string) =>
  heard
    .flatMap((each) => pushed.safeParse(each).data?.params ?? [])
    .filter((each) => each.subscription === subscription)
    .map(({ event }) => event);
/** Everything that was pushed until the end of a session. */
async function untilExit(rpc: RpcSocket, subscription: string, session: string) {
  let looked = 0;
  await rpc.until((heard) => {
    const news = eventsIn(heard.slice(looked), subscription);
    looked = heard.length;
    return news.some(({ kind, session_id }) => kind === "exit" && session_id === session) || undefined;
  });
  return eventsIn(rpc.heard, subscription);
}
async function ended(daemon: TestDaemon, prompt: string): Promise<string> {
  const { id } = await launch(daemon, prompt);
  await daemon.client.call("watch", { sessions: [id] });
  return id;
}

test("events come in the order of the log, from now on, from a place or of some kinds, as they stand in a page", async () => {
  const daemon = await startDaemon();
  const old = await ended(daemon, "echo old");
  const rpc = await openRpc(daemon.socket);
  const now = await subscribe(rpc, {});
  const all = await subscribe(rpc, { afterSeq: 0 });
  const ofOne = await subscribe(rpc, { sessions: [old, old], afterSeq: 0, kinds: ["exit", "output"] });
  const { id } = await launch(daemon, "echo new");
  const [oldEvents, newEvents] = [await allEventsOf(daemon, old), () => allEventsOf(daemon, id)];
  const fromNow = await untilExit(rpc, now.subscription, id);
  const wholeLog = await untilExit(rpc, all.subscription, id);
  expect(fromNow.map(({ seq }) => seq)).toEqual((await eventsOf(daemon, id)).map(({ seq }) => seq));
  expect(fromNow).toMatchObject(await newEvents());
  expect(wholeLog).toMatchObject([...oldEvents, ...(await newEvents())]);
  expect((await untilExit(rpc, ofOne.subscription, old)).map(({ kind }) => kind)).toEqual(["output", "exit"]);
  expect(new Set([now, all, ofOne].map(({ subscription }) => subscription)).size).toBe(3);
});

test("the answer comes before the first event, also in a batch", async () => {
  const daemon = await startDaemon();
  const session = await ended(daemon, "echo old");
  const rpc = await openRpc(daemon.socket);
  const params = { sessions: [session], afterSeq: 0 };
  rpc.say([
    { jsonrpc: "2.0", id: 1, method: "subscribe", params },
    {
      jsonrpc: "2.0",
      id: 2,
      method: "watch",
      params: { sessions: [session], cursor: "99999", timeoutMs: 50 },
    },
  ]);
  await rpc.told("event");
  expect(rpc.heard[0]).toMatchObject([
    { id: 1, result: { subscription: expect.any(String) } },
    { id: 2, result: { outcome: "waiting" } },
  ]);
});

test("a subscriber that comes back goes on after the last event it saw, or from the cursor it was given", async () => {
  const daemon = await startDaemon();
  const first = await openRpc(daemon.socket);
  const { subscription, cursor } = await subscribe(first, {});
  const id = await ended(daemon, "echo one; echo two");
  const events = await untilExit(first, subscription, id);
  first.socket.terminate();
  const [store = ""] = cursor.split("-");
  const third = events[2]?.seq ?? 0;
  const second = await openRpc(daemon.socket);
  for (const [from, expected] of [
    [{ cursor }, events],
    [{ cursor: `${store}-${third}` }, events.slice(3)],
    [{ cursor: String(third) }, events.slice(3)],
    [{ afterSeq: third }, events.slice(3)],
  ] as const) {
    const again = await subscribe(second, from);
    expect(again.cursor).toBe("cursor" in from && from.cursor === cursor ? cursor : `${store}-${third}`);
    expect(await untilExit(second, again.subscription, id), JSON.stringify(from)).toEqual(
      events.slice(-expected.length),
    );
  }
});

test("nothing comes of a subscription after it was ended; others go on", async () => {
  const daemon = await startDaemon();
  const { id } = await launch(daemon, "while read line; do echo $line; done", { launchMode: "interactive" });
  const rpc = await openRpc(daemon.socket);
  const [kept, left] = [await subscribe(rpc, { sessions: [id] }), await subscribe(rpc, { sessions: [id] })];
  const { subscription } = left;
  expect(await rpc.ask("unsubscribe", { subscription })).toMatchObject({ result: { unsubscribed: true } });
  const before = eventsIn(rpc.heard, subscription).length;
  expect(await rpc.ask("unsubscribe", { subscription })).toMatchObject({ result: { unsubscribed: false } });
  await daemon.client.call("kill", { session: id });
  await untilExit(rpc, kept.subscription, id);
  await rpc.ask("health");
  expect(eventsIn(rpc.heard, subscription)).toHaveLength(before);
  expect(rpc.heard).not.toContainEqual(expect.objectContaining({ method: "subscription_ended" }));
});

test("a subscription whose sessions were all sacrificed ends, and says so", async () => {
  const daemon = await startDaemon();
  const [one, two] = [await ended(daemon, "exit 0"), await ended(daemon, "exit 0")];
  const rpc = await openRpc(daemon.socket);
  const both = await subscribe(rpc, { sessions: [one, two] });
  const first = await subscribe(rpc, { sessions: [one] });
  await daemon.client.call("sacrifice", { session: one, confirm: true });
  expect(await rpc.told("subscription_ended")).toMatchObject({
    params: { subscription: first.subscription, reason: "gone" },
  });
  await daemon.client.call("sacrifice", { session: two, confirm: true });
  expect(await rpc.told("subscription_ended", 2)).toMatchObject({
    params: { subscription: both.subscription, reason: "gone" },
  });
  expect(await rpc.ask("unsubscribe", both)).toMatchObject({ error: { code: -32602 } });
  const { subscription } = both;
  expect(await rpc.ask("unsubscribe", { subscription })).toMatchObject({ result: { unsubscribed: false } });
});

test("a subscription that cannot be is refused with what is wrong", async () => {
  const daemon = await startDaemon();
  const id = await ended(daemon, "exit 0");
  const rpc = await openRpc(daemon.socket);
  const wrong: readonly [object, number, string, RegExp][] = [
    [{ sessions: [id, "none"] }, 404, "session_not_found", /none/],
    [{ sessions: [] }, -32602, "invalid_request", /sessions/],
    [{ sessions: Array.from({ length: 257 }, (_, at) => `s${at}`) }, -32602, "invalid_request", /256/],
    [{ session: id }, -32602, "invalid_request", /session/],
    [{ cursor: "0123abcd-1" }, -32602, "invalid_request", /another store/],
    [{ cursor: "latest" }, -32602, "invalid_request", /not a cursor/],
    [{ afterSeq: -1 }, -32602, "invalid_request", /afterSeq/],
    [{ afterSeq: 1.5 }, -32602, "invalid_request", /afterSeq/],
    [{ afterSeq: 0, cursor: "1" }, -32602, "invalid_request", /exclude/],
    [{ kinds: ["exits"] }, -32602, "invalid_request", /kinds.*"exit"/],
  ];
  for (const [params, code, name, message] of wrong)
    expect(await rpc.ask("subscribe", params), JSON.stringify(params)).toMatchObject({
      error: {
        code,
        message: expect.stringMatching(message),
        data: { code: name, hint: expect.any(String) },
      },
    });
  for (const method of ["subscribe", "unsubscribe"])
    expect(
      await post(daemon.socket, method, method === "subscribe" ? {} : { subscription: "x" }),
    ).toMatchObject({
      error: {
        code: -32601,
        data: {
          message: expect.stringContaining("not available over POST"),
          hint: expect.stringContaining("WebSocket"),
        },
      },
    });
  // A subscription that nobody hears of is none: it takes none of the room.
  for (let turn = 0; turn < 20; turn += 1) rpc.say({ jsonrpc: "2.0", method: "subscribe" });
  for (let turn = 0; turn < 16; turn += 1) await subscribe(rpc, {});
  expect(await rpc.ask("subscribe", {})).toMatchObject({
    error: { code: 429, data: { code: "limit_exceeded", details: { limit: 16 } } },
  });
  await rpc.ask("unsubscribe", { subscription: "events-1" });
  expect((await subscribe(rpc, {})).subscription).toBe("events-17");
});

const residentBytes = ({ pid }: TestDaemon): number =>
  Number(execFileSync("ps", ["-o", "rss=", "-p", String(pid)], { encoding: "utf8" })) * 1024;

test("subscribers that never read hold up nobody and cost little, and once they read they get everything in order", async () => {
  const daemon = await startDaemon();
  const { id, cursor } = await launch(daemon, "read line; seq 1 1500000", { launchMode: "interactive" });
  const slow = await Promise.all(Array.from({ length: 10 }, () => openRpc(daemon.socket)));
  const [first] = slow;
  for (const rpc of slow) {
    for (let turn = 0; turn < 10; turn += 1) await subscribe(rpc, { sessions: [id], cursor });
    rpc.socket.pause();
  }
  const reader = await openRpc(daemon.socket);
  const { subscription } = await subscribe(reader, { sessions: [id], cursor });
  const before = residentBytes(daemon);
  await daemon.client.call("input", { session: id, keys: ["enter"] });
  await untilExit(reader, subscription, id);
  expect(await send(daemon.socket, "GET", "/health")).toMatchObject({ status: 200, body: { ok: true } });
  const outputOf = (heard: readonly unknown[], of: string): string =>
    digestOf(...eventsIn(heard, of).map(({ seq, payload_json }) => Buffer.from(`${seq} ${payload_json}\n`)));
  expect(eventsIn(reader.heard, subscription).filter(({ kind }) => kind === "output").length).toBeGreaterThan(
    500,
  );
  // A hundred times the flood would be more than a gigabyte.
  expect(residentBytes(daemon) - before).toBeLessThan(200_000_000);
  if (first === undefined) throw new Error("no subscriber");
  first.socket.resume();
  await untilExit(first, "events-10", id);
  await untilExit(first, "events-1", id);
  for (const of of ["events-1", "events-10"])
    expect(outputOf(first.heard, of)).toBe(outputOf(reader.heard, subscription));
}, 120_000);

test("a client that asks and never reads the answers is not read from any more, and gets all of them when it does", async () => {
  const daemon = await startDaemon();
  const id = await ended(daemon, "seq 1 300000");
  const rpc = await openRpc(daemon.socket);
  const before = residentBytes(daemon);
  rpc.socket.pause();
  // Nearly a megabyte each.
  for (let at = 0; at < 250; at += 1)
    rpc.say({ jsonrpc: "2.0", id: at, method: "events", params: { session: id } });
  const other = await openRpc(daemon.socket);
  // Each of these has its turn after many of those.
  for (let turn = 0; turn < 300; turn += 1) await other.ask("api_version");
  expect(residentBytes(daemon) - before).toBeLessThan(120_000_000);
  rpc.socket.resume();
  await Promise.all(Array.from({ length: 250 }, (_, at) => rpc.answerTo(at)));
}, 120_000);

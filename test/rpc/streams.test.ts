import { expect, test } from "vitest";
import { z } from "zod";
import { type TestDaemon, startDaemon } from "../support/daemon.ts";
import { type Sent, openEventStream } from "../support/event-stream.ts";
import { eventsOf, launch } from "../support/launch.ts";
import { send } from "../support/socket.ts";

const isExitOf =
  (session: string) =>
  ({ record }: Sent): boolean =>
    record?.session_id === session && record.kind === "exit";
const seqsOf = (sent: readonly Sent[]): number[] => sent.flatMap(({ record }) => record?.seq ?? []);

async function ended(daemon: TestDaemon, prompt: string): Promise<string> {
  const { id } = await launch(daemon, prompt);
  await daemon.client.call("watch", { sessions: [id] });
  return id;
}

test("every event of all sessions comes once and in order, also of sessions launched after the stream began", async () => {
  const daemon = await startDaemon();
  const first = await ended(daemon, "echo one");
  const stream = await openEventStream(daemon.socket, "/api/v1/events");
  expect(stream.response.headers["content-type"]).toBe("text/event-stream");
  const before = await stream.until(isExitOf(first));
  expect(before[0]).toEqual({ id: "0", event: undefined, record: undefined });
  const second = await launch(daemon, "echo two");
  const after = await stream.until(isExitOf(second.id));
  expect(seqsOf(before)).toEqual((await eventsOf(daemon, first)).map(({ seq }) => seq));
  expect(seqsOf(after)).toEqual((await eventsOf(daemon, second.id)).map(({ seq }) => seq));
  for (const { id, event, record } of after) expect([id, event]).toEqual([String(record?.seq), record?.kind]);
});

test("several sessions on one stream are those named and no others, however far apart in the log", async () => {
  const daemon = await startDaemon();
  const first = await ended(daemon, "echo first");
  const other = await ended(daemon, "seq 1 100000");
  const last = await launch(daemon, "read line", { launchMode: "interactive" });
  const stream = await openEventStream(daemon.socket, `/events?sessionId=${last.id}&sessionId=${first}`);
  const start = await stream.until(
    ({ record }) => record?.session_id === last.id && record.kind === "message",
  );
  await ended(daemon, "echo unnamed");
  await daemon.client.call("input", { session: last.id, keys: ["enter"] });
  const seqs = seqsOf([...start, ...(await stream.until(isExitOf(last.id)))]);
  const expected = [...(await eventsOf(daemon, first)), ...(await eventsOf(daemon, last.id))];
  expect(seqs).toEqual(expected.map(({ seq }) => seq));
  expect((await eventsOf(daemon, other)).length).toBeGreaterThan(10);
});

test("a reader goes on from the last id it saw, which wins over the cursor of the query", async () => {
  const daemon = await startDaemon();
  const id = await ended(daemon, "echo one; echo two");
  const seqs = (await eventsOf(daemon, id)).map(({ seq }) => seq);
  const [, , third = 0] = seqs;
  for (const path of [`/sessions/${id}/events`, `/events?sessionId=${id}`, "/events"]) {
    const joint = path.includes("?") ? "&" : "?";
    const byId = await openEventStream(daemon.socket, `${path}${joint}afterSeq=0`, {
      "last-event-id": String(third),
    });
    expect(seqsOf(await byId.until(isExitOf(id))), path).toEqual(seqs.slice(3));
    const byCursor = await openEventStream(daemon.socket, `${path}${joint}afterSeq=${third}`);
    expect(seqsOf(await byCursor.until(isExitOf(id))), path).toEqual(seqs.slice(3));
  }
});

test("a stream that begins with the latest says where that is, and has nothing from before", async () => {
  const daemon = await startDaemon();
  const old = await ended(daemon, "echo old");
  const lastSeq = (await eventsOf(daemon, old)).at(-1)?.seq;
  const stream = await openEventStream(daemon.socket, "/events?afterSeq=latest");
  expect((await stream.sent.next()).value).toEqual({
    id: String(lastSeq),
    event: undefined,
    record: undefined,
  });
  const { id } = await launch(daemon, "echo new");
  const sent = await stream.until(isExitOf(id));
  expect(new Set(sent.map(({ record }) => record?.session_id))).toEqual(new Set([id]));
});

test("a stream that cannot begin is refused with its code, and without the header the answer is a page", async () => {
  const daemon = await startDaemon();
  const { id } = await launch(daemon, "exit 0");
  const stream = { accept: "text/event-stream" };
  const many = Array.from({ length: 257 }, (_, index) => `sessionId=s${index}`).join("&");
  const refusals: readonly [string, object, number, string, object | undefined][] = [
    ["/events?afterSeq=abc", stream, 400, "invalid_request", { afterSeq: "abc" }],
    [`/sessions/${id}/events?afterSeq=1.5`, stream, 400, "invalid_request", { afterSeq: "1.5" }],
    ["/events", { ...stream, "last-event-id": "x" }, 400, "invalid_request", { "Last-Event-ID": "x" }],
    [`/events?sessionId=${id}&sessionId=none`, stream, 404, "session_not_found", { sessionId: "none" }],
    ["/sessions/none/events", stream, 404, "session_not_found", { sessionId: "none" }],
    [`/events?${many}`, stream, 400, "invalid_request", { sessions: 257, sessionsMax: 256 }],
    ["/events", {}, 400, "invalid_request", undefined],
  ];
  for (const [path, headers, status, code, details] of refusals) {
    const answer = await send(daemon.socket, "GET", path, { headers: { ...headers } });
    expect(answer, path).toMatchObject({ status, body: { error: { code, ...(details && { details }) } } });
  }
  expect(await send(daemon.socket, "GET", `/events?sessionId=${id}`)).toMatchObject({
    status: 200,
    body: { events: expect.any(Array) },
  });
});

test("streams end cleanly when the daemon stops, and those of a sacrificed session when it is gone", async () => {
  const daemon = await startDaemon();
  const id = await ended(daemon, "echo gone soon");
  const live = await launch(daemon, "read line", { launchMode: "interactive" });
  const ofOne = await openEventStream(daemon.socket, `/sessions/${id}/events`);
  const ofTwo = await openEventStream(daemon.socket, `/events?sessionId=${id}&sessionId=${live.id}`);
  const ofAll = await openEventStream(daemon.socket, "/events");
  await Promise.all([ofOne, ofTwo, ofAll].map((stream) => stream.until(isExitOf(id))));
  await daemon.client.call("sacrifice", { session: id, confirm: true });
  expect(await ofOne.sent.next()).toEqual({ done: true, value: undefined });
  await daemon.client.call("input", { session: live.id, keys: ["enter"] });
  await Promise.all([ofTwo, ofAll].map((stream) => stream.until(isExitOf(live.id))));
  const [two, all] = [ofTwo.sent.next(), ofAll.sent.next()];
  await daemon.client.shutdown(false);
  expect(await two).toEqual({ done: true, value: undefined });
  expect(await all).toEqual({ done: true, value: undefined });
  expect(await daemon.exited).toBe(0);
});

test("one session is waited for over a route of its own, as the watch of it", async () => {
  const daemon = await startDaemon();
  const { id, cursor } = await launch(daemon, "read line; echo said $line; exit 4", {
    launchMode: "interactive",
  });
  const wait = (query: string) => send(daemon.socket, "GET", `/api/v1/sessions/${id}/wait?${query}`);
  const late = z
    .object({ body: z.object({ outcome: z.literal("waiting"), cursor: z.string() }) })
    .parse(await wait("timeoutMs=20"));
  const said = wait(`matchText=said&cursor=${cursor}`);
  const over = wait(`until=terminal&count=1&cursor=${late.body.cursor}`);
  await daemon.client.call("input", { session: id, data: "yes", keys: ["enter"] });
  expect(await said).toMatchObject({
    status: 200,
    body: { outcome: "met", sessions: [{ line: "said yes" }] },
  });
  expect(await over).toMatchObject({
    status: 200,
    body: { outcome: "met", sessions: [{ id, status: "failed", exitCode: 4 }] },
  });
  const refusals: readonly [string, number, string][] = [
    ["count=2", 400, "invalid_request"],
    ["count=some", 400, "invalid_request"],
    ["until=never", 400, "invalid_request"],
    ["timeoutMs=soon", 400, "invalid_request"],
    ["cursor=zzz", 400, "invalid_request"],
    ["matchPattern=(", 400, "invalid_request"],
    ["untill=terminal", 400, "invalid_request"],
  ];
  for (const [query, status, code] of refusals)
    expect(await wait(query), query).toMatchObject({ status, body: { error: { code } } });
  expect(await send(daemon.socket, "GET", "/sessions/none/wait")).toMatchObject({ status: 404 });
});

test("the rituals are routes, and a sacrifice has to be confirmed", async () => {
  const daemon = await startDaemon();
  const { socket } = daemon;
  const [id, other] = [await ended(daemon, "exit 0"), await ended(daemon, "exit 0")];
  expect(await send(socket, "POST", `/api/v1/sessions/${id}/archive`)).toMatchObject({
    status: 200,
    body: { id, archived_at: expect.any(String) },
  });
  expect(await send(socket, "GET", "/sessions")).toMatchObject({ body: [{ id: other }] });
  expect(await send(socket, "POST", `/sessions/${id}/summon`)).toMatchObject({
    status: 200,
    body: { id, archived_at: null },
  });
  for (const [query, body] of [
    ["", undefined],
    ["?confirm=false", undefined],
    ["", { confirm: false }],
  ] as const)
    expect(await send(socket, "DELETE", `/sessions/${id}${query}`, body ? { body } : {})).toMatchObject({
      status: 400,
      body: { error: { code: "confirmation_required", details: { sessionId: id } } },
    });
  expect(await send(socket, "DELETE", `/sessions/${id}?confirm=perhaps`)).toMatchObject({
    status: 400,
    body: { error: { code: "invalid_request" } },
  });
  expect(await send(socket, "DELETE", `/api/v1/sessions/${id}?confirm=true`)).toMatchObject({
    status: 200,
    body: { id, sacrificed: true },
  });
  expect(await send(socket, "DELETE", `/sessions/${other}`, { body: { confirm: true } })).toMatchObject({
    status: 200,
  });
  expect(await send(socket, "GET", `/sessions/${id}`)).toMatchObject({ status: 404 });

  const live = await launch(daemon, "read line", { launchMode: "interactive" });
  for (const [method, path] of [
    ["POST", `/sessions/${live.id}/archive`],
    ["POST", `/sessions/${live.id}/summon`],
    ["DELETE", `/sessions/${live.id}?confirm=true`],
  ] as const)
    expect(await send(socket, method, path)).toMatchObject({
      status: 409,
      body: { error: { code: "session_live" } },
    });
});

import { once } from "node:events";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import type { EventRecord } from "../../src/events.ts";
import { startDaemon } from "../support/daemon.ts";
import { eventsOf, launch, makeProject } from "../support/launch.ts";
import { send } from "../support/socket.ts";

test("a run is logged from its record to its exit, the exit last", async () => {
  const daemon = await startDaemon();
  const { id, cursor } = await launch(daemon, "echo hello; exit 3");
  expect(await daemon.client.call("watch", { sessions: [id], cursor })).toMatchObject({
    outcome: "met",
    sessions: [{ id, status: "failed", exitCode: 3 }],
  });
  const events = await eventsOf(daemon, id);
  expect(events.map(({ kind }) => kind)).toEqual([
    "status",
    "status",
    "metadata",
    "message",
    "output",
    "status",
    "exit",
  ]);
  expect(events[0]?.payload).toEqual({ from: null, to: "created" });
  expect(events[2]?.payload).toMatchObject({
    harness: "shell",
    launchMode: "nonInteractive",
    permission: "workspace-write",
  });
  expect(events[4]?.payload).toEqual({ data: "hello\r\n" });
  expect(events.at(-1)?.payload).toEqual({ status: "failed", exitCode: 3 });
});

test("the published routes launch, list, page, feed and kill", async () => {
  const daemon = await startDaemon();
  const projectRoot = makeProject();
  const body = {
    projectRoot,
    cwd: projectRoot,
    harness: "shell",
    prompt: "while read line; do echo got $line; done",
    title: "feed me",
  };
  const created = await send(daemon.socket, "POST", "/api/v1/sessions", { body });
  expect(created).toMatchObject({
    status: 201,
    body: { project_root: projectRoot, title: "feed me", launch_mode: "interactive", exit_code: null },
  });
  const { id } = z.object({ id: z.string() }).parse(created.body);

  expect(await send(daemon.socket, "GET", "/api/v1/sessions")).toMatchObject({ status: 200, body: [{ id }] });
  expect(await send(daemon.socket, "GET", `/sessions/${id}`)).toMatchObject({
    status: 200,
    body: { id, status: "running" },
  });
  expect(
    await send(daemon.socket, "POST", `/api/v1/sessions/${id}/input`, { body: { data: "abc\n" } }),
  ).toMatchObject({
    status: 202,
    body: { ok: true, accepted: true },
  });
  await daemon.client.call("watch", { sessions: [id], matchText: "got abc", cursor: "0" });
  const page = await send(daemon.socket, "GET", `/api/v1/events?sessionId=${id}&afterSeq=0&limit=2`);
  expect(page).toMatchObject({
    status: 200,
    body: { events: [{ seq: 1 }, { seq: 2 }], nextCursor: { afterSeq: 2 }, hasMore: true },
  });
  expect(await send(daemon.socket, "POST", `/api/v1/sessions/${id}/kill`)).toMatchObject({
    status: 202,
    body: { ok: true, accepted: true },
  });
  expect(await send(daemon.socket, "GET", `/api/v1/sessions/${id}`)).toMatchObject({
    body: { status: "killed", exit_code: null },
  });
  const kinds = (await eventsOf(daemon, id)).map(({ kind }) => kind);
  expect(kinds.slice(-3)).toEqual(["kill", "status", "exit"]);
});

test("a question that waits on an unfinished line is seen, answered by keys, and the lane goes on", async () => {
  const daemon = await startDaemon();
  const { id, cursor } = await launch(daemon, 'printf "Delete it? "; read answer; echo "answer $answer"', {
    launchMode: "interactive",
  });
  const seen = await daemon.client.call("watch", { sessions: [id], matchText: "Delete it?", cursor });
  expect(seen).toMatchObject({ outcome: "met", sessions: [{ line: "Delete it?", status: "running" }] });
  await daemon.client.call("input", { session: id, data: "y", keys: ["enter"] });
  expect(await daemon.client.call("watch", { sessions: [id] })).toMatchObject({
    sessions: [{ status: "completed", exitCode: 0 }],
  });
  expect(await daemon.client.call("tail", { session: id })).toMatchObject({
    text: expect.stringContaining("answer y\n"),
  });
});

test("a watch is for any, all or a number of sessions, and says waiting when its time is over", async () => {
  const daemon = await startDaemon();
  const quick = await launch(daemon, "exit 0");
  const slow = await launch(daemon, "read line", { launchMode: "interactive" });
  const sessions = [quick.id, slow.id];
  expect(await daemon.client.call("watch", { sessions, count: "any" })).toMatchObject({
    outcome: "met",
    sessions: [{ met: true }, { met: false }],
  });
  expect(await daemon.client.call("watch", { sessions, count: 1 })).toMatchObject({ outcome: "met" });
  const waiting = await daemon.client.call("watch", { sessions, timeoutMs: 50 });
  expect(waiting).toMatchObject({ outcome: "waiting", cursor: expect.stringMatching(/^[0-9a-f]{8}-\d+$/) });
  await expect(daemon.client.call("watch", { sessions, count: 3 })).rejects.toMatchObject({
    code: "invalid_request",
  });
  await expect(daemon.client.call("watch", { sessions, cursor: "00000000-1" })).rejects.toMatchObject({
    code: "invalid_request",
    message: expect.stringContaining("another store"),
  });
  const all = daemon.client.call("watch", { sessions });
  await daemon.client.call("kill", { session: slow.id, graceMs: 100 });
  expect(await all).toMatchObject({
    outcome: "met",
    sessions: [{ status: "completed" }, { status: "killed" }],
  });
});

test("with a run's cursor an end before the watch is not missed, and a later place does not see it again", async () => {
  const daemon = await startDaemon();
  const { id, cursor } = await launch(daemon, "exit 0");
  const first = z
    .object({ cursor: z.string() })
    .parse(await daemon.client.call("watch", { sessions: [id], cursor }));
  expect(await daemon.client.call("watch", { sessions: [id], cursor })).toMatchObject({ outcome: "met" });
  expect(
    await daemon.client.call("watch", { sessions: [id], cursor: first.cursor, timeoutMs: 20 }),
  ).toMatchObject({ outcome: "waiting" });
});

test("archive hides, summon restores, sacrifice deletes and tells who watches", async () => {
  const daemon = await startDaemon();
  const { client } = daemon;
  const { id } = await launch(daemon, "exit 0");
  await client.call("watch", { sessions: [id] });
  await client.call("archive", { session: id });
  expect(await client.call("list", {})).toMatchObject({ sessions: [] });
  expect(await client.call("list", { includeArchived: true })).toMatchObject({ sessions: [{ id }] });
  await client.call("summon", { session: id });
  expect(await client.call("list", {})).toMatchObject({ sessions: [{ id, archived_at: null }] });

  const { cursor } = z.object({ cursor: z.string() }).parse(await client.call("status", { session: id }));
  const watching = client.call("watch", { sessions: [id], cursor });
  await client.call("status", {});
  await client.call("sacrifice", { session: id, confirm: true });
  expect(await watching).toMatchObject({ outcome: "gone", sessions: [{ id, status: "gone" }] });
  await expect(client.call("status", { session: id })).rejects.toMatchObject({ code: "session_not_found" });
  expect(await client.call("list", { includeArchived: true })).toMatchObject({ sessions: [] });
});

test("a reader of the event stream gets every event once, from its cursor to the exit", async () => {
  const daemon = await startDaemon();
  const { id } = await launch(daemon, "for i in 1 2 3 4 5 6 7 8 9; do echo line $i; done");
  const seen: EventRecord[] = [];
  for await (const event of daemon.client.events(id, 0)) {
    seen.push(event);
    if (event.kind === "exit") break;
  }
  expect(seen.map(({ seq }) => seq)).toEqual((await eventsOf(daemon, id)).map(({ seq }) => seq));
});

test("the raw output comes back byte for byte, whatever bytes they are", async () => {
  const daemon = await startDaemon();
  const { id, cursor } = await launch(
    daemon,
    String.raw`stty -opost; printf '\303\251\377\000\033[31mred\342\202'; i=0; while [ $i -lt 3000 ]; do printf '\001\002"'; i=$((i+1)); done`,
  );
  await daemon.client.call("watch", { sessions: [id], cursor });
  const chunks: Buffer[] = [];
  for await (const chunk of daemon.client.output(id)) chunks.push(chunk);
  const head = Buffer.from([0xc3, 0xa9, 0xff, 0, 0x1b, 0x5b, 0x33, 0x31, 0x6d, 0x72, 0x65, 0x64, 0xe2, 0x82]);
  expect(Buffer.concat(chunks)).toEqual(Buffer.concat([head, Buffer.from('\u0001\u0002"'.repeat(3000))]));
  for (const { payload_json } of await eventsOf(daemon, id)) {
    expect(Buffer.byteLength(payload_json)).toBeLessThanOrEqual(16 * 1024 + 64);
  }
});

test("a secret is nowhere in the store, and what was launched for it still gets it", async () => {
  const daemon = await startDaemon();
  const secret = `ghp_${"A1b2C3d4".repeat(5)}`;
  const { id, cursor } = await launch(
    daemon,
    `echo token ${secret}; [ ${secret} = ghp_${"A1b2C3d4".repeat(5)} ] && echo same`,
  );
  await daemon.client.call("watch", { sessions: [id], cursor });
  const { text } = z.object({ text: z.string() }).parse(await daemon.client.call("tail", { session: id }));
  expect(text).toContain("token [REDACTED]\nsame\n");
  const everything = JSON.stringify([
    await daemon.client.call("record", { session: id }),
    await eventsOf(daemon, id),
  ]);
  expect(everything).not.toContain(secret.slice(4, 20));
});

test("a wait for a text ends when the session has ended without it", async () => {
  const daemon = await startDaemon();
  const { id, cursor } = await launch(daemon, "read line; echo other", { launchMode: "interactive" });
  const watching = daemon.client.call("watch", { sessions: [id], matchText: "never said", cursor });
  await daemon.client.call("input", { session: id, keys: ["enter"] });
  expect(await watching).toMatchObject({
    outcome: "gone",
    sessions: [{ id, met: false, status: "completed" }],
  });
});

test("a daemon with somebody at a terminal stops all the same", async () => {
  const daemon = await startDaemon();
  const { id } = await launch(daemon, "read line", { launchMode: "interactive" });
  const terminal = await daemon.client.attach(id, 0);
  await once(terminal, "open");
  const closed = once(terminal, "close");
  await daemon.client.shutdown(true);
  expect((await closed)[0]).toBe(1001);
  expect(await daemon.exited).toBe(0);
});

test("what was sacrificed is not readable in the files of the store any more, nor in the daemon's log", async () => {
  const daemon = await startDaemon();
  const prompt = "echo the-sacrificed-words";
  const asked = { harness: "shell", projectRoot: makeProject(), prompt };
  const { id } = z
    .object({ id: z.string() })
    .parse(await daemon.client.call("run", asked, { intentId: "remembered" }));
  await daemon.client.call("watch", { sessions: [id] });
  const holding = () =>
    readdirSync(daemon.home).filter(
      (name) =>
        name.startsWith("ledger") && readFileSync(join(daemon.home, name)).includes("the-sacrificed-words"),
    );
  expect(holding()).not.toEqual([]);
  await expect(daemon.client.call("sacrifice", { session: id })).rejects.toMatchObject({
    code: "confirmation_required",
    hint: expect.stringContaining("the-sacrificed-words"),
  });
  await daemon.client.call("sacrifice", { session: id, confirm: true });
  expect(holding()).toEqual([]);
  await daemon.stop();
  expect(daemon.printed()).toContain(id);
  expect(daemon.printed()).not.toContain("the-sacrificed-words");
});

test("a wait for all that runs out of time goes on from its cursor, with those that had ended", async () => {
  const daemon = await startDaemon();
  const ended = await launch(daemon, "exit 0");
  await daemon.client.call("watch", { sessions: [ended.id] });
  const live = await launch(daemon, "read line", { launchMode: "interactive" });
  const sessions = [ended.id, live.id];
  const first = z
    .object({ outcome: z.literal("waiting"), cursor: z.string() })
    .parse(await daemon.client.call("watch", { sessions, timeoutMs: 50 }));
  const second = daemon.client.call("watch", { sessions, cursor: first.cursor });
  await daemon.client.call("input", { session: live.id, keys: ["enter"] });
  expect(await second).toMatchObject({ outcome: "met", sessions: [{ met: true }, { met: true }] });
});

test("a wait for several answers for the others when one that had ended is sacrificed meanwhile", async () => {
  const daemon = await startDaemon();
  const ended = await launch(daemon, "exit 0");
  await daemon.client.call("watch", { sessions: [ended.id] });
  const live = await launch(daemon, "read line", { launchMode: "interactive" });
  const waiting = daemon.client.call("watch", { sessions: [ended.id, live.id] });
  await daemon.client.call("status", {});
  await daemon.client.call("sacrifice", { session: ended.id, confirm: true });
  await daemon.client.call("input", { session: live.id, keys: ["enter"] });
  expect(await waiting).toMatchObject({ sessions: [{ status: "gone" }, { status: "completed", met: true }] });
});

test("a page of events has over its routes what the action answers, from every kind of cursor", async () => {
  const daemon = await startDaemon();
  const { id } = await launch(daemon, String.raw`printf 'a "b" \\\033[1m✓\n\342\234'; exit 3`);
  await daemon.client.call("watch", { sessions: [id] });
  const all = await eventsOf(daemon, id);
  const third = all[2]?.seq ?? 0;
  for (const [search, args] of [
    ["", {}],
    ["limit=2", { limit: 2 }],
    [`afterSeq=${third}`, { afterSeq: third }],
    [`afterEventId=evt-${third}&limit=1`, { afterEventId: `evt-${third}`, limit: 1 }],
    ["afterSeq=999999", { afterSeq: 999_999 }],
  ] as const) {
    const body = await daemon.client.call("events", { session: id, ...args });
    expect(await send(daemon.socket, "GET", `/sessions/${id}/events?${search}`)).toMatchObject({ body });
    expect(await send(daemon.socket, "GET", `/events?sessionId=${id}&${search}`)).toMatchObject({ body });
  }
});

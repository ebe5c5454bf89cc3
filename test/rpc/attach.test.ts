import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { attachTo } from "../support/attached.ts";
import { type TestDaemon, startDaemon } from "../support/daemon.ts";
import { eventsOf, launch, makeProject } from "../support/launch.ts";
import { send } from "../support/socket.ts";
import { converse, gated, reached, wake } from "../support/wakes.ts";

const interactive = { launchMode: "interactive" };
const echoes = 'stty -echo; printf "ready "; while read line; do printf "got %s. " "$line"; done';
const inputsOf = async (daemon: TestDaemon, id: string) =>
  (await eventsOf(daemon, id)).filter(({ kind }) => kind === "input").map(({ payload }) => payload);

describe("the keys", () => {
  test("are of the first terminal; another looks on, is told so, and what it types or sizes goes nowhere", async () => {
    const daemon = await startDaemon();
    const { id } = await launch(daemon, echoes, interactive);
    const first = await attachTo(daemon, id);
    await first.hears({ type: "control", held: true, elsewhere: false });
    const second = await attachTo(daemon, id);
    await second.hears({ type: "control", held: false, elsewhere: true });
    second.type("mine\r");
    expect(await second.hears({ type: "refused" })).toMatchObject({
      error: { code: "terminal_taken", details: { sessionId: id }, hint: expect.stringContaining("take") },
    });
    second.resize(10, 10);
    await first.shows("ready ");
    first.type("yours\r");
    await Promise.all([first.shows("got yours. "), second.shows("ready got yours. ")]);
    expect(second.told.filter(({ type }) => type === "refused")).toHaveLength(2);
    expect(await inputsOf(daemon, id)).toEqual([{ data: "yours\r" }]);
    expect((await eventsOf(daemon, id)).map(({ kind }) => kind)).not.toContain("resize");
  });

  test("are taken by who says so: the former terminal is told and looks on from then", async () => {
    const daemon = await startDaemon();
    const { id } = await launch(daemon, echoes, interactive);
    const first = await attachTo(daemon, id);
    await first.hears({ type: "control", held: true });
    const second = await attachTo(daemon, id, { control: "take" });
    await second.hears({ type: "control", held: true });
    await first.hears({ type: "control", held: false, elsewhere: true });
    first.type("former\r");
    expect(await first.hears({ type: "refused" })).toMatchObject({ error: { code: "terminal_taken" } });
    second.type("taken\r");
    await first.shows("got taken. ");
    expect(await inputsOf(daemon, id)).toEqual([{ data: "taken\r" }]);
  });

  test("are free when their terminal has left, for the next that asks; one that only views never has them", async () => {
    const daemon = await startDaemon();
    const { id } = await launch(daemon, echoes, interactive);
    const viewer = await attachTo(daemon, id, { control: "view" });
    await viewer.hears({ type: "control", held: false, elsewhere: false });
    const first = await attachTo(daemon, id);
    await viewer.hears({ type: "control", held: false, elsewhere: true });
    await first.leave();
    await viewer.hears({ type: "control", elsewhere: false }, 2);
    viewer.type("view\r");
    expect(await viewer.hears({ type: "refused" })).toMatchObject({ error: { code: "terminal_taken" } });
    expect(viewer.told.filter(({ type }) => type === "control")).toEqual([
      { type: "control", held: false, elsewhere: false },
      { type: "control", held: false, elsewhere: true },
      { type: "control", held: false, elsewhere: false },
    ]);
    const next = await attachTo(daemon, id);
    await next.hears({ type: "control", held: true });
    next.type("next\r");
    await viewer.shows("got next. ");
    expect(await inputsOf(daemon, id)).toEqual([{ data: "next\r" }]);
  });
});

describe("the window", () => {
  test("is given to the session, logged when it differs, and stays when its terminal has left", async () => {
    const daemon = await startDaemon();
    const { id } = await launch(daemon, "while read line; do stty size; done", interactive);
    const first = await attachTo(daemon, id);
    first.resize(80, 24);
    first.resize(132, 40);
    first.resize(132, 40);
    first.type("\r");
    await first.shows("40 132");
    await first.leave();
    const viewer = await attachTo(daemon, id, { control: "view" });
    await daemon.client.call("input", { session: id, data: "again", keys: ["enter"] });
    await viewer.shows("again\r\n40 132");
    const resizes = (await eventsOf(daemon, id)).filter(({ kind }) => kind === "resize");
    expect(resizes.map(({ payload }) => payload)).toEqual([{ columns: 132, rows: 40 }]);
  });

  test("of no size is refused, and the terminal goes on", async () => {
    const daemon = await startDaemon();
    const { id } = await launch(daemon, echoes, interactive);
    const terminal = await attachTo(daemon, id);
    const bad = [
      '{"columns":0,"rows":24}',
      '{"columns":80}',
      '{"columns":80,"rows":1001}',
      "hello",
      "[80,24]",
    ];
    for (const text of bad) terminal.socket.send(text);
    terminal.type("on\r");
    await terminal.shows("got on. ");
    const refused = terminal.told.filter(({ type }) => type === "refused");
    expect(refused).toHaveLength(bad.length);
    for (const each of refused) expect(each).toMatchObject({ error: { code: "invalid_request" } });
  });
});

describe("what a harness asks its terminal", () => {
  /** Asks where the cursor is, cut in two; says what it was answered; asks whether all is well; says that too. */
  const asks = String.raw`stty -echo; printf 'a\033['; read one; printf '6nb'; read two; printf 'read <%s>' "$(printf %s "$two" | tr -d '\033')"; printf 'c\033[5nd'; read three; printf 'read <%s>' "$(printf %s "$three" | tr -d '\033')"; read four`;

  test("is answered by the host while nobody is at the keys, and left out of what a person is shown later", async () => {
    const daemon = await startDaemon();
    const { client } = daemon;
    const { id } = await launch(daemon, asks, interactive);
    const viewer = await attachTo(daemon, id, { control: "view" });
    await viewer.shows("a");
    await client.call("input", { session: id, keys: ["enter"] });
    await viewer.shows("ab");
    await client.call("input", { session: id, keys: ["enter"] });
    await viewer.shows("read <[1;1R>cd");
    const person = await attachTo(daemon, id);
    await person.shows("cd");
    expect(person.output()).toBe("abread <[1;1R>cd");
    const raw = [];
    for await (const chunk of client.output(id)) raw.push(chunk);
    expect(Buffer.concat(raw).toString()).toBe("a\u001b[6nbread <[1;1R>c\u001b[5nd");
  });

  test("is asked of the terminal at the keys while there is one, and of no other", async () => {
    const daemon = await startDaemon();
    const { id } = await launch(daemon, asks, interactive);
    const viewer = await attachTo(daemon, id, { control: "view" });
    await viewer.shows("a");
    // Half of the question was printed before: the whole of it is for this terminal all the same.
    const person = await attachTo(daemon, id);
    await person.shows("a");
    person.type("\r");
    await person.shows("b");
    expect(person.output()).toBe("a\u001b[6nb");
    person.type("\u001b[7;7R\r");
    await person.shows("read <[7;7R>c\u001b[5nd");
    person.type("well\r");
    await person.shows("read <well>");
    await viewer.shows("read <well>");
    expect(viewer.output()).toBe("abread <[7;7R>cdread <well>");
  });
});

test("a terminal that comes back goes on from the place it was told, without a byte twice or missing", async () => {
  const daemon = await startDaemon();
  const { id } = await launch(daemon, "read line; seq 1 5000; read line; seq 1 5000", interactive);
  const first = await attachTo(daemon, id);
  first.type("\r");
  await first.shows("\n5000\r\n");
  await first.leave();
  const places = first.told.filter(({ type }) => type === "at");
  const second = await attachTo(daemon, id, { afterSeq: Number(places.at(-1)?.["seq"]) });
  second.type("\r");
  expect(await second.closed).toBe(1000);
  const raw = [];
  for await (const chunk of daemon.client.output(id)) raw.push(chunk);
  expect(first.output() + second.output()).toBe(Buffer.concat(raw).toString("latin1"));
});

describe("a request for a terminal", () => {
  const upgrade = {
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
  };

  test("that is refused is answered with its status and failure, as any other", async () => {
    const daemon = await startDaemon();
    const { id } = await launch(daemon, "read line", interactive);
    const dash = id.replace("-", "%2D");
    const refusals: readonly [string, number, string, object][] = [
      ["/api/v1/sessions/none/attach", 404, "session_not_found", { sessionId: "none" }],
      // An id is what stands in the path.
      [`/sessions/${dash}/attach`, 404, "session_not_found", { sessionId: dash }],
      [`/sessions/${id}/attach?afterSeq=x`, 400, "invalid_request", { afterSeq: "x" }],
      [`/sessions/${id}/attach?take=yes`, 400, "invalid_request", { take: "yes" }],
      [`/sessions/${id}/attach?take=true&view=true`, 400, "invalid_request", { take: "true", view: "true" }],
    ];
    for (const [path, status, code, details] of refusals)
      expect(await send(daemon.socket, "GET", path, { headers: upgrade }), path).toMatchObject({
        status,
        body: { error: { code, details, message: expect.any(String) } },
      });
    for (const path of [`/sessions/${"x".repeat(257)}/attach`, "/nope", "/api/v1/health"])
      expect(await send(daemon.socket, "GET", path, { headers: upgrade }), path).toMatchObject({
        status: 404,
        body: { error: { code: "not_found" } },
      });
  });

  test("is refused to a client of ours with the failure itself", async () => {
    const daemon = await startDaemon();
    const socket = await daemon.client.attach("none", 0);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    const [error]: unknown[] = await once(socket, "error");
    expect(error).toMatchObject({ code: "session_not_found", details: { sessionId: "none" } });
    await closed;
  });

  test("that breaks off leaves the keys free", async () => {
    const daemon = await startDaemon();
    const { id } = await launch(daemon, echoes, interactive);
    const viewer = await attachTo(daemon, id, { control: "view" });
    const broken = connect(daemon.socket);
    const headers = Object.entries(upgrade).map(([name, value]) => `${name}: ${value}\r\n`);
    broken.write(`GET /sessions/${id}/attach HTTP/1.1\r\nhost: x\r\n${headers.join("")}\r\n`);
    await viewer.hears({ type: "control", elsewhere: true });
    broken.destroy();
    await viewer.hears({ type: "control", elsewhere: false }, 2);
    const next = await attachTo(daemon, id);
    await next.hears({ type: "control", held: true });
  });
});

test("a terminal that is still shown one run when the next begins is attached to that one anew", async () => {
  const daemon = await startDaemon();
  const project = makeProject();
  const gate = gated(project, "gate", "seq 1 1000000");
  const { id } = await converse(daemon, gate.script, { projectRoot: project });
  const slow = await attachTo(daemon, id);
  await slow.shows("at gate");
  slow.socket.pause();
  const asked = await wake(daemon, id, "echo woken; exec sleep 1000");
  await gate.open();
  await reached(daemon, id, asked, "delivered");
  slow.socket.resume();
  expect(await slow.closed).toBe(1000);
  expect(slow.output()).not.toContain("woken");
  const afterSeq = z.int().parse(slow.told.findLast(({ type }) => type === "at")?.["seq"]);
  const next = await attachTo(daemon, id, { afterSeq });
  await next.shows("woken");
  expect(`${slow.output()}${next.output()}`).toContain("\r\n1000000\r\nwoken\r\n");
});

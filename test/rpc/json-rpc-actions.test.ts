/** The actions as methods: arguments, failures, repetitions. */
import { expect, test } from "vitest";
import { z } from "zod";
import { capabilities } from "../../src/capabilities/registry.ts";
import { startDaemon } from "../support/daemon.ts";
import { byPost, openRpc, post } from "../support/json-rpc.ts";
import { eventsOf, launch, makeProject } from "../support/launch.ts";
import { send } from "../support/socket.ts";

const launched = z.object({ id: z.string(), replayed: z.literal(true).optional() });

test("no action's arguments have the name of what a call may say beside them", () => {
  for (const { name, input } of capabilities.values()) {
    expect(Object.keys(input.shape), name).not.toContain("intentId");
    expect(Object.keys(input.shape), name).not.toContain("env");
  }
});

test("an action answers over both transports and both paths what it answers by its own route", async () => {
  const daemon = await startDaemon();
  const { id: session } = await launch(daemon, "echo hello");
  await daemon.client.call("watch", { sessions: [session] });
  const record = await daemon.client.call("record", { session });
  for (const path of ["/rpc", "/api/v1/rpc"]) {
    const rpc = await openRpc(daemon.socket, { path });
    expect((await rpc.ask("record", { session })).result).toEqual(record);
    const said = JSON.stringify({ jsonrpc: "2.0", method: "record", params: { session }, id: 1 });
    expect(await byPost(daemon.socket, path)(said)).toEqual({ jsonrpc: "2.0", id: 1, result: record });
  }
  expect((await post(daemon.socket, "api_version", [])).result).toMatchObject({
    apiVersion: "v1",
  });
});

test("arguments that are wrong, unknown or given by position are told with the accepted ones", async () => {
  const daemon = await startDaemon();
  const rpc = await openRpc(daemon.socket);
  const wrong: readonly [string, unknown, RegExp][] = [
    ["record", ["some"], /by name/],
    ["record", {}, /session is missing/],
    ["record", { session: 1 }, /session/],
    ["record", { session: "x", sesion: "x" }, /unknown argument sesion/],
    ["record", { session: "x", intentId: "x" }, /unknown argument intentId/],
    ["kill", { session: "x", intentId: 7 }, /intentId/],
    ["kill", { session: "x", intentId: "" }, /intentId/],
    ["kill", { session: "x", env: { HOME: 1 } }, /env/],
    ["health", { "": 1 }, /unknown argument/],
    ["watch", { sessions: ["x"], cursor: "0123abcd-4" }, /another store/],
  ];
  for (const [method, params, message] of wrong)
    expect(await rpc.ask(method, params), `${method} ${JSON.stringify(params)}`).toMatchObject({
      error: {
        code: -32602,
        message: expect.stringMatching(message),
        data: { code: "invalid_request", hint: expect.any(String) },
      },
    });
  rpc.say('{"jsonrpc":"2.0","method":"record","params":{"__proto__":{"session":"x"}},"id":"proto"}');
  expect(await rpc.answerTo("proto")).toMatchObject({ error: { code: -32602 } });
  for (const method of ["__proto__", "constructor", "toString", "rpc.other", "Run"])
    expect(await rpc.ask(method), method).toMatchObject({
      error: {
        code: -32601,
        data: { code: "unknown_action", details: { methods: expect.arrayContaining(["run", "subscribe"]) } },
      },
    });
});

test("a failure is the action's own, with its HTTP status as its number", async () => {
  const daemon = await startDaemon();
  const direct = await send(daemon.socket, "GET", "/sessions/none");
  const { error } = z.object({ error: z.record(z.string(), z.unknown()) }).parse(direct.body);
  expect((await post(daemon.socket, "record", { session: "none" })).error).toEqual({
    code: 404,
    message: error["message"],
    data: { code: "session_not_found", hint: error["hint"], details: error["details"] },
  });
  const { id: session } = await launch(daemon, "exit 0");
  await daemon.client.call("watch", { sessions: [session] });
  expect((await post(daemon.socket, "kill", { session })).error).toMatchObject({
    code: 409,
    data: { code: "session_not_live" },
  });
});

test("what is asked again under its intent is done once, and says that it was done before", async () => {
  const daemon = await startDaemon();
  const projectRoot = makeProject();
  const params = { harness: "shell", projectRoot, prompt: "echo once", intentId: "mine" };
  const first = launched.parse((await post(daemon.socket, "run", params)).result);
  const again = launched.parse((await post(daemon.socket, "run", params)).result);
  expect(first.replayed).toBeUndefined();
  expect(again).toEqual({ ...again, id: first.id, replayed: true });
  expect(await post(daemon.socket, "run", { ...params, prompt: "echo other" })).toMatchObject({
    error: { code: 409, data: { code: "intent_conflict" } },
  });
  expect(await daemon.client.call("list", {})).toMatchObject({ sessions: [{ id: first.id }] });
});

test("a harness that is launched sees the environment that the call was made in", async () => {
  const daemon = await startDaemon();
  const params = {
    harness: "shell",
    projectRoot: makeProject(),
    prompt: 'echo "it is $WHO"',
    env: { WHO: "the caller", PATH: "/usr/bin:/bin" },
  };
  const { id } = launched.parse((await post(daemon.socket, "run", params)).result);
  await daemon.client.call("watch", { sessions: [id] });
  expect(await eventsOf(daemon, id)).toContainEqual(
    expect.objectContaining({
      payload: expect.objectContaining({ data: expect.stringContaining("it is the caller") }),
    }),
  );
});

test("connections are told that the daemon stops", async () => {
  const daemon = await startDaemon();
  const { id: session } = await launch(daemon, "read line", { launchMode: "interactive" });
  const rpc = await openRpc(daemon.socket);
  rpc.say({ jsonrpc: "2.0", id: 1, method: "watch", params: { sessions: [session], until: "output" } });
  await rpc.ask("subscribe", {});
  await daemon.client.shutdown(false);
  expect(await rpc.closed).toEqual([1001, "daemon_stopping"]);
  expect(await daemon.exited).toBe(0);
});

import { describe, expect, test } from "vitest";
import { z } from "zod";
import { type TestDaemon, startDaemon } from "../support/daemon.ts";
import { launch } from "../support/launch.ts";
import { post } from "../support/json-rpc.ts";
import { send } from "../support/socket.ts";

const asked = z.object({ wake: z.string(), session: z.string(), state: z.string(), cursor: z.string() });
const listed = z.object({ wakes: z.array(z.object({ wake: z.string(), state: z.string() })) });
const nobody = "00000000-0000-4000-8000-000000000000";

async function ended(daemon: TestDaemon): Promise<string> {
  const { id, cursor } = await launch(daemon, "echo first", { harness: "turns" });
  await daemon.client.call("watch", { sessions: [id], cursor });
  return id;
}

const wakesOf = async ({ socket }: TestDaemon, session: string, query = "") =>
  listed.parse((await send(socket, "GET", `/api/v1/sessions/${session}/wakes${query}`)).body).wakes;

describe("the routes of wakes", () => {
  test("ask for one, list it and take it back", async () => {
    const daemon = await startDaemon();
    const session = await ended(daemon);
    const path = `/api/v1/sessions/${session}/wakes`;
    const answer = await send(daemon.socket, "POST", path, {
      body: { message: "echo second", delay: "30m" },
    });
    expect(answer).toMatchObject({
      status: 201,
      body: { session, state: "pending", message: "echo second", when: "idle", from: null },
    });
    const { wake } = asked.parse(answer.body);
    expect(await wakesOf(daemon, session)).toEqual([expect.objectContaining({ wake, state: "pending" })]);
    expect((await send(daemon.socket, "GET", `/api/v1/sessions/${session}`)).body).not.toHaveProperty(
      "wakes",
    );
    expect(await daemon.client.call("status", { session })).toMatchObject({
      wakes: { pending: 1, queued: 0 },
    });

    expect(await send(daemon.socket, "DELETE", `${path}/${wake}`)).toMatchObject({
      status: 200,
      body: { wake, state: "cancelled", reason: "unwake" },
    });
    expect(await wakesOf(daemon, session)).toEqual([]);
    expect(await wakesOf(daemon, session, "?all=true")).toMatchObject([{ wake, state: "cancelled" }]);
    expect(await daemon.client.call("status", { session })).not.toHaveProperty("wakes");
    expect(await send(daemon.socket, "DELETE", `${path}/${wake}`)).toMatchObject({
      status: 409,
      body: { error: { code: "wake_over", message: `wake ${wake} is cancelled` } },
    });
  });

  test("know a wake by its session only", async () => {
    const daemon = await startDaemon();
    const [one, other] = [await ended(daemon), await ended(daemon)];
    const input = { session: one, message: "echo second", delay: "1d" };
    const { wake } = asked.parse(await daemon.client.call("wake", input));
    const refusal = (code: string) => ({
      status: 404,
      body: { error: { code, message: expect.any(String) } },
    });
    const at = (session: string, id: string) => `/api/v1/sessions/${session}/wakes/${id}`;
    expect(await send(daemon.socket, "DELETE", at(other, wake))).toMatchObject(refusal("wake_not_found"));
    expect(await send(daemon.socket, "DELETE", at(one, nobody))).toMatchObject(refusal("wake_not_found"));
    expect(await send(daemon.socket, "DELETE", at(nobody, wake))).toMatchObject(refusal("session_not_found"));
    expect(await wakesOf(daemon, one)).toMatchObject([{ wake, state: "pending" }]);
  });

  test("read their query strictly", async () => {
    const daemon = await startDaemon();
    const session = await ended(daemon);
    for (const query of ["?all=yes", "?limit=x", "?limit=0", "?limit=1001", "?al=true"])
      expect(
        await send(daemon.socket, "GET", `/api/v1/sessions/${session}/wakes${query}`),
        query,
      ).toMatchObject({
        status: 400,
        body: { error: { code: "invalid_request", details: { sessionId: session } } },
      });
    for (const delay of ["2d", "1d"])
      await daemon.client.call("wake", { session, message: `in ${delay}`, delay });
    expect(
      (await send(daemon.socket, "GET", `/api/v1/sessions/${session}/wakes?limit=1`)).body,
    ).toMatchObject({
      wakes: [{ message: "in 1d" }],
      hasMore: true,
    });
  });

  test("wake once what is asked again under one Idempotency-Key, although its time is past by then", async () => {
    const daemon = await startDaemon();
    const session = await ended(daemon);
    const at = new Date(Date.now() + 1500).toISOString();
    const ask = (body: object) =>
      send(daemon.socket, "POST", `/api/v1/sessions/${session}/wakes`, {
        body,
        headers: { "idempotency-key": "once" },
      });
    const first = await ask({ message: "echo second", at });
    expect(first.status).toBe(201);
    const { cursor } = asked.parse(first.body);
    await daemon.client.call("watch", { sessions: [session], cursor });
    const again = await ask({ message: "echo second", at });
    expect(again).toMatchObject({ status: 201, body: first.body });
    expect(again.headers["idempotent-replayed"]).toBe("true");
    expect(await ask({ message: "echo third", at })).toMatchObject({
      status: 409,
      body: { error: { code: "intent_conflict" } },
    });
    expect(await wakesOf(daemon, session, "?all=true")).toHaveLength(1);
    expect(await daemon.client.call("status", { session })).toMatchObject({ runs: 2 });
  });

  test("leave out what a client sends as null", async () => {
    const daemon = await startDaemon();
    const session = await ended(daemon);
    const body = { message: "echo second", delay: "1d", at: null, model: null, expiresIn: null };
    const answer = await send(daemon.socket, "POST", `/api/v1/sessions/${session}/wakes`, { body });
    expect(answer).toMatchObject({ status: 201, body: { state: "pending" } });
  });
});

test("what one surface was asked for, the others know", async () => {
  const daemon = await startDaemon();
  const session = await ended(daemon);
  const byAction = await send(daemon.socket, "POST", "/api/v1/actions", {
    body: { action: "wake", args: { session, message: "by action", delay: "1d" } },
  });
  expect(byAction).toMatchObject({
    status: 200,
    body: { ok: true, event: { payload: { state: "pending" } } },
  });
  const byRpc = await post(daemon.socket, "wake", { session, message: "by JSON-RPC", delay: "1d" });
  expect(byRpc.error).toBeUndefined();
  const found = await post(daemon.socket, "wakes", { session });
  expect(found.result).toMatchObject({ wakes: [{ message: "by JSON-RPC" }, { message: "by action" }] });
  for (const { wake } of listed.parse(found.result).wakes)
    expect((await post(daemon.socket, "unwake", { wake })).result).toMatchObject({ state: "cancelled" });
  expect(await wakesOf(daemon, session)).toEqual([]);
});

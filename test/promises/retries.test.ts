/** An action that is asked again under the same intent is done once, whatever happened to the first answer. */
import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { type TestDaemon, makeHome, startDaemon } from "../support/daemon.ts";
import { launch, makeProject } from "../support/launch.ts";
import { type Answer, send } from "../support/socket.ts";

const done = z.object({
  replayed: z.boolean().optional(),
  event: z.object({ payload: z.object({ id: z.string() }).loose() }),
});
const rejected = z.object({ error: z.object({ code: z.string(), details: z.unknown() }) });
const listed = z.object({ sessions: z.array(z.object({ id: z.string(), status: z.string() })) });

const act = (daemon: TestDaemon, action: string, args: object, intentId: string): Promise<Answer> =>
  send(daemon.socket, "POST", "/api/v1/actions", { body: { action, args, intentId } });

const shell = (prompt: string): object => ({ harness: "shell", projectRoot: makeProject(), prompt });

const sessionsOf = async ({ client }: TestDaemon) =>
  listed.parse(await client.call("list", { includeArchived: true })).sessions;

const ended = ({ client }: TestDaemon, id: string) => client.call("watch", { sessions: [id] });

describe("a repeated call", () => {
  test("launches one session, whether it comes afterwards or at the same time", async () => {
    const daemon = await startDaemon();
    const asked = shell("exit 0");
    const answers = await Promise.all([act(daemon, "run", asked, "a"), act(daemon, "run", asked, "a")]);
    answers.push(await act(daemon, "run", asked, "a"));
    const [first, second, third] = answers.map(({ body }) => done.parse(body));
    expect(first?.replayed).toBeUndefined();
    expect(second?.replayed).toBe(true);
    expect(third).toEqual(second);
    expect(third?.event.payload).toEqual(first?.event.payload);
    expect(await sessionsOf(daemon)).toHaveLength(1);
  });

  test("is told from a new one by its intent only", async () => {
    const daemon = await startDaemon();
    const asked = shell("exit 0");
    await act(daemon, "run", asked, "a");
    await act(daemon, "run", asked, "b");
    expect(await sessionsOf(daemon)).toHaveLength(2);
  });

  test("with other arguments is refused, also while the first is under way", async () => {
    const daemon = await startDaemon();
    const asked = shell("exit 0");
    const [, atOnce] = await Promise.all([
      act(daemon, "run", asked, "a"),
      act(daemon, "run", { ...asked, prompt: "exit 1" }, "a"),
    ]);
    const later = await act(daemon, "run", { ...asked, prompt: "exit 1" }, "a");
    for (const { status, body } of [atOnce, later]) {
      expect(status).toBe(409);
      expect(rejected.parse(body).error).toMatchObject({
        code: "intent_conflict",
        details: { action: "run", intentId: "a" },
      });
    }
    expect(await sessionsOf(daemon)).toHaveLength(1);
  });

  test("is done when the first was rejected", async () => {
    const daemon = await startDaemon();
    const { id } = await launch(daemon, "sleep 1000");
    expect((await act(daemon, "archive", { session: id }, "a")).status).toBe(409);
    await daemon.client.call("kill", { session: id, graceMs: 0 });
    const { status, body } = await act(daemon, "archive", { session: id }, "a");
    expect(status).toBe(200);
    expect(done.parse(body).replayed).toBeUndefined();
  });

  test("over REST names its intent in a header and is told as replayed in one", async () => {
    const daemon = await startDaemon();
    const body = { ...shell("exit 0"), launchMode: "nonInteractive" };
    const headers = { "idempotency-key": "a" };
    const first = await send(daemon.socket, "POST", "/sessions", { body, headers });
    const again = await send(daemon.socket, "POST", "/sessions", { body, headers });
    expect(first).toMatchObject({ status: 201 });
    expect(first.headers["idempotent-replayed"]).toBeUndefined();
    expect(again).toMatchObject({ status: 201, body: first.body });
    expect(again.headers["idempotent-replayed"]).toBe("true");
  });

  test("with a blank or endless intent is refused", async () => {
    const daemon = await startDaemon();
    for (const intentId of [" ", "x".repeat(257)]) {
      const { status, body } = await act(daemon, "run", shell("exit 0"), intentId);
      expect(status).toBe(400);
      expect(rejected.parse(body).error.code).toBe("invalid_request");
    }
    expect(await sessionsOf(daemon)).toEqual([]);
  });
});

describe("a retry after the daemon was lost", () => {
  test("is answered as the call was answered before", async () => {
    const home = makeHome();
    const before = await startDaemon(home);
    const asked = shell("exit 0");
    const first = done.parse((await act(before, "run", asked, "a")).body);
    process.kill(before.pid, "SIGKILL");
    await before.exited;
    const after = await startDaemon(home);
    const again = done.parse((await act(after, "run", asked, "a")).body);
    expect(again).toMatchObject({ replayed: true, event: { payload: first.event.payload } });
    expect(await sessionsOf(after)).toHaveLength(1);
  });

  test("finds the launch that was begun and never answered", async () => {
    const home = makeHome();
    const before = await startDaemon(home);
    // The host is there, and takes nothing for now.
    await ended(before, (await launch(before, "exit 0")).id);
    const host = hostOf(home);
    process.kill(host, "SIGSTOP");
    const asked = shell("exit 0");
    const lost = act(before, "run", asked, "a").catch(() => undefined);
    const id = await created(before);
    process.kill(before.pid, "SIGKILL");
    await before.exited;
    expect(await lost).toBeUndefined();
    process.kill(host, "SIGCONT");

    const after = await startDaemon(home);
    const again = done.parse((await act(after, "run", asked, "a")).body);
    expect(again).toMatchObject({ replayed: true, event: { payload: { id } } });
    expect(await ended(after, id)).toMatchObject({ outcome: "met" });
    expect(await sessionsOf(after)).toHaveLength(2);
  });
});

describe("the intents of a sacrificed session", () => {
  test("stay known, without what was answered", async () => {
    const daemon = await startDaemon();
    const asked = shell("exit 0");
    const { id } = done.parse((await act(daemon, "run", asked, "a")).body).event.payload;
    await ended(daemon, id);
    const confirmed = { session: id, confirm: true };
    const first = done.parse((await act(daemon, "sacrifice", confirmed, "b")).body);
    const again = done.parse((await act(daemon, "sacrifice", confirmed, "b")).body);
    expect(again).toMatchObject({ replayed: true, event: { payload: first.event.payload } });
    for (let tries = 0; tries < 2; tries += 1) {
      const { status, body } = await act(daemon, "run", asked, "a");
      expect(status).toBe(404);
      expect(rejected.parse(body).error.code).toBe("session_not_found");
    }
    expect(await sessionsOf(daemon)).toEqual([]);
  });
});

const hostOf = (home: string): number =>
  Number(readdirSync(home).flatMap((name) => /^host-(\d+)\.sock$/.exec(name)?.[1] ?? [])[0]);

/** The session that is recorded and not started yet. */
async function created(daemon: TestDaemon): Promise<string> {
  for (;;) {
    const found = (await sessionsOf(daemon)).find(({ status }) => status === "created");
    if (found !== undefined) return found.id;
  }
}

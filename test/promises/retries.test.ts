/** An action that is asked again under the same intent is done once, whatever happened to the first answer. */
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { type TestDaemon, makeHome, startDaemon } from "../support/daemon.ts";
import { identify, stillLiving } from "../../src/runtime/host/processes.ts";
import { outputOf } from "../support/lanes.ts";
import { eventsOf, launch, makeProject } from "../support/launch.ts";
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

describe("input that is sent again after the daemon was lost", () => {
  const typed = { data: "hello", keys: ["enter"] };

  /** A harness that shows nothing until Enter, so that the answer to an input takes a moment. */
  async function listener(daemon: TestDaemon) {
    const { id, cursor } = await launch(
      daemon,
      "stty -echo; echo ready; while read line; do echo got $line; done",
      {
        launchMode: "interactive",
      },
    );
    await daemon.client.call("watch", { sessions: [id], matchText: "ready", cursor });
    return { id, cursor };
  }

  /** Everything the harness has said once it has heard this, too. */
  async function heard(daemon: TestDaemon, { id, cursor }: { id: string; cursor: string }): Promise<string> {
    await act(daemon, "input", { session: id, data: "last", keys: ["enter"] }, "last");
    await daemon.client.call("watch", { sessions: [id], matchText: "got last", cursor });
    return (await outputOf(daemon, id)).toString();
  }

  test("is typed once where the host had taken it and nobody was answered", async () => {
    const home = makeHome();
    const before = await startDaemon(home);
    const session = await listener(before);
    const lost = act(before, "input", { session: session.id, ...typed }, "a").catch(() => undefined);
    const isTaken = async () => (await eventsOf(before, session.id)).some(({ kind }) => kind === "input");
    await expect.poll(isTaken).toBe(true);
    process.kill(before.pid, "SIGKILL");
    expect(await lost).toBeUndefined();
    await before.exited;

    const after = await startDaemon(home);
    expect((await act(after, "input", { session: session.id, ...typed }, "a")).status).toBe(200);
    expect(await heard(after, session)).toBe("ready\r\ngot hello\r\ngot last\r\n");
  });

  test("is typed once where the caller was answered", async () => {
    const home = makeHome();
    const before = await startDaemon(home);
    const session = await listener(before);
    await act(before, "input", { session: session.id, ...typed }, "a");
    process.kill(before.pid, "SIGKILL");
    await before.exited;

    const after = await startDaemon(home);
    const again = await act(after, "input", { session: session.id, ...typed }, "a");
    expect(again).toMatchObject({ status: 200, body: { replayed: true } });
    expect(await heard(after, session)).toBe("ready\r\ngot hello\r\ngot last\r\n");
  });

  test("is typed where the host had not been told of it", async () => {
    const home = makeHome();
    const before = await startDaemon(home);
    const session = await listener(before);
    await act(before, "input", { session: session.id, ...typed }, "a");
    const ledger = new Database(join(home, "ledger.sqlite3"));
    // Announced by a daemon that was lost before it handed it on.
    ledger.prepare("UPDATE intents SET id = 'b', result = NULL").run();
    ledger.close();
    expect((await act(before, "input", { session: session.id, ...typed }, "b")).status).toBe(200);
    expect(await heard(before, session)).toBe("ready\r\ngot hello\r\ngot hello\r\ngot last\r\n");
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

describe("a retry of what was done and never answered", () => {
  /** As a daemon that is lost between the effect and its answer leaves it. */
  const unanswer = ({ home }: TestDaemon): void => {
    const ledger = new Database(join(home, "ledger.sqlite3"));
    ledger.prepare("UPDATE intents SET result = NULL").run();
    ledger.close();
  };

  test("keeps a cast once and answers the same", async () => {
    const daemon = await startDaemon();
    const first = await act(daemon, "cast", { code: "@codex: look", store: "only" }, "a");
    unanswer(daemon);
    const again = await act(daemon, "cast", { code: "@codex: look", store: "only" }, "a");
    const other = await act(daemon, "cast", { code: "@codex: look", store: "only" }, "b");
    expect(payloadOf(again)).toEqual(payloadOf(first));
    expect(payloadOf(other)).not.toEqual(payloadOf(first));
    const casts = (await eventsOf(daemon, "__cockpit__")).filter(({ kind }) => kind === "cast");
    expect(casts).toHaveLength(2);
  });

  test("does each action of a Cast Code once, and answers the same results", async () => {
    const daemon = await startDaemon();
    const projectRoot = daemon.home;
    const code = "~shell: sleep 60 ~turns: read line ~* stop ~?";
    const first = await act(daemon, "cast", { code: "~turns: read line", projectRoot }, "a");
    const told = await act(daemon, "cast", { code, projectRoot }, "b");
    unanswer(daemon);
    expect(payloadOf(await act(daemon, "cast", { code: "~turns: read line", projectRoot }, "a"))).toEqual(
      payloadOf(first),
    );
    expect(payloadOf(await act(daemon, "cast", { code, projectRoot }, "b"))).toMatchObject({
      results: expect.arrayContaining([expect.objectContaining({ action: "run" })]),
    });
    expect(payloadOf(told)).toMatchObject({ results: { length: 4 } });
    expect(await daemon.client.call("list", {})).toMatchObject({ sessions: { length: 3 } });
  });

  test("does not hide again what was brought back meanwhile", async () => {
    const daemon = await startDaemon();
    const { id } = await launch(daemon, "exit 0");
    await ended(daemon, id);
    await act(daemon, "archive", { session: id }, "a");
    unanswer(daemon);
    await act(daemon, "summon", { session: id }, "b");
    expect(payloadOf(await act(daemon, "archive", { session: id }, "a"))).toMatchObject({
      archived_at: null,
    });
  });

  test("does not register again what was sacrificed meanwhile", async () => {
    const daemon = await startDaemon();
    const asked = { id: "elsewhere", projectRoot: "/tmp", harness: "other" };
    await act(daemon, "register", asked, "a");
    await act(daemon, "complete", { session: "elsewhere" }, "b");
    await act(daemon, "sacrifice", { session: "elsewhere", confirm: true }, "c");
    expect((await act(daemon, "register", asked, "a")).status).toBe(404);
    expect(await sessionsOf(daemon)).toEqual([]);
  });

  test("ends what an ended session left running", async () => {
    const daemon = await startDaemon();
    const { id } = await launch(daemon, "trap '' HUP TERM; sleep 1000 & exit 0");
    await ended(daemon, id);
    const left = leftBehind.parse(
      (await eventsOf(daemon, id)).find(({ kind }) => kind === "left_behind")?.payload,
    );
    const identity = identify(left.processes[0].pid);
    if (identity === undefined) throw new Error("nothing was left");
    const ledger = new Database(join(daemon.home, "ledger.sqlite3"));
    await act(daemon, "archive", { session: id }, "a");
    // A kill that was announced, and whose daemon was lost before it did anything.
    const copied = "SELECT caller, 'kill', 'k', fingerprint, session_id, NULL, created_at FROM intents";
    ledger.exec(`INSERT INTO intents ${copied}`);
    const fingerprint = fingerprintOf({ session: id, graceMs: 100 });
    ledger.prepare("UPDATE intents SET fingerprint = ? WHERE action = 'kill'").run(fingerprint);
    ledger.close();
    expect((await act(daemon, "kill", { session: id, graceMs: 100 }, "k")).status).toBe(200);
    expect(stillLiving([identity])).toEqual([]);
  });

  test("finishes a sacrifice that a reader of the store had held up, which watchers know of at once", async () => {
    const daemon = await startDaemon();
    const { id } = await launch(daemon, "exit 0");
    await ended(daemon, id);
    const reader = new Database(join(daemon.home, "ledger.sqlite3"));
    reader.exec("BEGIN");
    reader.prepare("SELECT count(*) FROM events").get();
    const waiting = act(daemon, "watch", { sessions: [id], until: "output", matchText: "never" }, "w");
    const confirmed = { session: id, confirm: true };
    const held = await act(daemon, "sacrifice", confirmed, "a");
    expect(held.status).toBe(503);
    expect(payloadOf(await waiting)).toMatchObject({ outcome: "gone" });
    reader.exec("COMMIT");
    reader.close();
    expect(await act(daemon, "sacrifice", confirmed, "a")).toMatchObject({ status: 200 });
  });
});

const leftBehind = z.object({ processes: z.tuple([z.object({ pid: z.int() })]) });
const payloadOf = ({ body }: Answer): unknown =>
  z.object({ event: z.object({ payload: z.unknown() }) }).parse(body).event.payload;

/** What the daemon knows a call's arguments by: equal arguments, equal digits. */
const fingerprintOf = (input: Readonly<Record<string, unknown>>): string =>
  createHash("sha256")
    .update(JSON.stringify(Object.fromEntries(Object.entries(input).sort(([a], [b]) => (a < b ? -1 : 1)))))
    .digest("hex");

const hostOf = (home: string): number =>
  Number(readdirSync(home).flatMap((name) => /^host-(\d+)\.sock$/.exec(name)?.[1] ?? [])[0]);

/** The session that is recorded and not started yet. */
async function created(daemon: TestDaemon): Promise<string> {
  for (;;) {
    const found = (await sessionsOf(daemon)).find(({ status }) => status === "created");
    if (found !== undefined) return found.id;
  }
}

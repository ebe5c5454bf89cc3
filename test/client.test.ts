import { execFile } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { capabilities } from "../src/capabilities/registry.ts";
import { type Coven, type EventRecord, Failure, connect } from "../src/index.ts";
import { makeHome, startDaemon } from "./support/daemon.ts";
import { makeProject } from "./support/launch.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("..", import.meta.url));

async function connected(home: string): Promise<Coven> {
  const coven = await connect({ home });
  onTestFinished(() => coven.close());
  return coven;
}

async function launch(
  coven: Coven,
  prompt: string,
  launchMode: "interactive" | "nonInteractive" = "nonInteractive",
) {
  const projectRoot = makeProject();
  return { ...(await coven.run({ harness: "shell", projectRoot, prompt, launchMode })), projectRoot };
}

async function collect(events: AsyncIterable<EventRecord>): Promise<EventRecord[]> {
  const all: EventRecord[] = [];
  for await (const event of events) all.push(event);
  return all;
}

/** Reads on when it is told to, and keeps what it has seen. */
function reader(events: AsyncGenerator<EventRecord, void>) {
  const seen: EventRecord[] = [];
  const one = async (): Promise<EventRecord> => {
    const next = await events.next();
    if (next.done === true) throw new Error("the iteration ended");
    seen.push(next.value);
    return next.value;
  };
  return {
    seen,
    next: () => events.next(),
    take: async (count: number) => {
      for (let taken = 0; taken < count; taken += 1) await one();
    },
    until: async (isLast: (event: EventRecord) => boolean) => {
      while (!isLast(await one()));
    },
  };
}

/** Everything in the log of a session, by pages. */
async function logOf(coven: Coven, session: string): Promise<EventRecord[]> {
  const all: EventRecord[] = [];
  for (let afterSeq = 0; ;) {
    const { events, nextCursor, hasMore } = await coven.call("events", { session, afterSeq });
    all.push(...events);
    if (!hasMore || nextCursor === null) return all;
    afterSeq = nextCursor.afterSeq;
  }
}

/** Prints until there is a file `stop` in its project. */
const untilStopped = "i=0; while [ ! -e stop ]; do i=$((i+1)); echo line $i; sleep 0.01; done";

test("a program in another folder compiles against the package as it is packed, strictly, and runs", async () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "coven-consumer-")));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  await run(process.execPath, ["scripts/types.mjs"], { cwd: root });
  const packed = await run("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", folder], {
    cwd: root,
  });
  const [{ filename }] = z.tuple([z.object({ filename: z.string() })]).parse(JSON.parse(packed.stdout));
  const installed = join(folder, "node_modules/@opencoven/coven-control");
  mkdirSync(installed, { recursive: true });
  await run("tar", ["-xzf", join(folder, filename), "-C", installed, "--strip-components=1"]);
  // Nothing of what is inside the package is installed beside it: its types need Node's alone.
  mkdirSync(join(folder, "node_modules/@types"));
  symlinkSync(join(root, "node_modules/@types/node"), join(folder, "node_modules/@types/node"));
  symlinkSync(join(root, "node_modules/undici-types"), join(folder, "node_modules/undici-types"));
  writeFileSync(join(folder, "package.json"), '{"type":"module"}');
  writeFileSync(join(folder, "program.ts"), readFileSync(join(root, "test/fixtures/consumer.ts")));
  const strictly = { strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false, types: ["node"] };
  const compilerOptions = { ...strictly, target: "es2023", module: "nodenext" };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["program.ts"] }));
  const compiled = run(process.execPath, [join(root, "node_modules/typescript/bin/tsc")], { cwd: folder });
  const errors = await compiled.then(
    () => "",
    (error: unknown) => z.object({ stdout: z.string() }).parse(error).stdout,
  );
  expect(errors).toBe("");

  const { home } = await startDaemon();
  const env = { COVEN_HOME: home, PATH: dirname(process.execPath) };
  const ran = await run(process.execPath, ["program.js", makeProject()], { cwd: folder, env });
  expect(JSON.parse(ran.stdout)).toEqual({
    status: "completed",
    lastStatus: "completed",
    printed: "hello\n",
    kinds: expect.arrayContaining(["output", "exit"]),
    live: 0,
    lanes: 2,
    version: "v1",
    failure: { isFailure: true, code: "session_not_found", hasHint: true, session: "none" },
  });
  expect(ran.stderr).toBe("");
}, 90_000);

test("what the package loads knows neither the store nor the pty nor the web server", () => {
  const loaded = new Map<string, string>();
  const load = (file: string): void => {
    if (loaded.has(file)) return;
    const text = readFileSync(join(root, "dist", file), "utf8");
    loaded.set(file, text);
    for (const [, other = ""] of text.matchAll(/^(?:import|export)\s[^;"]*"([^"]+)";/gm))
      if (other.startsWith("./")) load(other.slice(2));
      else expect(other, file).toMatch(/^(node:|[a-z_/]+$)/);
  };
  load("index.js");
  expect(loaded.size).toBeGreaterThan(3);
  const all = [...loaded.values()].join("\n");
  expect(all).toContain("coven.daemon.v1");
  expect(all).not.toMatch(/better-sqlite3|node-pty|fs-ext|FST_ERR|CREATE TABLE|from "pino/);
  expect(all.length).toBeLessThan(700_000);
});

test("events go on over restarts of the daemon, with what was printed meanwhile, and nothing lost or twice", async () => {
  let daemon = await startDaemon();
  const coven = await connected(daemon.home);
  const { id, projectRoot } = await launch(coven, untilStopped);
  const other = await launch(coven, "exit 0");
  const [named, both] = [
    reader(coven.events({ sessions: [id] })),
    reader(coven.events({ sessions: [id, other.id] })),
  ];
  for (let restarts = 0; restarts < 2; restarts += 1) {
    await Promise.all([named.take(10), both.take(10)]);
    await daemon.client.shutdown(true);
    await daemon.exited;
    daemon = await startDaemon(daemon.home);
  }
  await named.take(30);
  writeFileSync(join(projectRoot, "stop"), "");
  const isExit = ({ session_id, kind }: EventRecord): boolean => session_id === id && kind === "exit";
  await Promise.all([named.until(isExit), both.until(isExit)]);
  const log = await logOf(coven, id);
  expect(log.length).toBeGreaterThan(50);
  expect(named.seen).toEqual(log);
  expect(both.seen).toEqual([...log, ...(await logOf(coven, other.id))].sort((a, b) => a.seq - b.seq));
  // One is gone when its reader comes back, the other goes after that.
  await coven.sacrifice({ session: other.id, confirm: true });
  const over = Promise.all([named.next(), both.next()]);
  await daemon.client.shutdown(true);
  await daemon.exited;
  await startDaemon(daemon.home);
  await coven.sacrifice({ session: id, confirm: true });
  for (const last of await over) expect(last).toEqual({ done: true, value: undefined });
});

test("events begin where they are told: at a cursor, after a seq, or now", async () => {
  const { home } = await startDaemon();
  const coven = await connected(home);
  const first = await launch(coven, "echo one");
  await coven.watch({ sessions: [first.id] });
  const { cursor } = await coven.status();
  const started = coven.events({ afterSeq: "latest" }).next();
  const log = await logOf(coven, first.id);
  const [, second, third] = log;
  expect((await coven.events({ sessions: [first.id], afterSeq: second?.seq ?? 0 }).next()).value).toEqual(
    third,
  );
  const afterCursor = coven.events({ cursor }).next();
  // Whenever the stream begins that begins now, there is more to come.
  const next = await launch(coven, untilStopped);
  expect((await afterCursor).value).toMatchObject({ session_id: next.id });
  expect((await started).value).toMatchObject({ session_id: next.id });
  writeFileSync(join(next.projectRoot, "stop"), "");
  expect((await coven.events().next()).value).toEqual(log[0]);
  for (const wrong of [
    { cursor, afterSeq: 1 },
    { sessions: [] },
    { cursor: "abc" },
    { cursor: `00ff-${String(log[0]?.seq)}` },
  ])
    await expect(coven.events(wrong).next(), JSON.stringify(wrong)).rejects.toMatchObject({
      code: "invalid_request",
    });
});

test("an iteration ends with its signal and with the client, and a call is given up with the signal's reason", async () => {
  const { home } = await startDaemon();
  const coven = await connected(home);
  const { id } = await launch(coven, "read line", "interactive");
  const leaving = new AbortController();
  const left = collect(coven.events({ sessions: [id], signal: leaving.signal }));
  const watched = coven.watch({ sessions: [id] }, { signal: leaving.signal });
  const reason = new Error("enough");
  leaving.abort(reason);
  await expect(watched).rejects.toBe(reason);
  await left;
  expect(await collect(coven.events({ signal: leaving.signal }))).toEqual([]);

  const warnings: Error[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning);
  process.on("warning", onWarning);
  onTestFinished(() => void process.off("warning", onWarning));
  const following = coven.events({ sessions: [id] });
  await following.next();
  const rest = collect(following);
  const waiting = Array.from({ length: 40 }, () =>
    coven.watch({ sessions: [id] }).catch((error: unknown) => error),
  );
  await coven.health();
  coven.close();
  await rest;
  for (const outcome of await Promise.all(waiting))
    expect(outcome).toMatchObject({ code: "invalid_request", message: "this client was closed" });
  await expect(coven.list()).rejects.toMatchObject({ message: "this client was closed" });
  expect(warnings).toEqual([]);
});

test("iterations over an unknown session fail at once, and over a daemon that stays away when it was too long", async () => {
  const daemon = await startDaemon();
  const coven = await connected(daemon.home);
  await expect(coven.events({ sessions: ["none"] }).next()).rejects.toMatchObject({
    code: "session_not_found",
    details: { sessionId: "none" },
  });
  const { id } = await launch(coven, "exit 0");
  await coven.watch({ sessions: [id] });
  const log = await logOf(coven, id);
  const following = coven.events({ sessions: [id], awayMsMax: 200 });
  for (const event of log) expect((await following.next()).value).toEqual(event);
  const next = following.next();
  await daemon.stop();
  await expect(next).rejects.toMatchObject({
    code: "runtime_unavailable",
    message: "the daemon stayed away for 0.2 s",
    hint: expect.stringContaining("coven daemon start"),
    details: { afterSeq: log.at(-1)?.seq },
  });
  await expect(coven.events().next()).rejects.toMatchObject({ code: "runtime_unavailable" });
});

test("connecting starts no daemon, and says what to do", async () => {
  const home = makeHome();
  const failure = await connect({ home }).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(Failure);
  expect(failure).toMatchObject({
    code: "runtime_unavailable",
    message: expect.stringContaining(join(home, "coven.sock")),
    hint: expect.stringContaining("coven daemon start"),
  });
  await expect(connect({ url: `unix://${home}/other.sock` })).rejects.toMatchObject({
    code: "runtime_unavailable",
    hint: expect.stringContaining("COVEN_URL"),
  });
  await expect(connect({ url: "ftp://localhost" })).rejects.toMatchObject({ code: "invalid_request" });
  const deaf = createServer((socket) => socket.end("hello\n")).listen(join(home, "coven.sock"));
  onTestFinished(() => void deaf.close());
  await once(deaf, "listening");
  await expect(connect({ home })).rejects.toBeInstanceOf(Failure);
});

test("the client has the actions as its methods and no other name", async () => {
  const { home } = await startDaemon();
  const coven = await connected(home);
  const own = ["call", "close", "events", "output"];
  expect(Object.keys(coven).sort()).toEqual([...new Set([...capabilities.keys(), ...own])].sort());
  // Another action of such a name would be out of reach.
  expect(own.filter((name) => capabilities.has(name))).toEqual(["events", "output"]);
  expect("then" in coven).toBe(false);
  expect(await coven.api_version()).toEqual(await coven.call("api_version"));
  expect(await coven["coven.capabilities.refresh"]()).toMatchObject({ capabilities: expect.any(Number) });
  for (const name of ["constructor", "toString", "nonsense"]) {
    // @ts-expect-error the types know the names
    await expect(coven.call(name), name).rejects.toMatchObject({
      code: "unknown_action",
      details: { action: name },
    });
  }
});

test("gives a session a follow-up, lists those that wait and takes one back", async () => {
  const { home } = await startDaemon();
  const coven = await connected(home);
  const { id } = await coven.run({ harness: "turns", projectRoot: makeProject(), prompt: "read line" });
  const asked = await coven.wake({ session: id, message: "go on", delay: "1d" });
  expect(asked).toMatchObject({ session: id, state: "pending", cursor: expect.any(String) });
  const { wakes } = await coven.wakes();
  expect(wakes.map(({ wake, dueAt }) => [wake, dueAt])).toEqual([[asked.wake, asked.dueAt]]);
  const { state, reason } = await coven.unwake({ wake: asked.wake });
  expect([state, reason]).toEqual(["cancelled", "unwake"]);
  await expect(coven.unwake({ wake: asked.wake })).rejects.toMatchObject({ code: "wake_over" });
});

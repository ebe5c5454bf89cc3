/** Two callers at one session at once: each gets an answer that is true, and what is left is what one of them asked for. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { z } from "zod";
import { listProcesses, stillLiving } from "../../src/runtime/host/processes.ts";
import { type TestDaemon, makeHome, startDaemon } from "../support/daemon.ts";
import { hostOf, outputOf, processOf } from "../support/lanes.ts";
import { eventsOf, launch, makeProject } from "../support/launch.ts";
import { type Answer, send } from "../support/socket.ts";

const act = (daemon: TestDaemon, action: string, args: object): Promise<Answer> =>
  send(daemon.socket, "POST", "/api/v1/actions", { body: { action, args } });

const listed = z.object({ sessions: z.array(z.object({ id: z.string(), status: z.string() })) });
const sessionsOf = async ({ client }: TestDaemon) =>
  listed.parse(await client.call("list", { includeArchived: true })).sessions;

const payloadOf = ({ body }: Answer): unknown =>
  z.object({ event: z.object({ payload: z.unknown() }) }).parse(body).event.payload;

const codeOf = ({ status, body }: Answer): string =>
  status === 200 ? "ok" : z.object({ error: z.object({ code: z.string() }) }).parse(body).error.code;

/** A session whose harness ends on nothing but SIGKILL, and says what it is told. */
async function stubborn(daemon: TestDaemon) {
  const { id, cursor } = await launch(
    daemon,
    "trap '' TERM HUP; stty -echo; echo ready; while :; do read line && echo got $line; done",
    { launchMode: "interactive" },
  );
  await daemon.client.call("watch", { sessions: [id], matchText: "ready", cursor });
  return { id, harness: await processOf(daemon, id) };
}

async function ended(daemon: TestDaemon, prompt: string): Promise<string> {
  const { id } = await launch(daemon, prompt);
  await daemon.client.call("watch", { sessions: [id] });
  return id;
}

/** Rows that say anything of the session. */
function rowsOf({ home }: TestDaemon, session: string): number {
  const ledger = new Database(join(home, "ledger.sqlite3"), { readonly: true });
  const count = (table: string, column: string): number =>
    z.int().parse(ledger.prepare(`SELECT count(*) FROM ${table} WHERE ${column} = ?`).pluck().get(session));
  const rows = count("sessions", "id") + count("runs", "session_id") + count("events", "session_id");
  ledger.close();
  return rows;
}

/** Whether the process was started in one of the sessions. */
function carries(pid: number, sessions: readonly string[]): boolean {
  try {
    const environment = readFileSync(`/proc/${pid}/environ`, "utf8");
    return sessions.some((session) => environment.includes(session));
  } catch {
    return false; // gone
  }
}

const kindsOf = async (daemon: TestDaemon, session: string): Promise<string[]> =>
  (await eventsOf(daemon, session)).map(({ kind }) => kind);

test("two kills are both answered with the end that both asked for, which is told once", async () => {
  const daemon = await startDaemon();
  const { id, harness } = await stubborn(daemon);
  const answers = await Promise.all([
    act(daemon, "kill", { session: id, graceMs: 300 }),
    act(daemon, "kill", { session: id, graceMs: 100 }),
  ]);
  for (const answer of answers) expect(payloadOf(answer)).toMatchObject({ id, status: "killed" });
  expect(stillLiving([harness])).toEqual([]);
  expect((await kindsOf(daemon, id)).slice(-3)).toEqual(["kill", "status", "exit"]);
  expect((await kindsOf(daemon, id)).filter((kind) => kind === "exit")).toHaveLength(1);
});

test("a sacrifice during a kill is refused, and its watchers are told of either", async () => {
  const daemon = await startDaemon();
  const { id, harness } = await stubborn(daemon);
  const confirmed = { session: id, confirm: true };
  const [killed, refused] = await Promise.all([
    act(daemon, "kill", { session: id, graceMs: 200 }),
    act(daemon, "sacrifice", confirmed),
  ]);
  expect([codeOf(killed), codeOf(refused)]).toEqual(["ok", "session_live"]);
  expect(stillLiving([harness])).toEqual([]);
  const watching = act(daemon, "watch", { sessions: [id], until: "output", matchText: "never" });
  expect(codeOf(await act(daemon, "sacrifice", confirmed))).toBe("ok");
  expect(payloadOf(await watching)).toMatchObject({ outcome: "gone" });
  expect(rowsOf(daemon, id)).toBe(0);
});

test("what is typed during a kill is taken or refused, and never told after the end", async () => {
  const daemon = await startDaemon();
  const { id } = await stubborn(daemon);
  const type = () => act(daemon, "input", { session: id, data: "x", keys: ["enter"] });
  const answers = await Promise.all([
    type(),
    act(daemon, "kill", { session: id, graceMs: 0 }),
    type(),
    type(),
  ]);
  expect(codeOf(answers[1])).toBe("ok");
  for (const answer of [answers[0], answers[2], answers[3]])
    expect(["ok", "session_not_live", "input_not_accepted"]).toContain(codeOf(answer));
  expect((await kindsOf(daemon, id)).at(-1)).toBe("exit");
});

test("kills of what is only just being launched wait for it, and leave nothing of it", async () => {
  const home = makeHome();
  const daemon = await startDaemon(home);
  await ended(daemon, "exit 0");
  process.kill(hostOf(home), "SIGSTOP");
  const asked = { harness: "shell", projectRoot: makeProject(), prompt: "exec sleep 987654" };
  const launching = Array.from({ length: 8 }, () => act(daemon, "run", asked));
  const createdIds = async (): Promise<string[]> =>
    (await sessionsOf(daemon)).flatMap(({ id, status }) => (status === "created" ? [id] : []));
  await expect.poll(createdIds).toHaveLength(launching.length);
  const ids = await createdIds();
  const killing = ids.map((session) => act(daemon, "kill", { session, graceMs: 0 }));
  // Answered behind the kills, which are on their way to the host by then.
  await daemon.client.health();
  process.kill(hostOf(home), "SIGCONT");
  expect((await Promise.all([...killing, ...launching])).map(codeOf)).toEqual(
    [...killing, ...launching].map(() => "ok"),
  );
  expect((await sessionsOf(daemon)).filter(({ status }) => status === "killed")).toHaveLength(ids.length);
  expect(listProcesses().filter(({ pid }) => carries(pid, ids))).toEqual([]);
  for (const id of ids) expect((await kindsOf(daemon, id)).at(-1)).toBe("exit");
});

test("a launch while the daemon stops is ended and named, or refused; nothing of it stays live", async () => {
  const home = makeHome();
  const daemon = await startDaemon(home);
  await ended(daemon, "exit 0");
  const asked = { harness: "shell", projectRoot: makeProject(), prompt: "exec sleep 1000" };
  const launching = Array.from({ length: 5 }, () => act(daemon, "run", asked).catch(() => undefined));
  const { ended: named } = z
    .object({ ended: z.array(z.object({ id: z.string() })) })
    .parse(await daemon.client.shutdown(false));
  const launched = (await Promise.all(launching)).filter((answer) => answer?.status === 200);
  await daemon.exited;

  const next = await startDaemon(home);
  const sessions = await sessionsOf(next);
  expect(sessions.filter(({ status }) => status === "created" || status === "running")).toEqual([]);
  const orphaned = sessions.filter(({ status }) => status === "orphaned").map(({ id }) => id);
  expect(named.map(({ id }) => id).sort()).toEqual(orphaned.sort());
  for (const answer of launched)
    expect(orphaned).toContain(z.object({ id: z.string() }).parse(answer && payloadOf(answer)).id);
});

test("of two who complete a session differently the first is believed", async () => {
  const daemon = await startDaemon();
  await act(daemon, "register", { id: "elsewhere", projectRoot: "/tmp", harness: "other" });
  const answers = await Promise.all(
    [3, 0].map((exitCode) => act(daemon, "complete", { session: "elsewhere", exitCode })),
  );
  const [one, other] = answers.map(payloadOf);
  expect(one).toEqual(other);
  expect((await kindsOf(daemon, "elsewhere")).filter((kind) => kind === "exit")).toHaveLength(1);
});

test("a sacrifice among archives, prunes and readers leaves nothing, and nobody is answered with a fault", async () => {
  const daemon = await startDaemon();
  const id = await ended(daemon, "yes 0123456789abcdef | head -n 120000");
  const reading = outputOf(daemon, id).then(
    () => "ok",
    () => "cut off",
  );
  const answers = await Promise.all([
    act(daemon, "prune", { olderThanMs: 0 }),
    act(daemon, "archive", { session: id }),
    act(daemon, "tail", { session: id }),
    act(daemon, "sacrifice", { session: id, confirm: true }),
    act(daemon, "summon", { session: id }),
    act(daemon, "events", { session: id }),
  ]);
  for (const answer of answers) expect(["ok", "session_not_found"]).toContain(codeOf(answer));
  expect(codeOf(answers[3])).toBe("ok");
  await reading;
  expect(rowsOf(daemon, id)).toBe(0);
});

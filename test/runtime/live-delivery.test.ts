/** Follow-ups to sessions that live: what is typed, when, and that it is typed once. */
import { mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { createClient } from "../../src/rpc/client.ts";
import { attachTo } from "../support/attached.ts";
import { type TestDaemon, startDaemon } from "../support/daemon.ts";
import { eventsOf, launch, makeProject } from "../support/launch.ts";
import { launchRun } from "../support/runs.ts";
import { type TypedSession, eventual, launchTyped } from "../support/typed-claude.ts";

const asked = z.object({ wake: z.string(), state: z.string() });
type Daemon = Pick<TestDaemon, "client">;
type Named = Pick<TypedSession, "id">;

const wake = async ({ client }: Daemon, { id }: Named, message: string, more: object = {}): Promise<string> =>
  asked.parse(await client.call("wake", { session: id, message, ...more })).wake;

const press = ({ client }: Daemon, { id }: Named, ...keys: string[]): Promise<unknown> =>
  client.call("input", { session: id, keys });

const becomes = (daemon: Daemon, { id }: Named, state: string) => eventual(daemon, id, "activity", { state });

const moved = (daemon: Daemon, { id }: Named, wakeId: string, state: string) =>
  eventual(daemon, id, "wake", { wakeId, state });

const hasDraft = (daemon: Daemon, { id }: Named) =>
  eventual(daemon, id, "activity", { evidence: "screen: a draft in the composer" });

/** Where it stands now. */
const stateOf = async ({ client }: Daemon, { id }: Named, wakeId: string): Promise<string | undefined> => {
  const { wakes } = z
    .object({ wakes: z.array(asked) })
    .parse(await client.call("wakes", { session: id, all: true }));
  return wakes.find((each) => each.wake === wakeId)?.state;
};

async function launchWaiting(daemon: TestDaemon): Promise<TypedSession> {
  const session = await launchTyped(daemon);
  await becomes(daemon, session, "waiting");
  return session;
}

/** Resolves when another session was looked at, and told something, later than whatever was asked for before. */
async function othersAreServed(daemon: TestDaemon): Promise<void> {
  const other = await launchWaiting(daemon);
  await moved(daemon, other, await wake(daemon, other, "barrier"), "delivered");
}

const pasteOf = (text: string): string => `\u001b[200~${text}\u001b[201~`;
const typed = (session: TypedSession): string[] => session.read().map(({ text }) => text);

test("a wake is pasted into an empty composer and sent with one Enter", async () => {
  const daemon = await startDaemon();
  const session = await launchWaiting(daemon);
  const message = "first line\n\tsecond line: é, 漢字";
  const id = await wake(daemon, session, message);
  expect(await moved(daemon, session, id, "delivered")).toMatchObject({ runId: session.run });
  expect(session.noted("submitted")).toEqual([message]);
  expect(typed(session)).toEqual([pasteOf(message), "\r"]);
});

test("several wakes are said in their order, each in a turn of its own", async () => {
  const daemon = await startDaemon();
  const session = await launchTyped(daemon);
  const messages = ["one", "two", "three"];
  const ids: string[] = [];
  for (const message of messages) ids.push(await wake(daemon, session, message));
  for (const id of ids) await moved(daemon, session, id, "delivered");
  expect(session.noted("submitted")).toEqual(messages);
  expect(typed(session)).toEqual(messages.flatMap((message) => [pasteOf(message), "\r"]));
});

test("nothing in a message ends its paste or presses a key", async () => {
  const daemon = await startDaemon();
  const session = await launchWaiting(daemon);
  const id = await wake(daemon, session, "begin\u001b[201~\rrm -rf x\r\u0003\u001b\u009b201~\u0018 end\n\n");
  await moved(daemon, session, id, "delivered");
  const said = "begin[201~\nrm -rf x\n201~ end";
  expect(session.noted("submitted")).toEqual([said]);
  expect(typed(session)).toEqual([pasteOf(said), "\r"]);
});

test.each(["idle", "now"])("a wake (%s) is not typed into a dialog, and arrives after it", async (when) => {
  const daemon = await startDaemon();
  const session = await launchWaiting(daemon);
  await press(daemon, session, "ctrl-o");
  await becomes(daemon, session, "attention");
  const id = await wake(daemon, session, "1", { when });
  await othersAreServed(daemon);
  expect(await stateOf(daemon, session, id)).toBe("queued");
  expect(typed(session)).toEqual(["\u000f"]);
  await press(daemon, session, "enter");
  await moved(daemon, session, id, "delivered");
  expect(typed(session)).toEqual(["\u000f", "\r", pasteOf("1"), "\r"]);
  expect(session.noted("submitted")).toEqual(["1"]);
});

test.each(["idle", "now"])("a wake (%s) is not joined to a half-typed line", async (when) => {
  const daemon = await startDaemon();
  const session = await launchWaiting(daemon);
  await daemon.client.call("input", { session: session.id, data: "half" });
  await hasDraft(daemon, session);
  const id = await wake(daemon, session, "whole", { when });
  await othersAreServed(daemon);
  expect(await stateOf(daemon, session, id)).toBe("queued");
  await press(daemon, session, "ctrl-w");
  await moved(daemon, session, id, "delivered");
  expect(typed(session)).toEqual(["half", "\u0017", pasteOf("whole"), "\r"]);
  expect(session.noted("submitted")).toEqual(["whole"]);
});

test("while the harness works a wake waits, and one for now is typed at once", async () => {
  const daemon = await startDaemon();
  const session = await launchWaiting(daemon);
  await press(daemon, session, "ctrl-b");
  await becomes(daemon, session, "busy");
  const later = await wake(daemon, session, "later");
  const now = await wake(daemon, session, "at once", { when: "now" });
  await moved(daemon, session, now, "delivered");
  expect(await stateOf(daemon, session, later)).toBe("queued");
  expect(session.noted("submitted")).toEqual(["at once"]);
  await press(daemon, session, "ctrl-b");
  await moved(daemon, session, later, "delivered");
  expect(session.noted("submitted")).toEqual(["at once", "later"]);
});

test("a person who types at the terminal comes first", async () => {
  const daemon = await startDaemon();
  const session = await launchWaiting(daemon);
  const terminal = await attachTo(daemon, session.id);
  // What a terminal says by itself is no key.
  terminal.type("\u001b[I\u001b[1;1R");
  await moved(daemon, session, await wake(daemon, session, "to one who looks on"), "delivered");
  terminal.type("abc");
  await hasDraft(daemon, session);
  const typedAt = Date.now();
  terminal.type("\u0017");
  const id = await wake(daemon, session, "to one who thinks");
  await moved(daemon, session, id, "delivered");
  expect(Date.now() - typedAt).toBeGreaterThan(9000);
  expect(session.noted("submitted")).toEqual(["to one who looks on", "to one who thinks"]);
});

test("what somebody types while a message is pasted is typed behind it", async () => {
  const daemon = await startDaemon();
  const session = await launchWaiting(daemon);
  await press(daemon, session, "ctrl-e");
  const id = await wake(daemon, session, "held");
  await eventual(daemon, session.id, "input", { data: pasteOf("held") });
  const terminal = await attachTo(daemon, session.id);
  terminal.type("mine");
  // The program shows at last what it was given, as soon as it reads anything.
  await moved(daemon, session, id, "failed");
  await hasDraft(daemon, session);
  expect(typed(session)).toEqual(["\u0005", pasteOf("held"), "mine"]);
});

test("a paste that the composer does not show is not sent, said so, and not typed again", async () => {
  const daemon = await startDaemon();
  const session = await launchWaiting(daemon);
  await press(daemon, session, "ctrl-p");
  const lost = await wake(daemon, session, "swallowed");
  const { reason } = await moved(daemon, session, lost, "failed");
  expect(reason).toMatch(/^not_shown: /);
  await moved(daemon, session, await wake(daemon, session, "another"), "delivered");
  expect(typed(session)).toEqual(["\u0010", pasteOf("swallowed"), pasteOf("another"), "\r"]);
});

test("a composer that shows more than the message is not sent", async () => {
  const daemon = await startDaemon();
  const session = await launchWaiting(daemon);
  await press(daemon, session, "ctrl-t");
  const id = await wake(daemon, session, "mine");
  const { reason } = await moved(daemon, session, id, "failed");
  expect(reason).toMatch(/^not_shown: .*another text/);
  expect(session.noted("submitted")).toEqual([]);
  expect(typed(session)).toEqual(["\u0014", pasteOf("mine")]);
});

test("a dialog that opens behind the paste gets no Enter; the message is sent when it is answered", async () => {
  const daemon = await startDaemon();
  const session = await launchWaiting(daemon);
  await press(daemon, session, "ctrl-n");
  const id = await wake(daemon, session, "patient");
  await becomes(daemon, session, "attention");
  await othersAreServed(daemon);
  expect(typed(session)).toEqual(["\u000e", pasteOf("patient")]);
  await daemon.client.call("input", { session: session.id, data: "2" });
  await moved(daemon, session, id, "delivered");
  expect(session.noted("answered")).toEqual([["echo 1", "2"]]);
  expect(typed(session)).toEqual(["\u000e", pasteOf("patient"), "2", "\r"]);
  expect(session.noted("submitted")).toEqual(["patient"]);
});

test("a message that Enter does not send is said to stand there", async () => {
  const daemon = await startDaemon();
  const session = await launchWaiting(daemon);
  await press(daemon, session, "ctrl-g");
  const { reason } = await moved(daemon, session, await wake(daemon, session, "stuck"), "failed");
  expect(reason).toMatch(/^not_submitted: /);
  expect(typed(session)).toEqual(["\u0007", pasteOf("stuck"), "\r"]);
});

test("a daemon that is killed between the paste and its Enter leads to one message", async () => {
  const first = await startDaemon();
  const session = await launchWaiting(first);
  await press(first, session, "ctrl-e");
  const id = await wake(first, session, "once");
  await eventual(first, session.id, "input", { data: pasteOf("once") });
  await kill(first);
  const second = await startDaemon(first.home);
  const { pid } = await eventual(second, session.id, "metadata", {});
  process.kill(Number(pid), "SIGUSR1");
  await moved(second, session, id, "delivered");
  expect(session.noted("submitted")).toEqual(["once"]);
  expect(typed(session)).toEqual(["\u0005", pasteOf("once"), "\r"]);
});

test("a daemon that is killed behind the Enter does not press it again", async () => {
  const first = await startDaemon();
  const session = await launchWaiting(first);
  await press(first, session, "ctrl-g");
  const id = await wake(first, session, "once");
  await eventual(first, session.id, "input", { data: "\r" });
  await kill(first);
  const second = await startDaemon(first.home);
  await press(second, session, "ctrl-w");
  await moved(second, session, id, "delivered");
  expect(typed(session)).toEqual(["\u0007", pasteOf("once"), "\r", "\u0017"]);
});

test("with a host that is lost between the paste and its Enter it is not known what became of it", async () => {
  const daemon = await startDaemon();
  const session = await launchWaiting(daemon);
  await press(daemon, session, "ctrl-e");
  const id = await wake(daemon, session, "who knows");
  await eventual(daemon, session.id, "input", { data: pasteOf("who knows") });
  process.kill(hostOf(daemon), "SIGKILL");
  const { reason } = await moved(daemon, session, id, "failed");
  expect(reason).toMatch(/^delivery_unknown/);
});

test("what was not typed before the run ended is said to the next run", async () => {
  const daemon = await startDaemon();
  const session = await launchWaiting(daemon);
  await press(daemon, session, "ctrl-b");
  await becomes(daemon, session, "busy");
  const id = await wake(daemon, session, "for the next one");
  await press(daemon, session, "ctrl-x");
  const { runId } = await moved(daemon, session, id, "delivered");
  expect(runId).not.toBe(session.run);
  await daemon.client.call("watch", { sessions: [session.id], matchText: "? for shortcuts" });
  expect(session.noted("prompts")).toEqual([" begin", "for the next one"]);
  expect(session.noted("submitted")).toEqual([]);
});

test("a message that ends the run holds up none behind it", async () => {
  const daemon = await startDaemon();
  const session = await launchWaiting(daemon);
  await wake(daemon, session, "/exit");
  const id = await wake(daemon, session, "for the next one");
  await eventual(daemon, session.id, "exit", {});
  const endedAt = Date.now();
  await moved(daemon, session, id, "delivered");
  expect(Date.now() - endedAt).toBeLessThan(4000);
  expect(session.noted("submitted")).toEqual(["/exit"]);
});

test("a session cannot give itself a command by waking itself, the owner can", async () => {
  const daemon = await startDaemon();
  const session = await launchWaiting(daemon);
  const [token] = z.array(z.string()).parse(session.noted("token"));
  const itself = {
    client: createClient({ kind: "socket", path: daemon.socket, token: token ?? "" }, "test"),
  };
  await moved(daemon, session, await wake(itself, session, "!touch x"), "delivered");
  await moved(daemon, session, await wake(daemon, session, "/compact"), "delivered");
  expect(session.noted("submitted")).toEqual(["[Coven] You wanted to be told:\n\n!touch x", "/compact"]);
});

test("a harness whose screens are not known is only told what is for now", async () => {
  const daemon = await startDaemon();
  const script = "read a; echo got $a; read b";
  const session = await launch(daemon, script, { launchMode: "interactive" });
  const idle = await wake(daemon, session, "idle");
  const now = await wake(daemon, session, "hello\u001b[201~", { when: "now" });
  await moved(daemon, session, now, "delivered");
  await daemon.client.call("watch", {
    sessions: [session.id],
    matchText: "got hello[201~",
    cursor: session.cursor,
  });
  expect(await stateOf(daemon, session, idle)).toBe("queued");
});

test("nobody types by a wake into such a harness who may not with input", async () => {
  const daemon = await startDaemon();
  const project = makeProject();
  const script = "while read line; do echo got $line; done";
  const more = { launchMode: "interactive", projectRoot: project };
  const session = await launch(daemon, script, more);
  const sibling = await launchRun(daemon, daemon.client, project);
  const theirs = await wake(sibling, session, "rm -rf x", { when: "now" });
  const owners = await wake(daemon, session, "from the owner", { when: "now" });
  await moved(daemon, session, owners, "delivered");
  const child = await launchRun(daemon, sibling.client, project, { launchMode: "interactive" });
  await moved(daemon, child, await wake(sibling, child, "to a child", { when: "now" }), "delivered");
  expect(await stateOf(daemon, session, theirs)).toBe("queued");
  const inputs = (await eventsOf(daemon, session.id)).filter(({ kind }) => kind === "input");
  expect(inputs.map(({ payload }) => payload)).toEqual([{ data: "from the owner\r" }]);
});

test("a stream session is told when its turn is over, or at once", async () => {
  const daemon = await startDaemon();
  const session = await launchStream(daemon, "stay");
  const idle = await wake(daemon, session, "after the turn");
  await othersAreServed(daemon);
  expect(await stateOf(daemon, session, idle)).toBe("queued");
  const now = await wake(daemon, session, "at once", { when: "now" });
  await moved(daemon, session, now, "delivered");
  await moved(daemon, session, idle, "delivered");
  await eventual(daemon, session.id, "message", { role: "assistant", text: 'user said "after the turn"' });
  const events = await eventsOf(daemon, session.id);
  const said = events.flatMap(({ kind, payload }) => (kind === "input" ? [payload] : []));
  expect(said).toEqual([{ data: "at once" }, { data: "after the turn" }]);
});

async function kill(daemon: TestDaemon): Promise<void> {
  process.kill(daemon.pid, "SIGKILL");
  await daemon.exited;
}

function hostOf({ home }: TestDaemon): number {
  const pids = readdirSync(home).flatMap((name) => /^host-(\d+)\.sock$/.exec(name)?.[1] ?? []);
  return Number(pids[0]);
}

async function launchStream({ client }: TestDaemon, prompt: string): Promise<Named> {
  const folder = mkdtempSync(join(tmpdir(), "coven-programs-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  symlinkSync(
    fileURLToPath(new URL("../fixtures/harnesses/claude.mjs", import.meta.url)),
    join(folder, "claude"),
  );
  const answer = await client.call(
    "run",
    { harness: "claude", projectRoot: makeProject(), prompt, launchMode: "stream" },
    { env: { PATH: [folder, dirname(process.execPath), "/usr/bin", "/bin"].join(delimiter) } },
  );
  return z.object({ id: z.string() }).parse(answer);
}

import { chmodSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { eventPayloads } from "../../src/events.ts";
import { type TestDaemon, startDaemon } from "../support/daemon.ts";
import { eventsOf, launch } from "../support/launch.ts";
import { conversed, inStore } from "../support/wakes.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const line = "─".repeat(80);
const composer = (draft = ""): string =>
  `${line}\r\n❯ ${draft}\r\n${line}\r\n  ? for shortcuts\x1b[2;${3 + draft.length}H`;
const dialog = (what: string): string =>
  [line, " Bash command", "", `   ${what}`, "", " Do you want to proceed?", " ❯ 1. Yes", "   2. No"].join(
    "\r\n",
  ) + "\x1b[7;2H";

test("a dialog on the screen is attention with its question, until the screen shows it gone", async () => {
  const daemon = await startDaemon();
  const lane = await claude(daemon);
  await lane.does({ hook: { hook_event_name: "UserPromptSubmit" } });
  expect(await lane.next()).toMatchObject({ state: "busy", evidence: "hook UserPromptSubmit" });
  await lane.does({ show: dialog("rm -r build") });
  const asked = await lane.next();
  expect(asked).toMatchObject({
    state: "attention",
    evidence: "screen: permission prompt",
    question: { text: including("rm -r build"), choices: ["Yes", "No"] },
  });
  const { client } = daemon;
  expect(await client.call("status", { session: lane.id })).toMatchObject({ activity: asked });
  expect(await client.call("list", { attention: true, detail: "brief" })).toMatchObject({
    sessions: [{ id: lane.id, activity: "attention" }],
  });
  expect(await client.call("watch", { sessions: [lane.id], until: "attention" })).toMatchObject({
    outcome: "met",
    sessions: [{ status: "running", met: true, question: asked.question }],
  });
  await lane.does({ show: dialog("rm -r build") });
  await lane.does({ show: composer() });
  expect(await lane.next()).toMatchObject({ state: "waiting", evidence: "screen: empty composer" });
  expect(await client.call("list", { attention: true })).toMatchObject({ sessions: [] });
});

test("a secret that was printed in pieces is not told whole with the question", async () => {
  const daemon = await startDaemon();
  const lane = await claude(daemon);
  const [one, other] = ["sk-ppppa1B2c3D4e5", "F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0"];
  await lane.does({ show: dialog(`login ${one}\x1b[0m${other}`) });
  const { question } = await lane.next();
  expect(question?.text).toContain("login [REDACTED]");
  expect(question?.text).not.toContain(other);
});

test("the same words asked again are another question, and a watch from the cursor waits for that", async () => {
  const daemon = await startDaemon();
  const lane = await claude(daemon);
  await lane.does({ show: dialog("make") });
  const first = await lane.next();
  const wait = { sessions: [lane.id], until: "attention" };
  const { cursor } = z.object({ cursor: z.string() }).parse(await daemon.client.call("watch", wait));
  const again = daemon.client.call("watch", { ...wait, cursor });
  await lane.does({ show: composer() });
  await lane.next();
  await lane.does({ show: dialog("make") });
  const second = await lane.next();
  expect(second.question).toMatchObject({ text: first.question?.text });
  expect(second.question?.id).not.toBe(first.question?.id);
  expect(await again).toMatchObject({ outcome: "met", sessions: [{ question: second.question }] });
});

test("a hook tells of a question whose dialog is not known, and that it is answered", async () => {
  const daemon = await startDaemon();
  const lane = await claude(daemon);
  const tool = { tool_name: "Bash", tool_input: { command: "make" } };
  await lane.does({ show: "a dialog that nobody knows" });
  await lane.does({ hook: { hook_event_name: "PermissionRequest", ...tool } });
  expect(await lane.next()).toMatchObject({
    state: "attention",
    evidence: "hook PermissionRequest",
    question: { text: including("make"), choices: [] },
  });
  await lane.does({ hook: { hook_event_name: "PostToolUse", ...tool } });
  expect(await lane.next()).toMatchObject({ state: "busy", evidence: "hook PostToolUse" });
  await lane.does({ hook: { hook_event_name: "Stop" } });
  expect(await lane.next()).toMatchObject({ state: "waiting", evidence: "hook Stop" });
});

test("somebody's draft in the composer is told, and that it is gone", async () => {
  const daemon = await startDaemon();
  const lane = await claude(daemon);
  await lane.does({ hook: { hook_event_name: "UserPromptSubmit" } });
  await lane.next();
  await lane.does({ hook: { hook_event_name: "Stop" } });
  await lane.next();
  await lane.does({ show: composer("half a sen") });
  expect(await lane.next()).toMatchObject({ state: "waiting", evidence: "screen: a draft in the composer" });
  await lane.does({ show: composer() });
  expect(await lane.next()).toMatchObject({ state: "waiting", evidence: "screen: empty composer" });
});

test("a session that has fallen silent on a screen that says nothing goes on being what it was", async () => {
  const daemon = await startDaemon();
  const lane = await claude(daemon);
  await lane.does({ hook: { hook_event_name: "UserPromptSubmit" } });
  await lane.next();
  await lane.does({ show: "some output of a build" });
  await lane.does({ show: dialog("only now") });
  expect(await lane.next()).toMatchObject({ state: "attention" });
  expect((await eventsOf(daemon, lane.id)).filter(({ kind }) => kind === "activity")).toHaveLength(2);
});

test("a screen that is never quiet is looked at as well", async () => {
  const daemon = await startDaemon();
  const lane = await claude(daemon);
  await lane.does({ hook: { hook_event_name: "UserPromptSubmit" } });
  await lane.next();
  await lane.does({ show: dialog("make all"), spin: 50 });
  expect(await lane.next()).toMatchObject({ state: "attention" });
});

test("a daemon that starts again knows what is open, under the same id", async () => {
  const daemon = await startDaemon();
  const lane = await claude(daemon);
  await lane.does({ show: dialog("make") });
  const { question } = await lane.next();
  process.kill(daemon.pid, "SIGKILL");
  await daemon.exited;
  const next = await startDaemon(daemon.home);
  expect(await next.client.call("status", { session: lane.id })).toMatchObject({
    activity: { state: "attention", question },
  });
  const wait = { sessions: [lane.id], until: "attention" };
  const { cursor } = z.object({ cursor: z.string() }).parse(await next.client.call("watch", wait));
  await lane.does({ show: dialog("make") }, next);
  await lane.does({ show: dialog("make something else") }, next);
  expect(await next.client.call("watch", { ...wait, cursor })).toMatchObject({
    sessions: [{ question: { text: including("something else") } }],
  });
  const activities = (await eventsOf(next, lane.id)).filter(({ kind }) => kind === "activity");
  expect(activities).toHaveLength(2);
});

test("a stream session waits after its result, and works when something is said to it", async () => {
  const daemon = await startDaemon();
  const lane = await claude(daemon, { launchMode: "stream", prompt: "Hello." }, "claude.mjs");
  expect(await lane.next()).toMatchObject({ state: "waiting", evidence: "structured output: result" });
  await daemon.client.call("input", { session: lane.id, data: "stay" });
  expect(await lane.next()).toMatchObject({ state: "busy", evidence: "structured output" });
});

test("of what gives no signs it is said that nothing is known, and nothing of what has ended", async () => {
  const daemon = await startDaemon();
  const { client } = daemon;
  const { id } = await launch(daemon, "sleep 1000", { launchMode: "interactive" });
  expect(await client.call("status", { session: id })).toMatchObject({ activity: { state: "unknown" } });
  await client.call("kill", { session: id });
  expect(await client.call("status", { session: id })).not.toHaveProperty("activity");
  expect(await client.call("list", {})).toMatchObject({ sessions: [{ id, activity: null }] });
});

const including = (text: string): unknown => expect.stringContaining(text);

const ran = z.object({ id: z.string() });

/** A session whose terminal does what the test says; `next` is its next change of activity, in the log's order. */
async function claude(daemon: TestDaemon, more: object = {}, program = "screens-claude.mjs") {
  const folder = mkdtempSync(join(tmpdir(), "coven-programs-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(root, "test/fixtures/harnesses", program);
  chmodSync(file, 0o755);
  symlinkSync(file, join(folder, "claude"));
  const env = {
    PATH: [folder, dirname(process.execPath), "/usr/bin", "/bin"].join(delimiter),
    COVEN_PROGRAM: join(root, "bin/coven"),
  };
  const args = { harness: "claude", launchMode: "interactive", projectRoot: folder, prompt: "Go.", ...more };
  const { id } = ran.parse(await daemon.client.call("run", args, { env }));
  const over = new AbortController();
  onTestFinished(() => over.abort());
  const events = daemon.client.events(id, 0, over.signal);
  const until = async (kind: string, text = ""): Promise<unknown> => {
    for (;;) {
      const next = await events.next();
      if (next.done === true) throw new Error(`no ${kind} any more`);
      const payload: unknown = JSON.parse(next.value.payload_json);
      if (next.value.kind === kind && next.value.payload_json.includes(text)) return payload;
    }
  };
  if (program === "screens-claude.mjs") await until("output", "ready");
  return {
    id,
    does: async (command: object, { client }: Pick<TestDaemon, "client"> = daemon) => {
      await client.call("input", { session: id, data: `${JSON.stringify(command)}\n` });
    },
    next: async () => eventPayloads.activity.parse(await until("activity")),
  };
}

test("what a host of an older version has left of a session that ended is nobody's activity", async () => {
  const daemon = await startDaemon();
  const { id } = await conversed(daemon);
  const left = { state: "attention", evidence: "hook PermissionRequest", since: new Date().toISOString() };
  inStore(daemon.home, (db) =>
    db.prepare("UPDATE sessions SET activity = ? WHERE id = ?").run(JSON.stringify(left), id),
  );
  expect(await daemon.client.call("record", { session: id })).toMatchObject({ activity: null });
  expect(await daemon.client.call("list", { includeArchived: true })).toMatchObject({
    sessions: [{ id, activity: null }],
  });
});

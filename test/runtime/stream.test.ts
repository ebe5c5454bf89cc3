/** Sessions in mode stream: a harness that is spoken to in turns until its input is closed. */
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { type TestDaemon, startDaemon } from "../support/daemon.ts";
import { eventsOf, launch, makeProject } from "../support/launch.ts";
import { send } from "../support/socket.ts";

const fixtures = fileURLToPath(new URL("../fixtures/harnesses", import.meta.url));

/** A folder for PATH with the harness that is played by a fixture. */
function programs(): string {
  const folder = mkdtempSync(join(tmpdir(), "coven-programs-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ["claude", "codex"]) symlinkSync(join(fixtures, `${name}.mjs`), join(folder, name));
  return [folder, dirname(process.execPath), "/usr/bin", "/bin"].join(delimiter);
}

async function startStream(daemon: TestDaemon, prompt: string): Promise<string> {
  const args = { harness: "claude", projectRoot: makeProject(), prompt, launchMode: "stream" };
  const answer = await daemon.client.call("run", args, { env: { PATH: programs() } });
  return z.object({ id: z.string() }).parse(answer).id;
}

/** Resolves when so many turns have ended. */
async function turnsEnded(daemon: TestDaemon, session: string, count: number): Promise<void> {
  let ended = 0;
  for await (const { kind } of daemon.client.events(session, 0)) {
    if (kind === "result") ended += 1;
    if (ended === count) return;
  }
}

const untilEnd = (daemon: TestDaemon, session: string): Promise<unknown> =>
  daemon.client.call("watch", { sessions: [session], until: "terminal" });

const refusal = (code: string): unknown => expect.objectContaining({ code });

test("a stream session answers each message, keeps the conversation in its log, and ends when its input is closed", async () => {
  const daemon = await startDaemon();
  const session = await startStream(daemon, "first");
  await turnsEnded(daemon, session, 1);
  await daemon.client.call("input", { session, data: 'second: "é"\nin two lines\n' });
  await turnsEnded(daemon, session, 2);
  expect(await daemon.client.call("status", { session })).toMatchObject({ status: "running", active: true });
  await daemon.client.call("input", { session, data: "last", end: true });
  expect(await untilEnd(daemon, session)).toMatchObject({
    outcome: "met",
    sessions: [{ status: "completed", exitCode: 0, lastMessage: 'user said "last"' }],
  });

  const events = await eventsOf(daemon, session);
  const of = (kind: string): unknown[] => events.flatMap((each) => (each.kind === kind ? each.payload : []));
  const second = 'second: "é"\nin two lines';
  expect(of("message")).toEqual([
    { role: "user", text: "first" },
    { role: "assistant", text: 'user said "first"' },
    { role: "user", text: second },
    { role: "assistant", text: `user said ${JSON.stringify(second)}` },
    { role: "user", text: "last" },
    { role: "assistant", text: 'user said "last"' },
  ]);
  expect(of("result")).toMatchObject([{ turns: 1 }, { turns: 1 }, { turns: 1 }]);
  expect(of("conversation")).toHaveLength(1);
  expect(of("input")).toEqual([{ data: second }, { data: "last" }]);
});

test("a long message arrives whole and stands in the log in small rows", async () => {
  const daemon = await startDaemon();
  const session = await startStream(daemon, "first");
  const data = `"é\\ `.repeat(30_000);
  await daemon.client.call("input", { session, data, end: true });
  await untilEnd(daemon, session);
  const texts = new Map<string, string>();
  for await (const { kind, payload_json } of daemon.client.events(session, 0)) {
    if (kind === "exit") break;
    const { role, text, data = text } = said.parse(JSON.parse(payload_json));
    const key = `${kind} ${role}`;
    texts.set(key, `${texts.get(key) ?? ""}${data ?? ""}`);
    if (kind === "message" || kind === "input") expect(payload_json.length).toBeLessThan(16 * 1024);
  }
  expect(texts.get("input ")).toBe(data);
  expect(texts.get("message user")).toBe(`first${data}`);
  expect(texts.get("message assistant")).toContain(`user said ${JSON.stringify(data)}`);
});

const said = z.looseObject({
  role: z.string().default(""),
  text: z.string().optional(),
  data: z.string().optional(),
});

test("its input is closed without a word, and takes nothing more", async () => {
  const daemon = await startDaemon();
  const session = await startStream(daemon, "first");
  await daemon.client.call("input", { session, end: true });
  // It may still be in its turn or gone by now; either way the message reaches nobody, and that is said.
  await expect(daemon.client.call("input", { session, data: "too late" })).rejects.toThrow(
    /input of session .* is closed|is not live|no live process/,
  );
  expect(await untilEnd(daemon, session)).toMatchObject({ sessions: [{ status: "completed" }] });
});

test("a stream session takes messages only: no keys, nothing blank, nothing typed into a terminal", async () => {
  const daemon = await startDaemon();
  const session = await startStream(daemon, "stay");
  const input = (args: object): Promise<unknown> => daemon.client.call("input", { session, ...args });
  await expect(input({ keys: ["enter"] })).rejects.toThrow(refusal("input_not_accepted"));
  await expect(input({ data: "yes", keys: ["enter"] })).rejects.toThrow("no terminal to press keys in");
  await expect(input({ data: " \r\n" })).rejects.toThrow(refusal("invalid_request"));
  const socket = await daemon.client.attach(session, 0);
  const refused = new Promise((resolve) => {
    socket.on("message", (frame) => {
      const text = Buffer.isBuffer(frame) ? frame.toString() : "";
      if (text.includes('"refused"')) resolve(text);
    });
  });
  socket.once("open", () => socket.send(Buffer.from("y")));
  expect(await refused).toContain("input_not_accepted");
  socket.terminate();
  expect((await eventsOf(daemon, session)).filter(({ kind }) => kind === "input")).toEqual([]);
  expect(await daemon.client.call("kill", { session })).toMatchObject({ status: "killed" });
});

test("the input of a terminal cannot be closed", async () => {
  const daemon = await startDaemon();
  const { id } = await launch(daemon, "cat", { launchMode: "interactive" });
  await expect(daemon.client.call("input", { session: id, end: true })).rejects.toThrow(
    refusal("input_not_accepted"),
  );
});

test("a harness without the mode fails to launch as published clients expect, and capabilities say which have it", async () => {
  const daemon = await startDaemon();
  const body = { harness: "codex", projectRoot: makeProject(), prompt: "look", launchMode: "stream" };
  const answer = await send(daemon.socket, "POST", "/api/v1/sessions", { body });
  expect(answer).toMatchObject({ status: 500, body: { error: { code: "launch_failed" } } });
  const { capabilities } = z
    .object({ capabilities: z.array(z.looseObject({ id: z.string() })) })
    .parse(await daemon.client.call("capabilities", {}));
  const modesOf = (id: string): unknown => capabilities.find((record) => record.id === id)?.["modes"];
  expect(modesOf("harness.claude")).toEqual(["interactive", "nonInteractive", "stream"]);
  expect(modesOf("harness.codex")).toEqual(["interactive", "nonInteractive"]);
});

/** `coven hook`, as a harness calls it: with an event on standard input and its run's variables around it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { eventRecord } from "../../src/capabilities/records.ts";
import { type Client, createClient } from "../../src/rpc/client.ts";
import { type Result, resultOf } from "../support/coven.ts";
import { type TestDaemon, makeHome, startDaemon } from "../support/daemon.ts";
import { makeProject } from "../support/launch.ts";
import { launchRun } from "../support/runs.ts";
import { send } from "../support/socket.ts";

const launcher = fileURLToPath(new URL("../../bin/coven", import.meta.url));

const silent = { code: 0, stdout: "", stderr: "" };

const start = (env: Readonly<Record<string, string>>, words: readonly string[] = ["claude"]) =>
  spawn(launcher, ["hook", ...words], { env: { PATH: "/usr/local/bin:/usr/bin:/bin", ...env } });

const call = (
  env: Readonly<Record<string, string>>,
  event: object | string,
  harness = "claude",
): Promise<Result> =>
  resultOf(start(env, [harness]), typeof event === "string" ? event : JSON.stringify(event));

const began = (conversation: string): object => ({
  hook_event_name: "SessionStart",
  session_id: conversation,
});

/** A live session whose harness is called claude, played by a shell. */
async function claudeRun(
  daemon?: TestDaemon,
  launchMode = "interactive",
): Promise<{ daemon: TestDaemon; id: string; env: Record<string, string> }> {
  daemon ??= await startDaemon();
  const project = makeProject();
  const programs = join(daemon.home, "programs");
  mkdirSync(programs, { recursive: true });
  writeFileSync(join(programs, "claude"), playsClaude);
  chmodSync(join(programs, "claude"), 0o755);
  const env = { PATH: `${programs}:/usr/local/bin:/usr/bin:/bin` };
  const { client } = daemon;
  const by: Client = {
    ...client,
    call: (action, args) => client.call(action, args, { env }),
  };
  const { id, token } = await launchRun(daemon, by, project, {
    harness: "claude",
    launchMode,
  });
  return { daemon, id, env: { COVEN_HOME: daemon.home, COVEN_TOKEN: token } };
}

/** Its last argument is the prompt, which is run. */
const playsClaude = `#!/bin/sh
[ "$1" = --version ] && { echo 1.0; exit; }
for prompt; do :; done
exec sh -c "$prompt"
`;

const conversations = async ({ client }: TestDaemon, session: string): Promise<unknown[]> =>
  z
    .object({ events: z.array(eventRecord) })
    .parse(await client.call("events", { session }))
    .events.filter(({ kind }) => kind === "conversation")
    .map(({ payload_json }): unknown => JSON.parse(payload_json));

const logged = ({ home }: TestDaemon): string =>
  readdirSync(join(home, "logs"))
    .filter((name) => name.startsWith("daemon"))
    .map((name) => readFileSync(join(home, "logs", name), "utf8"))
    .join("");

it("keeps the conversation that the harness is in, once for each", async () => {
  const { daemon, id, env } = await claudeRun();
  for (const conversation of ["c-1", "c-1", "c-2"])
    expect(await call(env, began(conversation))).toEqual(silent);
  expect(await daemon.client.call("record", { session: id })).toMatchObject({ harness_session_id: "c-2" });
  expect(await conversations(daemon, id)).toEqual([{ harnessSessionId: "c-1" }, { harnessSessionId: "c-2" }]);
});

it("keeps no conversation that a session of another project has", async () => {
  const first = await claudeRun();
  const second = await claudeRun(first.daemon);
  expect(await call(first.env, began("c-1"))).toEqual(silent);
  expect(await call(second.env, began("c-2"))).toEqual(silent);
  expect(await call(second.env, began("c-1"))).toEqual(silent);
  expect(await conversations(first.daemon, second.id)).toEqual([{ harnessSessionId: "c-2" }]);
  expect(logged(first.daemon)).toContain("the conversation of another project's session");
});

it("keeps no conversation of a run whose structured output tells which it is in", async () => {
  const { daemon, id, env } = await claudeRun(undefined, "nonInteractive");
  const before = await daemon.client.call("record", { session: id });
  expect(await call(env, began("c-1"))).toEqual(silent);
  expect(await conversations(daemon, id)).toEqual([]);
  expect(await daemon.client.call("record", { session: id })).toMatchObject({
    harness_session_id: z.object({ harness_session_id: z.string() }).parse(before).harness_session_id,
  });
});

it("tells the daemon what the harness does, and nothing to the harness", async () => {
  const { daemon, id, env } = await claudeRun();
  expect(await call(env, { hook_event_name: "Stop" })).toEqual(silent);
  expect(await call(env, { hook_event_name: "SomethingNew" })).toEqual(silent);
  const secret = { hook_event_name: "UserPromptSubmit", notification_type: "sk-a1B2 c3D4" };
  expect(await call(env, secret)).toEqual(silent);
  const lines = logged(daemon)
    .split("\n")
    .filter((line) => line.includes('"hook called"'));
  expect(lines.map((line): unknown => JSON.parse(line))).toMatchObject([
    { session: id, state: "waiting", evidence: "hook Stop" },
    { session: id, state: "busy", evidence: "hook UserPromptSubmit" },
  ]);
});

it("sends of a huge event what says which it is", async () => {
  const { daemon, env, id } = await claudeRun();
  const big = { command: "x".repeat(300_000), more: Array.from({ length: 500 }, () => "é".repeat(3000)) };
  // Above what is read at all, and below.
  for (const [session_id, bytes] of [
    ["c-8", 5_000_000],
    ["c-9", 0],
  ] as const) {
    const event = { session_id, hook_event_name: "SessionStart", tool_name: "Bash", tool_input: big };
    expect(await call(env, { ...event, tool_response: "y".repeat(bytes) })).toEqual(silent);
    expect(await daemon.client.call("record", { session: id })).toMatchObject({
      harness_session_id: session_id,
    });
  }
});

it("is silent where no daemon listens, and starts none", async () => {
  const home = makeHome();
  expect(await call({ COVEN_HOME: home, COVEN_TOKEN: "coven_run_x" }, began("c"))).toEqual(silent);
  expect(await call({ COVEN_HOME: join(home, "nowhere"), COVEN_TOKEN: "coven_run_x" }, began("c"))).toEqual(
    silent,
  );
  expect(existsSync(join(home, "ledger.sqlite3"))).toBe(false);
});

it("lets the harness go on when the daemon hangs, or no event comes", async () => {
  const home = makeHome();
  const server = createServer().listen(join(home, "coven.sock"));
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const env = { COVEN_HOME: home, COVEN_TOKEN: "coven_run_x" };
  expect(await call(env, began("c"))).toEqual(silent);
  const waits = start(env);
  await once(waits, "exit");
  expect(waits.exitCode).toBe(0);
});

it("says that a token is missing or wrong, with the code of a caller that may not", async () => {
  const { home } = await startDaemon();
  const missing = await call({ COVEN_HOME: home }, began("c"));
  expect(missing).toMatchObject({ code: 77, stdout: "" });
  expect(missing.stderr).toMatch(/^coven hook: not_permitted: .*COVEN_TOKEN/);
  const wrong = await call({ COVEN_HOME: home, COVEN_TOKEN: "coven_run_nobodys" }, began("c"));
  expect(wrong).toMatchObject({ code: 77, stdout: "" });
  expect(wrong.stderr).toMatch(/^coven hook: unauthenticated: the token is not known here/);
});

it("is refused for a harness that the session does not run", async () => {
  const { daemon, env, id } = await claudeRun();
  const answer = await call(env, began("c"), "codex");
  expect(answer).toMatchObject({ code: 64, stdout: "" });
  expect(answer.stderr).toContain(`session ${id} runs claude, not codex`);
  expect(await conversations(daemon, id)).toEqual([]);
});

it.each([
  ["nothing", ""],
  ["no JSON", "Stop"],
  ["no object", "[]"],
])("says that %s is no event", async (_, event) => {
  const answer = await call({ COVEN_HOME: makeHome(), COVEN_TOKEN: "coven_run_x" }, event);
  expect(answer).toMatchObject({ code: 64, stdout: "" });
  expect(answer.stderr).toMatch(/^coven hook: invalid_request: /);
});

it.each([[[]], [["--help"]]])("says how it is called when it is called %j", async (words) => {
  const answer = await resultOf(start({ COVEN_HOME: makeHome() }, words));
  expect(answer).toMatchObject({ code: 64, stdout: "" });
  expect(answer.stderr).toContain("coven hook HARNESS");
});

it("is refused an event that is larger than any the program sends, and to the owner", async () => {
  const { daemon, env } = await claudeRun();
  const post = async (headers: Record<string, string>, event: object): Promise<string> => {
    const token = headers["token"];
    const client = createClient(
      { kind: "socket", path: daemon.socket, ...(token !== undefined && { token }) },
      "test",
    );
    return client.call("hook", { harness: "claude", event }).then(
      () => "done",
      (error: unknown) => z.object({ code: z.string() }).parse(error).code,
    );
  };
  const token = env["COVEN_TOKEN"] ?? "";
  expect(await post({ token }, { message: "x".repeat(70_000) })).toBe("payload_too_large");
  expect(await post({ token }, {})).toBe("done");
  expect(await post({}, {})).toBe("not_permitted");
});

it("is refused an event that is nested without end", async () => {
  const { daemon, id, env } = await claudeRun();
  const nested = (levels: number): string => `${"[".repeat(levels)}${"]".repeat(levels)}`;
  for (const levels of [100, 20_000]) {
    const event = `{"hook_event_name":"PermissionRequest","tool_name":"Bash","tool_input":${nested(levels)}}`;
    const answer = await send(daemon.socket, "POST", "/api/v1/actions", {
      body: `{"action":"hook","args":{"harness":"claude","event":${event}}}`,
      headers: { authorization: `Bearer ${env["COVEN_TOKEN"]}` },
    });
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({
      error: { code: "invalid_request", message: "hook: event: must be at most 64 levels deep" },
    });
  }
  expect(await daemon.client.call("status", { session: id })).toMatchObject({
    activity: { state: "unknown" },
  });
});

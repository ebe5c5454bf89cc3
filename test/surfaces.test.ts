/**
 * Every action over every surface: the same result and the same failure as in the daemon's own process. What a surface
 * leaves out or says in its own words stands in the tables with the reason; a new action or a new surface without its
 * row fails.
 */
import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import type { Capability } from "../src/capabilities/capability.ts";
import { capabilities } from "../src/capabilities/registry.ts";
import { startDaemon } from "../src/daemon.ts";
import { locateHome } from "../src/home.ts";
import { createClient } from "../src/rpc/client.ts";
import { makeHome } from "./support/daemon.ts";
import { makeProject } from "./support/launch.ts";
import { eventual, launchTyped } from "./support/typed-claude.ts";
import {
  type Answered,
  type Call,
  type Place,
  type Surface,
  inProcess,
  surfaces,
} from "./support/surfaces.ts";
import { type Asked, type Row, type Stage, registered, rows, shell } from "./support/surface-rows.ts";

const program = fileURLToPath(new URL("../dist/main.js", import.meta.url));

const launched = z.object({ id: z.string() });
const asking = z.object({ question: z.object({ id: z.string() }) });
const asked = z.object({ wake: z.string() });
const registration = z.object({ session: launched });

/** A daemon in this process, and what rows make in it. */
async function open(): Promise<{ place: Place; stage: Stage; reference: Call }> {
  const home = locateHome({ COVEN_HOME: makeHome() });
  const daemon = await startDaemon({ home, version: "0.0.0", program, tcp: undefined });
  onTestFinished(async () => {
    await createClient({ kind: "socket", path: home.socket }, "test").shutdown(false);
    await daemon.stopped;
  });
  const place = { home: home.root, socket: home.socket, invoke: daemon.invoke };
  const reference = await inProcess.open(place);
  const project = makeProject();
  const done = async (name: string, input: object): Promise<unknown> => {
    const answer = await reference({ action: actionOf(name), input, words: [] });
    if ("output" in answer) return answer.output;
    throw new Error(JSON.stringify(answer.failure));
  };
  const launch = async (more: object): Promise<string> =>
    launched.parse(await done("run", { ...shell(project), ...more })).id;
  const ended = async (labels: readonly string[] = []): Promise<string> => {
    const session = await launch({ prompt: "echo hello; exit 3", title: "ended", labels });
    await done("watch", { sessions: [session] });
    return session;
  };
  const resumable = async (): Promise<string> => {
    const session = await launch({ harness: "turns", prompt: "echo hello", title: "resumable" });
    await done("watch", { sessions: [session] });
    return session;
  };
  const stage: Stage = {
    project,
    resumable,
    waiting: async () => {
      const session = await resumable();
      return { session, ...asked.parse(await done("wake", { session, message: "go on", delay: "1d" })) };
    },
    ended: () => ended(),
    live: () => launch({ prompt: "read line", launchMode: "interactive", title: "live" }),
    archived: async (labels) => {
      const session = await ended(labels);
      await done("archive", { session });
      return session;
    },
    asking: async () => {
      const client = createClient({ kind: "socket", path: home.socket }, "test");
      const { id } = await launchTyped({ client }, "ask");
      const { question } = asking.parse(await eventual({ client }, id, "activity", { state: "attention" }));
      return { session: id, question: question.id };
    },
    outside: async () =>
      registration.parse(await done("register", registered(randomUUID(), project).input)).session.id,
  };
  return { place, stage, reference };
}

function actionOf(name: string): Capability {
  const action = capabilities.get(name);
  if (action === undefined) throw new Error(`there is no action ${name}`);
  return action;
}

/** What no two calls have in common, each by what it is; everything else is compared as it is. */
function comparable(value: unknown, key = ""): unknown {
  if (Array.isArray(value)) return value.map((each) => comparable(each, key));
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, comparable(each, name)]));
  if (typeof value === "number") return counted.has(key) ? `<${key}>` : value;
  if (typeof value !== "string") return value;
  if (key === "payload_json") return comparable(JSON.parse(value), key);
  return value
    .replaceAll(/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, "<id>")
    .replaceAll(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,9}Z/g, "<time>")
    .replaceAll(/^[0-9a-f]+-\d+(?:~[\d.]+)?$/g, "<cursor>")
    .replaceAll(/^evt-\d+$/g, "<event>")
    .replaceAll(/"pid":\d+/g, '"pid":"<pid>"')
    .replaceAll(/\bcast-[0-9a-z]+\b/g, "<cast>");
}

/** The numbers that grow with the log or are the system's. */
const counted: ReadonlySet<string> = new Set([
  "createdAt",
  "endedAt",
  "seq",
  "afterSeq",
  "pid",
  "usedBytes",
  "live",
  "liveSessions",
]);

/** Calls a row twice, over the surface and in the daemon's own process, each with a stage of its own. */
async function compare(
  { row, surface, call }: { row: Row; surface: Surface; call: Call },
  { stage, reference }: { stage: Stage; reference: Call },
): Promise<void> {
  const action = actionOf(row.action);
  const where = `${row.action}, ${row.when}, by ${surface.name}`;
  const ask = async (by: Call, asked: Asked): Promise<Answered> => by({ action, ...asked });
  const expected = await ask(reference, await row.asks(stage));
  if ("failure" in expected) expect(expected.failure.code, where).toBe(row.fails);
  else expect(row.fails, where).toBeUndefined();

  const answer = await ask(call, await row.asks(stage));
  const isBeyondTools = row.beyondTools === true && surface.name.startsWith("MCP");
  if (isBeyondTools || surface.leavesOut?.which(action) === true) {
    expect("failure" in answer ? answer.failure.code : answer, where).toMatch(
      /^(unknown_tool|invalid_request)$/,
    );
    return;
  }
  if ("failure" in expected) {
    const isOwn = row.cliInItsWords !== undefined && surface.name === "the CLI";
    const { code } = expected.failure;
    if (isOwn) expect.soft(answer, where).toMatchObject({ failure: { code, message: expect.any(String) } });
    else expect.soft(comparable(answer), where).toEqual(comparable(expected));
    return;
  }
  const shown = surface.shown?.(action, expected.output) ?? expected.output;
  expect.soft(comparable(answer), where).toEqual({ output: comparable(shown) });
}

/** These answer a run alone, and the rows are asked by the owner: what they answer, `cli/hook.test.ts` sees. */
const refusedToTheOwner: ReadonlySet<string> = new Set(["hook"]);

test("every action has a row with a result, and one with a failure", () => {
  for (const name of capabilities.keys())
    for (const isFailure of refusedToTheOwner.has(name) ? [true] : [false, true])
      expect(
        rows.some(({ action, fails }) => action === name && (fails !== undefined) === isFailure),
        `${name}, ${isFailure ? "failing" : "answering"}`,
      ).toBe(true);
  for (const { action } of rows) expect(capabilities.has(action), action).toBe(true);
});

describe.each(surfaces)("$name", (surface) => {
  test("answers and refuses as the daemon's own process does", async () => {
    const opened = await open();
    const call = await surface.open(opened.place);
    for (const row of rows) await compare({ row, surface, call }, opened);
  }, 90_000);

  test("does once what is asked again under one intent, whichever way it was asked before", async () => {
    const { place, stage, reference } = await open();
    const call = await surface.open(place);
    const ask = {
      action: actionOf("run"),
      input: { ...shell(stage.project), launchMode: "nonInteractive" },
      words: ["run", "shell", "read line", "--project", stage.project, "--detach"],
      intentId: "once",
    };
    const idIn = (answer: Answered): string => z.object({ output: launched }).parse(answer).output.id;
    const first = idIn(await call(ask));
    expect(idIn(await reference(ask))).toBe(first);
    expect(idIn(await call(ask))).toBe(first);
  });
});

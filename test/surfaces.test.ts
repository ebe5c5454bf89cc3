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
import type { FailureCode } from "../src/errors.ts";
import { locateHome } from "../src/home.ts";
import { createClient } from "../src/rpc/client.ts";
import { makeHome } from "./support/daemon.ts";
import { makeProject } from "./support/launch.ts";
import {
  type Answered,
  type Call,
  type Place,
  type Surface,
  inProcess,
  surfaces,
} from "./support/surfaces.ts";

const program = fileURLToPath(new URL("../dist/main.js", import.meta.url));

/** What a row may make for its call. Everything in it is done in the daemon's own process. */
interface Stage {
  readonly project: string;
  /** A session that has printed `hello` and ended with 3. */
  readonly ended: () => Promise<string>;
  /** A session that waits at its terminal. */
  readonly live: () => Promise<string>;
  readonly archived: (labels?: readonly string[]) => Promise<string>;
  /** A session that runs outside Coven. */
  readonly outside: () => Promise<string>;
}

interface Asked {
  readonly input: object;
  /** The same as a person types it. */
  readonly words: readonly string[];
}

interface Row {
  readonly action: string;
  readonly when: string;
  /** Made anew for each call: what is done to a session is done once. */
  readonly asks: (stage: Stage) => Asked | Promise<Asked>;
  readonly fails?: FailureCode;
  /** Why the CLI refuses it with the code alone in common. */
  readonly cliInItsWords?: string;
}

const nobody = "00000000-0000-4000-8000-000000000000";
const shell = (project: string) => ({ harness: "shell", projectRoot: project, prompt: "read line" });
const ofSession = (verb: string, session: string, ...more: string[]): Asked => ({
  input: { session },
  words: [verb, session, ...more],
});
const unknownOption = "what is no option is refused where options are parsed";
const nonsense = (verb: string): Pick<Row, "asks" | "fails" | "cliInItsWords" | "when"> => ({
  when: "an argument is given that it has not",
  asks: () => ({ input: { nonsense: 1 }, words: [verb, "--nonsense", "1"] }),
  fails: "invalid_request",
  cliInItsWords: unknownOption,
});
const ofNobody = (verb: string): Pick<Row, "asks" | "fails" | "when"> => ({
  when: "there is no such session",
  asks: () => ofSession(verb, nobody),
  fails: "session_not_found",
});

const rows: readonly Row[] = [
  {
    action: "run",
    when: "one session is launched",
    asks: ({ project }) => ({
      input: { ...shell(project), title: "surfaces", labels: ["a", "b"] },
      words: ["run", "shell", "read line", "--project", project, "--title", "surfaces"].concat([
        "--label",
        "a",
        "--label",
        "b",
        "--detach",
      ]),
    }),
  },
  {
    action: "run",
    when: "lanes are launched",
    asks: ({ project }) => ({
      input: { projectRoot: project, lanes: [1, 2].map(() => ({ harness: "shell", prompt: "read line" })) },
      words: ["run", "--project", project, "--lane", "shell: read line", "--lane", "shell: read line"],
    }),
  },
  {
    action: "run",
    when: "the harness is not known",
    asks: ({ project }) => ({
      input: { ...shell(project), harness: "nonesuch" },
      words: ["run", "nonesuch", "read line", "--project", project, "--detach"],
    }),
    fails: "invalid_request",
  },
  {
    action: "list",
    when: "archived ones of a label are wanted",
    asks: async (stage) => {
      const label = randomUUID();
      await stage.archived([label]);
      const input = { projectRoot: stage.project, label, includeArchived: true, limit: 3, detail: "full" };
      const words = [
        "--project",
        stage.project,
        "--label",
        label,
        "--all",
        "--limit",
        "3",
        "--detail",
        "full",
      ];
      return { input, words: ["list", ...words] };
    },
  },
  {
    action: "list",
    when: "the cursor is none",
    asks: () => ({ input: { cursor: "x!" }, words: ["list", "--cursor", "x!"] }),
    fails: "invalid_request",
  },
  { action: "status", when: "it has ended", asks: async (stage) => ofSession("status", await stage.ended()) },
  { action: "status", when: "it is live", asks: async (stage) => ofSession("status", await stage.live()) },
  { action: "status", when: "no session is named", asks: () => ({ input: {}, words: ["status"] }) },
  { action: "status", ...ofNobody("status") },
  { action: "record", when: "it has ended", asks: async (stage) => ofSession("record", await stage.ended()) },
  { action: "record", ...ofNobody("record") },
  {
    action: "watch",
    when: "one has ended and the other goes on",
    asks: async (stage) => {
      const sessions = [await stage.ended(), await stage.live()];
      return { input: { sessions, count: "any" }, words: ["watch", ...sessions, "--any"] };
    },
  },
  {
    action: "watch",
    when: "the time is over",
    asks: async (stage) => {
      const session = await stage.live();
      return {
        input: { sessions: [session], timeoutMs: 20 },
        words: ["watch", session, "--timeout", "20ms"],
      };
    },
  },
  {
    action: "watch",
    when: "there is no such session",
    asks: () => ({ input: { sessions: [nobody] }, words: ["watch", nobody] }),
    fails: "session_not_found",
  },
  {
    action: "events",
    when: "a page is wanted",
    asks: async (stage) => {
      const session = await stage.ended();
      return { input: { session, limit: 3 }, words: ["events", session, "--limit", "3"] };
    },
  },
  { action: "events", ...ofNobody("events") },
  { action: "output", when: "it has ended", asks: async (stage) => ofSession("output", await stage.ended()) },
  { action: "output", ...ofNobody("output") },
  { action: "tail", when: "it has ended", asks: async (stage) => ofSession("tail", await stage.ended()) },
  {
    action: "tail",
    when: "the cursor is from another store",
    asks: async (stage) => {
      const [session, cursor] = [await stage.ended(), "00ff00ff-1"];
      return { input: { session, cursor }, words: ["tail", session, "--cursor", cursor] };
    },
    fails: "invalid_request",
  },
  { action: "screen", when: "it has ended", asks: async (stage) => ofSession("screen", await stage.ended()) },
  { action: "screen", ...ofNobody("screen") },
  {
    action: "input",
    when: "it is live",
    asks: async (stage) => {
      const session = await stage.live();
      return {
        input: { session, data: "hello", keys: ["enter"] },
        words: ["input", session, "hello", "--key", "enter"],
      };
    },
  },
  {
    action: "input",
    when: "it has ended",
    asks: async (stage) => {
      const session = await stage.ended();
      return { input: { session, data: "hello" }, words: ["input", session, "hello"] };
    },
    fails: "session_not_live",
  },
  { action: "kill", when: "it is live", asks: async (stage) => ofSession("kill", await stage.live()) },
  {
    action: "kill",
    when: "it has ended",
    asks: async (stage) => ofSession("kill", await stage.ended()),
    fails: "session_not_live",
  },
  {
    action: "archive",
    when: "it has ended",
    asks: async (stage) => ofSession("archive", await stage.ended()),
  },
  {
    action: "archive",
    when: "it is live",
    asks: async (stage) => ofSession("archive", await stage.live()),
    fails: "session_live",
  },
  {
    action: "summon",
    when: "it is archived",
    asks: async (stage) => ofSession("summon", await stage.archived()),
  },
  { action: "summon", ...ofNobody("summon") },
  {
    action: "sacrifice",
    when: "it is confirmed",
    asks: async (stage) => {
      const session = await stage.ended();
      return { input: { session, confirm: true }, words: ["sacrifice", session, "--yes"] };
    },
  },
  {
    action: "sacrifice",
    when: "it is not confirmed",
    asks: async (stage) => ofSession("sacrifice", await stage.ended()),
    fails: "confirmation_required",
  },
  {
    action: "prune",
    when: "it is only tried",
    asks: () => ({
      input: { dryRun: true, olderThanMs: 86_400_000 },
      words: ["prune", "--dry-run", "--older-than", "1d"],
    }),
  },
  { action: "prune", ...nonsense("prune") },
  { action: "capabilities", when: "asked", asks: () => ({ input: {}, words: ["capabilities"] }) },
  { action: "capabilities", ...nonsense("capabilities") },
  { action: "health", when: "asked", asks: () => ({ input: {}, words: ["health"] }) },
  { action: "health", ...nonsense("health") },
  { action: "coven.capabilities.refresh", when: "asked", asks: () => ({ input: {}, words: [] }) },
  { action: "coven.capabilities.refresh", ...nonsense("") },
  { action: "api_version", when: "asked", asks: () => ({ input: {}, words: [] }) },
  { action: "api_version", ...nonsense("") },
  {
    action: "harness_capabilities",
    when: "one is named",
    asks: () => ({ input: { harness: "shell" }, words: [] }),
  },
  {
    action: "harness_capabilities",
    when: "there is no such harness",
    asks: () => ({ input: { harness: "nonesuch" }, words: [] }),
    fails: "harness_not_found",
  },
  {
    action: "register",
    when: "it is new",
    asks: ({ project }) => registered(randomUUID(), project),
  },
  {
    action: "register",
    when: "the id is that of a session of Coven's own",
    asks: async (stage) => registered(await stage.ended(), stage.project),
    fails: "session_id_conflict",
  },
  {
    action: "complete",
    when: "it runs outside Coven",
    asks: async (stage) => {
      const session = await stage.outside();
      return { input: { session, exitCode: 3 }, words: ["complete", session, "--exit-code", "3"] };
    },
  },
  {
    action: "complete",
    when: "it is one of Coven's own",
    asks: async (stage) => ofSession("complete", await stage.ended()),
    fails: "not_external_session",
  },
  { action: "log", when: "it has ended", asks: async (stage) => ofSession("log", await stage.ended()) },
  { action: "log", ...ofNobody("log") },
  {
    action: "cast",
    when: "it is for nobody",
    asks: () => ({ input: { code: "~?" }, words: ["cast", "~?"] }),
  },
  {
    action: "cast",
    when: "there is no such session",
    asks: () => ({ input: { code: "~?", target: nobody }, words: ["cast", "~?", "--target", nobody] }),
    fails: "session_not_found",
  },
  { action: "cast_codes", when: "asked", asks: () => ({ input: {}, words: [] }) },
  { action: "cast_codes", ...nonsense("") },
];

const registered = (id: string, project: string): Asked => ({
  input: { id, projectRoot: project, harness: "another", title: "outside" },
  words: ["register", "--id", id, "--project", project, "--harness", "another", "--title", "outside"],
});

const launched = z.object({ id: z.string() });
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
  const stage: Stage = {
    project,
    ended: () => ended(),
    live: () => launch({ prompt: "read line", launchMode: "interactive", title: "live" }),
    archived: async (labels) => {
      const session = await ended(labels);
      await done("archive", { session });
      return session;
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
const counted: ReadonlySet<string> = new Set(["seq", "afterSeq", "pid", "usedBytes", "live", "liveSessions"]);

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
  if (surface.leavesOut?.which(action) === true) {
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

test("every action has a row with a result, and one with a failure", () => {
  for (const name of capabilities.keys())
    for (const isFailure of [false, true])
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

/** A lane with a real harness and a scripted model: a git project to work in, the programs' PATH, and what became of it. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  watch as watchFolder,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished } from "vitest";
import { z } from "zod";
import { eventRecord, sessionRecord } from "../../src/capabilities/records.ts";
import { type EventKind, type EventPayload, eventPayloads } from "../../src/events.ts";
import { lookAround } from "../../src/runtime/host/processes.ts";
import { type StandIn, type StandInHarness, startStandIn } from "../mock-models/stand-ins.ts";
import { type TestDaemon, startDaemon } from "../support/daemon.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const programs = resolve(
  process.env["COVEN_TEST_HARNESSES"] || join(root, ".cache/harnesses"),
  "node_modules/.bin",
);
/** What the lane's caller has on its PATH: the real programs, the Node that codex runs on, and the system's own. */
const path = [programs, dirname(process.execPath), "/usr/local/bin", "/usr/bin", "/bin"].join(delimiter);

export const programOf = (harness: StandInHarness): string => join(programs, harness);

export interface Lane {
  readonly daemon: TestDaemon;
  readonly standIn: StandIn;
  readonly project: string;
  readonly session: string;
  readonly runId: string;
  readonly cursor: string;
}

export interface LaneRequest {
  /** What the model says, given the project's path. */
  readonly turns: (project: string) => readonly object[];
  readonly prompt: string;
  readonly args?: object;
  /** Added to the caller's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Done to the program's home before it is launched. */
  readonly prepare?: (standIn: StandIn) => void;
  /** A folder looked at before the programs. */
  readonly firstOnPath?: string;
}

/** Launches under the default permission unless `args` say otherwise; everything is ended when the test is. */
export async function launch(harness: StandInHarness, request: LaneRequest): Promise<Lane> {
  if (!existsSync(join(programs, harness)))
    throw new Error(`no ${harness} in ${programs}: npm run test:real`);
  const project = gitProject();
  const standIn = await startStandIn(harness, { turns: request.turns(project) }, project);
  onTestFinished(standIn.stop);
  request.prepare?.(standIn);
  const daemon = await startDaemon();
  const { prompt, args, env, firstOnPath } = request;
  const answer = await daemon.client.call(
    "run",
    { harness, projectRoot: project, prompt, ...args },
    {
      env: {
        ...standIn.env,
        PATH: firstOnPath === undefined ? path : firstOnPath + delimiter + path,
        ...env,
      },
    },
  );
  const { id, runId, cursor } = launched.parse(answer);
  const lane = { daemon, standIn, project, session: id, runId, cursor };
  onTestFinished(async () => {
    await daemon.stop();
    const left = processesOf(lane);
    for (const pid of left) process.kill(pid, "SIGKILL");
    expect(left).toEqual([]);
  });
  return lane;
}

const launched = sessionRecord.extend({ runId: z.string(), cursor: z.string() });

/** A file to edit, and a script that passes once it is edited and leaves a trace of having run. */
export function gitProject(): string {
  const project = realpathSync(mkdtempSync(join(tmpdir(), "coven-project-")));
  onTestFinished(() => rmSync(project, { recursive: true, force: true, maxRetries: 5 }));
  writeFileSync(join(project, "greeting.txt"), "hello\n");
  writeFileSync(join(project, "test.sh"), script);
  const git = (...args: string[]): Buffer => execFileSync("git", ["-C", project, ...args]);
  git("init", "--quiet", "--initial-branch=main");
  git("add", ".");
  git("-c", "user.name=t", "-c", "user.email=t@t", "commit", "--quiet", "--message=first");
  return project;
}

const script = `#!/bin/sh
grep -qx "hello world" greeting.txt || { echo "test failed"; exit 1; }
echo "test passed" | tee -a test-runs.txt
`;

/** Resolves when the lane has made a file of that name. */
export async function fileAppears({ project }: Lane, name: string): Promise<void> {
  const watcher = watchFolder(project);
  onTestFinished(() => watcher.close());
  while (!existsSync(join(project, name))) await once(watcher, "change");
}

export const fileIn = ({ project }: Lane, name: string): string => readFileSync(join(project, name), "utf8");

export const call = (lane: Lane, action: string, args: object = {}): Promise<unknown> =>
  lane.daemon.client.call(action, { session: lane.session, ...args });

/** Waits from the cursor that `run` answered until the lane has ended. */
export async function watched(lane: Lane): Promise<object> {
  const { session, cursor, daemon } = lane;
  const answer = await daemon.client.call("watch", { sessions: [session], until: "terminal", cursor });
  const { outcome, sessions } = watchAnswer.parse(answer);
  expect(outcome).toBe("met");
  return sessions[0];
}

const watchAnswer = z.object({ outcome: z.string(), sessions: z.tuple([z.looseObject({})]) });

export const tailOf = async (lane: Lane): Promise<string> =>
  z.object({ text: z.string() }).parse(await call(lane, "tail", { lines: 200 })).text;

/** All events of the session, oldest first. */
export async function eventsOf(lane: Lane): Promise<z.output<typeof eventRecord>[]> {
  const all: z.output<typeof eventRecord>[] = [];
  for (let hasMore = true; hasMore;) {
    const answer = await call(lane, "events", { afterSeq: all.at(-1)?.seq ?? 0 });
    const page = z.object({ events: z.array(eventRecord), hasMore: z.boolean() }).parse(answer);
    all.push(...page.events);
    ({ hasMore } = page);
  }
  return all;
}

/** The payloads of one kind of event. */
export async function payloadsOf<K extends EventKind>(lane: Lane, kind: K): Promise<EventPayload<K>[]> {
  const schemas: { readonly [Kind in EventKind]: z.ZodType<EventPayload<Kind>> } = eventPayloads;
  const schema = schemas[kind];
  return (await eventsOf(lane))
    .filter((event) => event.kind === kind)
    .map((event) => schema.parse(JSON.parse(event.payload_json)));
}

export async function rawOutputOf(lane: Lane): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of lane.daemon.client.output(lane.session)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The model as it was asked for last, and the results of its tools as it has been shown them by then. */
export function asked({ standIn }: Lane): { model: string; results: string[] } {
  const turn = standIn
    .seen()
    .flatMap((line) => turnLine.safeParse(line).data ?? [])
    .at(-1);
  return { model: turn?.model ?? "", results: turn?.results.map(({ text }) => text) ?? [] };
}

const turnLine = z.object({
  kind: z.literal("turn"),
  model: z.string(),
  results: z.array(z.object({ text: z.string() })),
});

/** Processes that carry the run's marker. */
export const processesOf = ({ runId }: Lane): number[] =>
  [...lookAround().runIds].flatMap(([pid, marker]) => (marker === runId ? [pid] : []));

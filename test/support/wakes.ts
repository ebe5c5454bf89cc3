/** Conversations of scripts (`turns`), their follow-ups, and what became of them. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import Database from "better-sqlite3";
import { z } from "zod";
import { type EventKind, type EventPayload, type WakeState, eventPayloads } from "../../src/events.ts";
import type { TestDaemon } from "./daemon.ts";
import { launch, makeProject } from "./launch.ts";

export interface Conversation {
  readonly id: string;
  readonly project: string;
  readonly cursor: string;
}

/** A session whose turns are scripts; the first is this one. */
export async function converse(daemon: TestDaemon, script: string, more: object = {}): Promise<Conversation> {
  const project = makeProject();
  const launched = await launch(daemon, script, { harness: "turns", projectRoot: project, ...more });
  return { ...launched, project };
}

/** One that has had its first turn. */
export async function conversed(
  daemon: TestDaemon,
  script = "exit 0",
  more: object = {},
): Promise<Conversation> {
  const conversation = await converse(daemon, script, more);
  await ended(daemon, conversation.id);
  return conversation;
}

/** A script that says that it runs, and goes on when the gate is opened. */
export function gated(
  project: string,
  name = "gate",
  rest = "exit 0",
): { script: string; open: () => Promise<void> } {
  const path = join(project, name);
  spawnSync("mkfifo", [path]);
  return {
    script: `echo at ${name}; cat ${path} >/dev/null; ${rest}`,
    // Resolves when the script is there to be let on.
    open: async () => (await open(path, "w")).close(),
  };
}

const asked = z.looseObject({
  wake: z.string(),
  state: z.string(),
  cursor: z.string(),
  held: z.string().optional(),
});

export const wake = async (
  { client }: Pick<TestDaemon, "client">,
  session: string,
  message: string,
  more: object = {},
) => asked.parse(await client.call("wake", { session, message, ...more }));

const listed = z.object({
  wakes: z.array(
    z.looseObject({
      wake: z.string(),
      state: z.string(),
      message: z.string(),
      reason: z.string().optional(),
      held: z.string().optional(),
      lateMs: z.int().optional(),
    }),
  ),
});

/** All follow-ups of a session, in the order in which they were asked for. */
export async function wakesOf({ client }: Pick<TestDaemon, "client">, session: string) {
  return listed.parse(await client.call("wakes", { session, all: true })).wakes.reverse();
}

/** What happens in a session from its beginning on, as it happens; ends at nothing. */
export async function* story<K extends EventKind>(
  { client }: Pick<TestDaemon, "client">,
  session: string,
  kind: K,
): AsyncGenerator<EventPayload<K>> {
  const schemas: { readonly [Kind in EventKind]: z.ZodType<EventPayload<Kind>> } = eventPayloads;
  for await (const event of client.events(session, 0))
    if (event.kind === kind) yield schemas[kind].parse(JSON.parse(event.payload_json));
}

/** Resolves with the ending when the session has ended so many times. */
export async function ended(daemon: Pick<TestDaemon, "client">, session: string, times = 1) {
  let count = 0;
  for await (const exit of story(daemon, session, "exit")) if ((count += 1) === times) return exit;
  throw new Error(`session ${session} has ended ${count} times`);
}

/** Resolves when that follow-up has come to that state. */
export async function reached(
  daemon: Pick<TestDaemon, "client">,
  session: string,
  { wake: wakeId }: { readonly wake: string },
  state: WakeState,
) {
  for await (const event of story(daemon, session, "wake"))
    if (event.wakeId === wakeId && event.state === state) return event;
  throw new Error(`wake ${wakeId} never was ${state}`);
}

/** A turn that leaves a line in a file, by which it is counted. */
export const leaves = (line: string): string => `echo ${line} >> said.txt`;

export function said({ project }: Pick<Conversation, "project">): string[] {
  const path = join(project, "said.txt");
  return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : [];
}

/** Looks into the store, or changes it, behind everybody's back. */
export function inStore<T>(home: string, work: (db: Database.Database) => T): T {
  const db = new Database(join(home, "ledger.sqlite3"), { timeout: 5000 });
  try {
    return work(db);
  } finally {
    db.close();
  }
}

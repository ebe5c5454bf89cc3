/** Follow-ups and answers at the real programs' terminals. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { z } from "zod";
import { type EventPayload, eventPayloads } from "../../src/events.ts";
import { type Lane, call, fileAppears, fileIn, launch, payloadsOf } from "./lane.ts";

const interactive = { launchMode: "interactive" };
const harnesses = ["claude", "codex"] as const;
type Program = (typeof harnesses)[number];

const short = "Look again, please:\n\n\tonly this once.";
const long = Array.from({ length: 60 }, (_, line) => `Line ${line} of a long message, with some words.`).join(
  "\n",
);

it.each(harnesses)("%s is told short and long follow-ups, each once", async (harness) => {
  const turns = (): object[] => ["One.", "Two.", "Three."].map((text) => ({ text }));
  const lane = await launch(harness, { turns, prompt: "Say something.", args: interactive });
  const log = eventsOf(lane);
  await log.activity("waiting");
  const first = await wake(lane, short);
  const second = await wake(lane, long);
  await log.moved(first, "delivered");
  await log.moved(second, "delivered");
  await log.activity("waiting");
  expect(said(lane).map((text) => [text.includes(squeezed(short)), text.includes(squeezed(long))])).toEqual([
    [false, false],
    [true, false],
    [false, true],
  ]);
  expect(await entersOf(lane)).toBe(2);
});

it.each(harnesses)(
  "a permission prompt of %s is answered, and a follow-up arrives after it",
  async (harness) => {
    const lane = await launch(harness, {
      turns: asking(harness),
      prompt: "Do something.",
      args: interactive,
    });
    const log = eventsOf(lane);
    const { question } = await log.activity("attention");
    const id = await wake(lane, short);
    const now = await wake(lane, "1", { when: "now" });
    expect(existsSync(join(lane.project, "done.txt"))).toBe(false);
    await expect(call(lane, "answer", { question: "no-such-one", choice: 1 })).rejects.toMatchObject({
      code: "question_gone",
    });
    expect(await payloadsOf(lane, "input")).toEqual([]);
    const done = await call(lane, "answer", { question: question?.id, choice: 1 });
    expect(done).toMatchObject({ ok: true, answered: true });
    await fileAppears(lane, "done.txt");
    expect(fileIn(lane, "done.txt")).toBe("done\n");
    await log.moved(now, "delivered");
    await log.moved(id, "delivered");
    await log.activity("waiting");
    expect(said(lane).filter((text) => text.includes(squeezed(short)))).toHaveLength(1);
    expect(await entersOf(lane)).toBe(2);
  },
);

/** A command that the harness asks about before it runs it. */
const asking = (harness: Program) => (): object[] => [
  harness === "claude"
    ? { tool: "Bash", input: { command, description: "Run it" } }
    : {
        tool: "exec_command",
        input: { cmd: command, sandbox_permissions: "require_escalated", justification: "May it be done?" },
      },
  { text: "It is done." },
  { text: "So it is." },
  { text: "It is." },
];

const command = "echo done > done.txt";

const wake = async (lane: Lane, message: string, more: object = {}): Promise<string> =>
  z.object({ wake: z.string() }).parse(await call(lane, "wake", { message, ...more })).wake;

/** What each turn of the model was begun with by its user, without blanks. */
const said = ({ standIn }: Lane): string[] =>
  standIn.seen().flatMap((line) => {
    const { data } = turn.safeParse(line);
    const told = data?.lastUser ?? data?.lastInput?.flatMap(({ content }) => content.map(({ text }) => text));
    return told === undefined ? [] : [squeezed([told].flat().join(""))];
  });

const item = z.object({ content: z.array(z.looseObject({ text: z.string().default("") })).default([]) });
const turn = z.object({
  kind: z.literal("turn"),
  lastUser: z.string().optional(),
  lastInput: z.array(item).optional(),
});
const squeezed = (text: string): string => text.replace(/\s+/g, "");

/** How often Enter was pressed by itself. */
const entersOf = async (lane: Lane): Promise<number> =>
  (await payloadsOf(lane, "input")).filter(({ data }) => data === "\r").length;

/** The log from its beginning, looked at once. */
function eventsOf({ daemon, session }: Lane) {
  const events = daemon.client.events(session, 0);
  const seen: string[] = [];
  const next = async <K extends "activity" | "wake">(
    kind: K,
    schema: z.ZodType<EventPayload<K>>,
    isMeant: (payload: EventPayload<K>) => boolean,
  ): Promise<EventPayload<K>> => {
    for (;;) {
      const { done, value } = await events.next();
      if (done === true || value.kind === "exit") throw new Error(`never ${kind}, but ${seen.join("\n")}`);
      if (value.kind !== "activity" && value.kind !== "wake") continue;
      seen.push(value.payload_json);
      if (value.kind !== kind) continue;
      const payload = schema.parse(JSON.parse(value.payload_json));
      if (isMeant(payload)) return payload;
    }
  };
  return {
    activity: (state: string) => next("activity", eventPayloads.activity, (each) => each.state === state),
    moved: (id: string, state: string) =>
      next(
        "wake",
        eventPayloads.wake,
        (each) => each.wakeId === id && (each.state === state || failed(each)),
      ),
  };
}

function failed({ state, reason }: EventPayload<"wake">): boolean {
  if (state !== "failed") return false;
  throw new Error(reason);
}

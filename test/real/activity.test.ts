/** What the programs do at their terminals is known, with what says so. */
import { expect, it } from "vitest";
import { eventPayloads, type EventPayload } from "../../src/events.ts";
import { type Lane, call, launch } from "./lane.ts";
import { commandThen } from "./work.ts";

const interactive = { launchMode: "interactive" };
const including = (text: string): unknown => expect.stringContaining(text);

/** A command that runs for a while, so that it is seen. */
const command = "sleep 5; echo done > done.txt";

it("claude asks, works and waits", async () => {
  const turns = (): object[] => commandThen("claude", command, "It-is-done.");
  const lane = await launch("claude", { turns, prompt: "Do something.", args: interactive });
  const activity = activities(lane);
  expect(await activity.is("busy")).toMatchObject({ evidence: "hook UserPromptSubmit" });
  const { question } = await activity.is("attention");
  expect(question).toMatchObject({ text: including(command), choices: offering("Yes") });
  expect(await watched(lane)).toMatchObject({
    outcome: "met",
    sessions: [{ question: { id: question?.id } }],
  });
  await call(lane, "input", { keys: ["enter"] });
  await activity.is("busy");
  await activity.is("waiting");
  expect(await call(lane, "status")).toMatchObject({ activity: { state: "waiting" } });
  await call(lane, "input", { data: "half a sen" });
  expect(await activity.is("waiting")).toMatchObject({ evidence: "screen: a draft in the composer" });
});

it("codex asks, works and waits", async () => {
  const input = { cmd: command, sandbox_permissions: "require_escalated", justification: "May it be done?" };
  const turns = (): object[] => [{ tool: "exec_command", input }, { text: "It-is-done." }];
  const lane = await launch("codex", { turns, prompt: "Do something.", args: interactive });
  const activity = activities(lane);
  await activity.is("busy");
  const { question } = await activity.is("attention");
  expect(question).toMatchObject({ text: including(command), choices: offering("Yes, proceed (y)") });
  expect(await watched(lane)).toMatchObject({
    outcome: "met",
    sessions: [{ question: { id: question?.id } }],
  });
  await call(lane, "input", { keys: ["enter"] });
  await activity.is("busy");
  await activity.is("waiting");
  expect(await call(lane, "status")).toMatchObject({ activity: { state: "waiting" } });
});

const offering = (choice: string): unknown => expect.arrayContaining([choice]);

const watched = ({ daemon, session }: Lane): Promise<unknown> =>
  daemon.client.call("watch", { sessions: [session], until: "attention" });

/** Its changes in the log's order: each is looked at once. */
function activities({ daemon, session }: Lane) {
  const events = daemon.client.events(session, 0, new AbortController().signal);
  const seen: EventPayload<"activity">[] = [];
  return {
    is: async (state: string): Promise<EventPayload<"activity">> => {
      for (;;) {
        const next = await events.next();
        if (next.done === true || next.value.kind === "exit")
          throw new Error(`never ${state}, but ${JSON.stringify(seen)}`);
        if (next.value.kind !== "activity") continue;
        const activity = eventPayloads.activity.parse(JSON.parse(next.value.payload_json));
        seen.push(activity);
        if (activity.state === state) return activity;
      }
    },
  };
}

import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type Lane, call, eventsOf, fileIn, launch, payloadsOf, processesOf } from "./lane.ts";
import { screenOf } from "./screen.ts";
import { commandThen } from "./work.ts";

const interactive = { launchMode: "interactive" };

it("claude shows its screen, takes a typed prompt, and its permission prompt is answered with a key", async () => {
  const turns = (): object[] => [{ text: "First-answer." }, ...commandThen("claude", work, "Second-answer.")];
  const lane = await launch("claude", { turns, prompt: "Say something.", args: interactive });
  const screen = screenOf(lane);
  expect(await screen.shows("First-answer.")).toContain("❯ Say something.");
  await call(lane, "input", { data: "Now do something.", keys: ["enter"] });
  expect(await screen.shows("Do you want to proceed?")).toContain("❯ 1. Yes");
  expect(existsSync(join(lane.project, "done.txt"))).toBe(false);
  await call(lane, "input", { keys: ["enter"] });
  await screen.shows("Second-answer.");
  expect(fileIn(lane, "done.txt")).toBe("done\n");
  await expectKilled(lane);
});

it("claude does not run what its permission prompt was answered no to", async () => {
  const turns = (): object[] => commandThen("claude", work, "Never said.");
  const lane = await launch("claude", { turns, prompt: "Do something.", args: interactive });
  const screen = screenOf(lane);
  await screen.shows("Do you want to proceed?");
  await call(lane, "input", { keys: ["esc"] });
  await screen.shows("Interrupted");
  expect(existsSync(join(lane.project, "done.txt"))).toBe(false);
  await expectKilled(lane);
});

it("codex shows its screen and takes a typed prompt", async () => {
  const turns = (): object[] => [{ text: "First-answer." }, ...commandThen("codex", work, "Second-answer.")];
  const lane = await launch("codex", { turns, prompt: "Say something.", args: interactive });
  const screen = screenOf(lane);
  expect(await screen.shows("First-answer.")).toContain("› Say something.");
  await call(lane, "input", { data: "Now do something.", keys: ["enter"] });
  await screen.shows("Second-answer.");
  expect(fileIn(lane, "done.txt")).toBe("done\n");
  await expectKilled(lane);
});

it.each(["claude", "codex"] as const)("a watch on %s finds a text on its screen", async (harness) => {
  const turns = (): object[] => [{ text: "Something-to-wait-for." }];
  const lane = await launch(harness, { turns, prompt: "Say something.", args: interactive });
  const { session, cursor, daemon } = lane;
  const wait = { sessions: [session], matchText: "Something-to-wait-for.", cursor };
  const line: unknown = expect.stringContaining(wait.matchText);
  expect(await daemon.client.call("watch", wait)).toMatchObject({
    outcome: "met",
    sessions: [{ met: true, status: "running", line }],
  });
});

const work = "echo done > done.txt";

/** The harness leaves at the first asking, and its ending is the last that is told of it. */
async function expectKilled(lane: Lane): Promise<void> {
  expect(processesOf(lane)).not.toEqual([]);
  expect(await call(lane, "kill")).toMatchObject({ status: "killed" });
  expect(processesOf(lane)).toEqual([]);
  expect((await eventsOf(lane)).at(-1)?.kind).toBe("exit");
  expect(await payloadsOf(lane, "exit")).toMatchObject([{ status: "killed", exitCode: null }]);
}

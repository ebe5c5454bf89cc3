import { expect, it } from "vitest";
import { type Lane, call, fileIn, launch, payloadsOf, tailOf, watched } from "./lane.ts";
import { commandThen } from "./work.ts";

/** Resolves when so many turns have ended. */
async function turnsEnded({ daemon, session }: Lane, count: number): Promise<void> {
  let ended = 0;
  for await (const { kind } of daemon.client.events(session, 0)) {
    if (kind === "result") ended += 1;
    if (ended === count) return;
  }
}

const turns = (): object[] => [
  { text: "What shall I write?" },
  ...commandThen("claude", "echo written > said.txt", "It is written."),
];

it("a stream lane of claude is told more after its turn, in the same conversation, and ends when its input is closed", async () => {
  const lane = await launch("claude", { turns, prompt: "Ask first.", args: { launchMode: "stream" } });
  await turnsEnded(lane, 1);
  expect(await call(lane, "status")).toMatchObject({ active: true, lastMessage: "What shall I write?" });
  await call(lane, "input", { data: 'Write "written".\n' });
  await turnsEnded(lane, 2);
  expect(fileIn(lane, "said.txt")).toBe("written\n");
  await call(lane, "input", { end: true });
  expect(await watched(lane)).toMatchObject({
    status: "completed",
    exitCode: 0,
    lastMessage: "It is written.",
  });
  expect(await payloadsOf(lane, "message")).toEqual([
    { role: "user", text: "Ask first." },
    { role: "assistant", text: "What shall I write?" },
    { role: "user", text: 'Write "written".' },
    { role: "assistant", text: "It is written." },
  ]);
  expect(await payloadsOf(lane, "conversation")).toHaveLength(1);
  expect(await payloadsOf(lane, "result")).toMatchObject([{ outcome: "success" }, { outcome: "success" }]);
  expect((await tailOf(lane)).trim().split("\n").at(-1)).toBe("It is written.");
});

it("a stream lane of claude whose input is closed at once still does its turn", async () => {
  const said = (): object[] => [{ text: "Done at once." }];
  const lane = await launch("claude", { turns: said, prompt: "Go.", args: { launchMode: "stream" } });
  await call(lane, "input", { end: true });
  expect(await watched(lane)).toMatchObject({ status: "completed", lastMessage: "Done at once." });
});

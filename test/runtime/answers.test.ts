/** Answers to what a harness asks at its terminal: to that very question, or nothing is typed. */
import { expect, test } from "vitest";
import { z } from "zod";
import { type TestDaemon, startDaemon } from "../support/daemon.ts";
import { launch } from "../support/launch.ts";
import { type TypedSession, eventual, launchTyped } from "../support/typed-claude.ts";

const question = z.object({ id: z.string(), text: z.string(), choices: z.array(z.string()) });

const press = ({ client }: TestDaemon, { id }: TypedSession, ...keys: string[]): Promise<unknown> =>
  client.call("input", { session: id, keys });

const answer = ({ client }: TestDaemon, { id }: { id: string }, args: object): Promise<unknown> =>
  client.call("answer", { session: id, ...args });

const refusal = (code: string, message = ""): unknown =>
  expect.objectContaining({ code, message: expect.stringContaining(message) });

/** A session at a dialog, and the dialog. */
async function launchAsking(daemon: TestDaemon) {
  const session = await launchTyped(daemon);
  await eventual(daemon, session.id, "activity", { state: "waiting" });
  await press(daemon, session, "ctrl-o");
  const asked = await eventual(daemon, session.id, "activity", { state: "attention" });
  return { session, asked: question.parse(asked["question"]) };
}

test.each([
  [2, "2"],
  ["2", "2"],
  ["no", "2"],
  ["Yes", "1"],
])("the choice %j of the open question is pressed", async (choice, pressed) => {
  const daemon = await startDaemon();
  const { session, asked } = await launchAsking(daemon);
  expect(asked).toMatchObject({ text: expect.stringContaining("echo 1"), choices: ["Yes", "No"] });
  const done = await answer(daemon, session, { question: asked.id, choice });
  expect(done).toMatchObject({ ok: true, answered: true });
  expect(session.noted("answered")).toEqual([["echo 1", pressed]]);
});

test("what cannot be an answer is refused with the choices that there are", async () => {
  const daemon = await startDaemon();
  const { session, asked } = await launchAsking(daemon);
  const wrong: [object, string][] = [
    [{ choice: 3 }, "it has 1 (Yes), 2 (No)"],
    [{ choice: "Ye" }, "has no choice Ye"],
    [{ text: "Yes" }, "takes no text"],
    [{}, "exactly one"],
    [{ choice: 1, text: "Yes" }, "exactly one"],
  ];
  for (const [args, why] of wrong)
    await expect(answer(daemon, session, { question: asked.id, ...args })).rejects.toEqual(
      refusal("invalid_request", why),
    );
  expect(session.read().map(({ text }) => text)).toEqual(["\u000f"]);
});

test("another question than the open one gets no answer", async () => {
  const daemon = await startDaemon();
  const { session } = await launchAsking(daemon);
  const refused = answer(daemon, session, { question: "123456789012", choice: 1 });
  await expect(refused).rejects.toEqual(refusal("question_gone", "another one is"));
  expect(session.noted("answered")).toEqual([]);
});

test("a question that was answered at the terminal gets no second answer", async () => {
  const daemon = await startDaemon();
  const { session, asked } = await launchAsking(daemon);
  const shown = z.object({ cursor: z.string() });
  const { cursor } = shown.parse(await daemon.client.call("screen", { session: session.id }));
  await press(daemon, session, "enter");
  await daemon.client.call("watch", { sessions: [session.id], matchText: "? for shortcuts", cursor });
  const refused = answer(daemon, session, { question: asked.id, choice: 2 });
  await expect(refused).rejects.toEqual(refusal("question_gone"));
  expect(session.noted("answered")).toEqual([["echo 1", "1"]]);
  expect(session.read().map(({ text }) => text)).toEqual(["\u000f", "\r"]);
});

test("a question that has given way to another with the same choices gets no answer", async () => {
  const daemon = await startDaemon();
  const { session, asked } = await launchAsking(daemon);
  await press(daemon, session, "ctrl-o");
  await daemon.client.call("watch", { sessions: [session.id], matchText: "echo 2", cursor: session.cursor });
  const refused = answer(daemon, session, { question: asked.id, choice: 1 });
  await expect(refused).rejects.toEqual(refusal("question_gone"));
  expect(session.noted("answered")).toEqual([]);
});

test("an answer under one intent is given once", async () => {
  const daemon = await startDaemon();
  const { session, asked } = await launchAsking(daemon);
  const args = { session: session.id, question: asked.id, choice: 1 };
  const intent = { intentId: "answer-1" };
  const [one, other] = await Promise.all([
    daemon.client.call("answer", args, intent),
    daemon.client.call("answer", args, intent),
  ]);
  expect(other).toEqual(one);
  expect(await daemon.client.call("answer", args, intent)).toEqual(one);
  expect(session.noted("answered")).toEqual([["echo 1", "1"]]);
});

test("a question that stays although it was answered is said to stay", async () => {
  const daemon = await startDaemon();
  const { session, asked } = await launchAsking(daemon);
  await press(daemon, session, "ctrl-g");
  const done = await answer(daemon, session, { question: asked.id, choice: 1 });
  expect(done).toMatchObject({ ok: true, answered: false, activity: { state: "attention" } });
});

test("a session without a question, and one that has ended, get no answer", async () => {
  const daemon = await startDaemon();
  const session = await launchTyped(daemon);
  await expect(answer(daemon, session, { question: "x", choice: 1 })).rejects.toEqual(
    refusal("question_gone", "none is"),
  );
  const ended = await launch(daemon, "exit 0");
  await daemon.client.call("watch", { sessions: [ended.id], cursor: ended.cursor });
  await expect(answer(daemon, ended, { question: "x", choice: 1 })).rejects.toEqual(
    refusal("session_not_live"),
  );
});

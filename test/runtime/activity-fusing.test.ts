import { describe, expect, test } from "vitest";
import {
  type Known,
  type Sign,
  draftEvidence,
  fuse,
  isSameActivity,
  nothingKnown,
  settleMs,
} from "../../src/runtime/activity-fusing.ts";

const late = settleMs * 10;
const about = "Bash: rm x";
const question = { text: "Do you want to proceed?", choices: [{ label: "Yes", keys: "1" }] };
const other = { text: "Is this another?", choices: [{ label: "Yes", keys: "1" }] };

type Said = Omit<Partial<Sign>, "source"> & { readonly state: Sign["state"] };

const sign =
  (source: Sign["source"]) =>
  (state: Sign["state"], more: Partial<Said> = {}): Sign => ({
    state,
    evidence: `${source} ${state}`,
    source,
    atMs: 0,
    ...more,
  });
const hook = sign("hook");
const screen = sign("screen");
const file = sign("statusFile");
const output = sign("output");

const after = (...signs: Sign[]): Known => signs.reduce(fuse, nothingKnown);
const asks = screen("attention", { question, atMs: late });
const hookAsks = hook("attention", { about, question: { text: "May Bash be used?", choices: [] } });

describe("what a session does follows from its signs:", () => {
  test.each<[string, Sign[], Sign["state"] | undefined]>([
    ["nothing from none", [], undefined],
    ["a hook says that it works", [hook("busy")], "busy"],
    ["a hook says that it has ended its turn", [hook("busy"), hook("waiting")], "waiting"],
    [
      "an empty composer that stands there",
      [hook("busy"), screen("waiting", { atMs: late, isSteady: true })],
      "waiting",
    ],
    ["not yet one between two steps", [hook("busy"), screen("waiting", { atMs: late })], "busy"],
    ["nor one at the very beginning", [screen("waiting")], undefined],
    [
      "not a screen from before the hook",
      [hook("busy"), screen("waiting", { atMs: 10, isSteady: true })],
      "busy",
    ],
    ["nor the last frames of its work", [hook("waiting"), screen("busy", { atMs: 10 })], "waiting"],
    ["that it works on after the hooks", [hook("waiting"), screen("busy", { atMs: late })], "busy"],
    [
      "a question on the screen at once",
      [hook("busy"), screen("attention", { question, atMs: 1 })],
      "attention",
    ],
    ["a question that a hook tells of", [hook("busy"), hookAsks], "attention"],
    ["not the screen from before the question", [hookAsks, screen("busy", { atMs: 10 })], "attention"],
    [
      "a question stands, whatever a hook says of waiting",
      [asks, hook("waiting", { atMs: late })],
      "attention",
    ],
    [
      "it is answered when the screen shows a steady composer",
      [asks, screen("waiting", { atMs: late, isSteady: true })],
      "waiting",
    ],
    ["when the screen shows work", [asks, screen("busy", { atMs: late })], "busy"],
    [
      "when the screen shows it gone, and nothing for sure",
      [asks, screen("waiting", { atMs: late })],
      "busy",
    ],
    ["when a hook says that work went on", [asks, hook("busy")], "busy"],
    ["when a hook says that this very thing was done", [hookAsks, hook("busy", { about })], "busy"],
    ["not when another thing was done", [hookAsks, hook("busy", { about: "Read: y" })], "attention"],
    [
      "nor is a session at work because a tool's end is told late",
      [hook("waiting"), hook("busy", { about })],
      "waiting",
    ],
    [
      "a status file knows dialogs that the screen does not",
      [hook("busy"), file("attention", { atMs: late })],
      "attention",
    ],
    ["and when they are over", [file("attention"), file("busy", { atMs: late })], "busy"],
    ["it does not end what stands on the screen", [asks, file("busy", { atMs: late })], "attention"],
    ["nor says that a composer waits", [hook("busy"), file("waiting", { atMs: late })], "busy"],
    ["structured output says both", [output("busy"), output("waiting")], "waiting"],
    ["and the newest counts", [output("waiting"), output("busy")], "busy"],
  ])("%s", (_, signs, state) => {
    expect(after(...signs).standing?.state).toBe(state);
  });
});

test("a question that a hook told of ends with its answer, when the screen has shown its choices meanwhile", () => {
  const { standing } = after(hookAsks, asks);
  expect(standing?.question).toEqual(question);
  expect(after(hookAsks, asks, hook("busy", { about })).standing?.state).toBe("busy");
});

test("another question on the screen is none that the hook's answer ends", () => {
  const next = screen("attention", { question: other, atMs: late });
  expect(after(hookAsks, asks, next, hook("busy", { about })).standing?.question).toEqual(other);
});

test("a reminder of a question does not take its text away", () => {
  expect(after(hookAsks, hook("attention")).standing?.question?.text).toBe("May Bash be used?");
});

describe("a change is told when it is one:", () => {
  const draft = screen("waiting", { evidence: draftEvidence });
  test.each<[string, Sign, Sign, boolean]>([
    ["not another evidence of the same", hook("waiting"), screen("waiting"), true],
    ["a draft in the composer", screen("waiting"), draft, false],
    ["another question", asks, screen("attention", { question: other }), false],
    ["other choices", asks, screen("attention", { question: { ...question, choices: [] } }), false],
    [
      "not other keys for the same choices",
      asks,
      screen("attention", { question: { ...question, choices: [{ label: "Yes", keys: "\r" }] } }),
      true,
    ],
  ])("%s", (_, one, two, isSame) => {
    expect(isSameActivity(one, two)).toBe(isSame);
  });
});

import { expect, it } from "vitest";
import { nearestNames } from "../../src/capabilities/nearest-names.ts";

const familiars = ["sage", "cody", "Nova Star", "Nova", "echo", "claude-code", "賢者"];

it.each([
  ["sgae", ["sage"]],
  ["sag", ["sage"]],
  ["sages", ["sage"]],
  ["SAGE!", ["sage"]],
  ["coddy", ["cody"]],
  ["codi", ["cody"]],
  ["novas", ["Nova"]],
  ["nova", ["Nova", "Nova Star"]],
  ["Nova Sart", ["Nova Star"]],
  ["claud", ["claude-code"]],
  ["claudecode", ["claude-code"]],
  ["cluade-cdoe", ["claude-code"]],
  ["賢", ["賢者"]],
  ["e\u0301cho", ["echo"]],
  ["zebra", []],
  ["", []],
])("of %j the nearest are %j", (name, nearest) => expect(nearestNames(name, familiars)).toEqual(nearest));

it("puts fewer slips first, and what is as near in its own order", () => {
  expect(nearestNames("abcdef", ["abcdxy", "abcdeg", "abcdef-long", "abcdeh"])).toEqual([
    "abcdeg",
    "abcdeh",
    "abcdxy",
  ]);
});

it("names three at most", () => {
  expect(nearestNames("a", ["a1", "a2", "a3", "a4"])).toEqual(["a1", "a2", "a3"]);
});

it("does not compare a text as long as a book", () => {
  expect(nearestNames("~".repeat(2 ** 20), familiars)).toEqual([]);
});

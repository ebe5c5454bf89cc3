import { describe, expect, test } from "vitest";
import { Failure } from "../../src/errors.ts";
import { createMatcher, type Wanted } from "../../src/text/match.ts";

const text = "first line\n  the server listens on port 4321 now  \nlast line\n";
const line = "the server listens on port 4321 now";

describe.each<{ wanted: Wanted; name: string }>([
  { name: "a text", wanted: { text: "port 4321" } },
  { name: "a pattern", wanted: { pattern: "port [0-9]{4}" } },
])("$name", ({ wanted }) => {
  test("is found in its line, which is answered without the space around it", () => {
    expect(createMatcher(wanted).push(text)).toBe(line);
  });

  test("is found across the border of two pieces, and in a line that is not finished", () => {
    for (let cut = 0; cut <= text.length; cut += 1) {
      const matcher = createMatcher(wanted);
      const found = matcher.push(text.slice(0, cut)) ?? matcher.push(text.slice(cut));
      expect(found, `cut at ${cut}`).toMatch(/^the server listens on port 4321/);
    }
    const matcher = createMatcher(wanted);
    const answers = Array.from({ length: text.length }, (_, index) => matcher.push(text.charAt(index)));
    expect(answers.find((answer) => answer !== undefined)).toBe("the server listens on port 4321");
    expect(matcher.push("something else\n")).toBe("the server listens on port 4321");
  });

  test("is not found where it does not stand", () => {
    const matcher = createMatcher(wanted);
    expect(matcher.push("port\n4321\n")).toBeUndefined();
    expect(matcher.push("port ")).toBeUndefined();
    expect(matcher.push("")).toBeUndefined();
    expect(matcher.push("432\n1")).toBeUndefined();
  });

  test("is found in an endless line, of which only a part is answered", () => {
    const matcher = createMatcher(wanted);
    for (let count = 0; count < 50; count += 1) expect(matcher.push("port 12 ".repeat(1001))).toBeUndefined();
    const found = matcher.push(`port 4321${" x".repeat(5000)}`);
    expect(found).toContain("port 4321");
    expect(found?.length).toBeLessThanOrEqual(500);
  });
});

test("a text of several lines is found across them", () => {
  const matcher = createMatcher({ text: "b\nc" });
  expect(matcher.push("a b")).toBeUndefined();
  expect(matcher.push("\n")).toBeUndefined();
  expect(matcher.push("c d\ne")).toBe("a b\nc d");
});

test("a pattern is tried on one line at a time", () => {
  expect(createMatcher({ pattern: "^b$" }).push("a\nb\nc")).toBe("b");
  expect(createMatcher({ pattern: "a\\sb" }).push("a\nb\n")).toBeUndefined();
});

test("a pattern that would take other engines for ever does not", () => {
  expect(createMatcher({ pattern: "^(a+)+$" }).push(`${"a".repeat(4000)}!`)).toBeUndefined();
});

test.each(["(", "(?=a)", "(a)\\1"])("the pattern %s is refused with what to do instead", (pattern) => {
  let failure: unknown;
  try {
    createMatcher({ pattern });
  } catch (error) {
    failure = error;
  }
  expect(failure).toBeInstanceOf(Failure);
  expect(failure).toMatchObject({ code: "invalid_request" });
  expect(failure).toHaveProperty("hint", expect.stringContaining("RE2"));
});

test("an empty text is refused", () => {
  expect(() => createMatcher({ text: "" })).toThrow(Failure);
});

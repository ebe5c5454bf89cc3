import { describe, expect, test } from "vitest";
import { cleanText, createCleaner, tailOf } from "../../src/text/clean.ts";

const cases: readonly (readonly [title: string, printed: string, clean: string])[] = [
  ["colours go", "\x1b[1;31mred\x1b[0m and \x1b[38:5:9mplain\x1b[m\n", "red and plain\n"],
  [
    "titles and links go, however they end",
    "\x1b]0;title\x07a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\n",
    "alink\n",
  ],
  ["a title that was cut off ends with its line", "\x1b]0;title\nnext\n", "\nnext\n"],
  ["pictures and answers go", "a\x1bP1$r0m\nmore\x1b\\b\x1b_x\x1b\\c\n", "abc\n"],
  ["character sets, modes and keypads go", "\x1b(B\x1b[?2004h\x1b=\x1b7x\x1b8\x1b[>4;2m\n", "x\n"],
  ["bells, nulls and deletes go, tabs stay", "a\x07\x00\tb\x7f\x85\n", "a\tb\n"],
  ["a line ends as on Unix", "a\r\nb\r\r\nc\n", "a\nb\nc\n"],
  ["a progress bar leaves its last state", " 10%\r 50%\r100%\ndone\n", "100%\ndone\n"],
  ["what is shorter overwrites only as far as it goes", "12345\rab\n", "ab345\n"],
  ["an erased line starts anew", "downloading\r\x1b[Kok\nabc\x1b[2K\rd\n", "ok\nd\n"],
  ["a backspace erases", "abd\bc\n", "abc\n"],
  ["a backspace, space and backspace erase once", "abcd\b \b\n", "abc\n"],
  ["a cursor that goes right leaves spaces", "a\x1b[3Cb\x1b[Cc\n", "a   b c\n"],
  ["a cursor that goes to a column overwrites there", "abcdef\x1b[3Gxy\x1b[10Gz\n", "abxyef   z\n"],
  ["a cursor that goes left overwrites there", "abc\x1b[2Dx\n", "axc\n"],
  ["erasing to the left leaves spaces", "abcdef\x1b[3G\x1b[1K\n", "   def\n"],
  ["a move to another row ends the line", "one\x1b[5;1Htwo\x1b[1Athree\n", "one\ntwo\nthree\n"],
  ["a broken sequence goes, the text around it stays", "a\x1b[12\nb\x1b\x1b[0mc\n", "a\nbc\n"],
  ["characters outside the basic plane are overwritten whole", "😀😀x\ré\n", "é😀x\n"],
  ["an escape that never ends is dropped", "text\x1b[38;5", "text"],
  ["a title that never ends is dropped", "text\x1b]0;tit", "text"],
];

describe("in clean text", () => {
  test.each(cases)("%s", (_title, printed, clean) => {
    expect(cleanText(printed)).toBe(clean);
    for (let cut = 0; cut <= printed.length; cut += 1) {
      const cleaner = createCleaner();
      const pieces = [cleaner.push(printed.slice(0, cut)), cleaner.push(printed.slice(cut)), cleaner.flush()];
      expect(pieces.join(""), `cut at ${cut}`).toBe(clean);
    }
    const cleaner = createCleaner();
    const units = Array.from({ length: printed.length }, (_, index) => cleaner.push(printed.charAt(index)));
    expect(units.join("") + cleaner.flush()).toBe(clean);
  });
});

describe("a cleaner", () => {
  test("answers complete lines and holds the unfinished one until it is flushed", () => {
    const cleaner = createCleaner();
    expect(cleaner.push("one\ntw")).toBe("one\n");
    expect(cleaner.push("o\r")).toBe("");
    expect(cleaner.push("T")).toBe("");
    expect(cleaner.flush()).toBe("Two");
    expect(cleaner.flush()).toBe("");
    expect(cleaner.push("new\n")).toBe("new\n");
  });

  test("passes an endless line on in parts and loses nothing of it", () => {
    const cleaner = createCleaner();
    const piece = "0123456789😀".repeat(1000);
    let passed = "";
    for (let count = 0; count < 20; count += 1) passed += cleaner.push(piece);
    expect(passed.length).toBeGreaterThan(19 * piece.length - 20_000);
    expect(passed + cleaner.flush()).toBe(piece.repeat(20));
  });

  test("takes text for text again when a picture does not end", () => {
    const cleaner = createCleaner();
    cleaner.push("\x1bP");
    for (let count = 0; count < 11; count += 1) cleaner.push("x".repeat(100_000));
    expect(cleaner.push("\nafter\n")).toContain("\nafter\n");
  });
});

describe("the tail of a text", () => {
  test("is its last lines, a final line break not counting as one more", () => {
    expect(tailOf("a\nb\nc\n", { lines: 2, maxBytes: 100 })).toEqual({ text: "b\nc\n", truncated: true });
    expect(tailOf("a\nb\nc", { lines: 2, maxBytes: 100 })).toEqual({ text: "b\nc", truncated: true });
    expect(tailOf("\n\n", { lines: 1, maxBytes: 100 })).toEqual({ text: "\n", truncated: true });
  });

  test("is the whole text when there is room", () => {
    expect(tailOf("a\nb\n", { lines: 2, maxBytes: 4 })).toEqual({ text: "a\nb\n", truncated: false });
    expect(tailOf("", { lines: 5, maxBytes: 5 })).toEqual({ text: "", truncated: false });
  });

  test("keeps its bytes within the budget and its characters whole", () => {
    expect(tailOf("aé😀b", { lines: 9, maxBytes: 5 })).toEqual({ text: "😀b", truncated: true });
    expect(tailOf("aé😀b", { lines: 9, maxBytes: 4 })).toEqual({ text: "b", truncated: true });
    expect(tailOf("abc", { lines: 9, maxBytes: 0 })).toEqual({ text: "", truncated: true });
    expect(tailOf("abc", { lines: 0, maxBytes: 9 })).toEqual({ text: "", truncated: true });
  });
});

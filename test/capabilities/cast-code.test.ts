/** What the grammar of docs/CAST-CODES.md says of each text; the table there and this one change together. */
import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { describe, expect, it } from "vitest";
import { type CastCode, parseCastText, printCastCode } from "../../src/capabilities/cast-code.ts";
import { countedReads } from "../support/counted-reads.ts";
import { randomTexts } from "../support/random-texts.ts";

const status = (familiar?: string): CastCode => ({
  kind: "status",
  ...(familiar !== undefined && { familiar }),
});
const switchTo = (familiar: string): CastCode => ({ kind: "switch", familiar });
const delegate = (familiar: string, task: string): CastCode => ({ kind: "delegate", familiar, task });
const broadcast = (message: string): CastCode => ({ kind: "broadcast", message });
const resume = (familiar?: string, message?: string): CastCode => ({
  kind: "resume",
  ...(familiar !== undefined && { familiar }),
  ...(message !== undefined && { message }),
});
const handoff = (familiar?: string): CastCode => ({
  kind: "handoff",
  ...(familiar !== undefined && { familiar }),
});

/** A problem: where, and some of what was expected there. */
interface Wrong {
  readonly offset: number;
  readonly words: string;
}
const wrong = (offset: number, words: string): Wrong => ({ offset, words });

type Row = readonly [text: string, ...found: readonly (CastCode | Wrong)[]];

const published: readonly Row[] = [
  // The catalog that the daemon answers, its template filled in.
  ["~?", status()],
  ["~?sage", status("sage")],
  ["~>sage", switchTo("sage")],
  ["~delegate:sage review this diff", delegate("sage", "review this diff")],
  ["~broadcast * new constraint: local-only", broadcast("new constraint: local-only")],
  ["~^ resume", resume()],
  ["~<handoff", handoff()],
  // The catalog that the guide teaches.
  ["~cody: review this diff", delegate("cody", "review this diff")],
  ['~* "new constraint: local-only"', broadcast("new constraint: local-only")],
  ["~^sage", resume("sage")],
  ["~<echo", handoff("echo")],
  // The daemon's rows as they are, before anything is filled in.
  ["~?{familiar}", wrong(2, "a familiar's name")],
  ["~>{familiar}", wrong(2, "a familiar's name")],
  ["~delegate:{familiar}", wrong(10, "a familiar's name")],
  ["~broadcast *", wrong(12, "a message")],
];

const names: readonly Row[] = [
  ["~?claude-code", status("claude-code")],
  ["~?my_agent", status("my_agent")],
  ["~?Sage", status("Sage")],
  ["~?gpt5", status("gpt5")],
  ["~?v1.2", status("v1.2")],
  ["~?sage.", status("sage")],
  ["~?sage...", status("sage")],
  ["How is ~?sage?", status("sage")],
  ["~?sage, please", status("sage")],
  ["~?sage!", status("sage")],
  ["~?sage's work", status("sage")],
  ["~?sage:", status("sage")],
  ["~?sage;~?cody", status("sage")],
  ["~?Ægir", status("Ægir")],
  ["~?éclair", status("éclair")],
  ["~?e\u0301clair", status("e\u0301clair")],
  ["~?мудрец", status("мудрец")],
  ["~?賢者", status("賢者")],
  ["~?ऋषि", status("ऋषि")],
  ["~?賢者。", status("賢者")],
  ["~?sage，", status("sage")],
  ["~?𝒮age", status("𝒮age")],
  ["~?sage🎉", status("sage")],
  ['~?"Nova Star"', status("Nova Star")],
  ['~>"Nova Star"', switchTo("Nova Star")],
  ['~^"Nova Star"', resume("Nova Star")],
  ['~<"Nova Star"', handoff("Nova Star")],
  ['~"Nova Star": ship it', delegate("Nova Star", "ship it")],
  ['~delegate:"Nova Star" ship it', delegate("Nova Star", "ship it")],
  ['~>"7 of 9"', switchTo("7 of 9")],
  ['~>"a \\"b\\" c"', switchTo('a "b" c')],
  ['~>"back\\\\slash"', switchTo("back\\slash")],
  ['~>"ends in \\\\"', switchTo("ends in \\")],
  ['~>"C:\\new"', switchTo("C:\\new")],
  ['~>"🎉"', switchTo("🎉")],
  ['~>"~?"', switchTo("~?")],
  ['~>"sage".', switchTo("sage")],
  ['~>"handoff"', switchTo("handoff")],
  ['~<"handoff"', handoff("handoff")],
  ['~^"resume"', resume("resume")],
  ['~"delegate": x', delegate("delegate", "x")],
  ['~delegate:"Broadcast" x', delegate("Broadcast", "x")],
  ["~?resumes", status("resumes")],
  ["~>handoff-2", switchTo("handoff-2")],
  ["~>sage fix the bug", switchTo("sage")],
  ["~>sage: fix the bug", switchTo("sage")],
];

const texts: readonly Row[] = [
  ["~cody:review" /* prose: an owner and its group are written so */],
  ['~cody:"review this"', delegate("cody", "review this")],
  ['~cody: "review this" and that', delegate("cody", "review this")],
  ['~cody:   "  review this "  ', delegate("cody", "review this")],
  ["~cody:\treview\tthis ", delegate("cody", "review\tthis")],
  ["~cody:\nreview this\nand that\n", delegate("cody", "review this\nand that")],
  ["~cody:\r\nreview this\r\nand that\r\n", delegate("cody", "review this\r\nand that")],
  ['~cody: "two\r\nlines"', delegate("cody", "two\r\nlines")],
  ['~cody:\r\n"two lines"', delegate("cody", "two lines")],
  ["~cody: say 'hi' and \"bye\"", delegate("cody", "say 'hi' and \"bye\"")],
  ["~cody: 'single' ones are text", delegate("cody", "'single' ones are text")],
  ["~cody: “typographic” ones too", delegate("cody", "“typographic” ones too")],
  ['~cody: \\"foo\\" is misspelled', delegate("cody", '"foo\\" is misspelled')],
  ['~cody: "say \\"hi\\""', delegate("cody", 'say "hi"')],
  ['~cody: "a\\\\b\\c"', delegate("cody", "a\\b\\c")],
  ['~cody: "keep \\~ and ~? here"', delegate("cody", "keep \\~ and ~? here")],
  ["~cody: read C:\\new\\~x", delegate("cody", "read C:\\new~x")],
  ["~cody: explain \\~? please", delegate("cody", "explain ~? please")],
  ["~cody: \\~", delegate("cody", "~")],
  ["~cody: \\\\~", delegate("cody", "\\~")],
  [
    "~cody: fix ~/notes and ~user and ~5 and ~~x~~ and a~b",
    delegate("cody", "fix ~/notes and ~user and ~5 and ~~x~~ and a~b"),
  ],
  ["~cody: see http://x.y/~z: it", delegate("cody", "see http://x.y/~z: it")],
  ['~cody: \\"foo" is misspelled', delegate("cody", '"foo" is misspelled')],
  ["~cody: x: y: z", delegate("cody", "x: y: z")],
  ["~cody: 🎉 ship", delegate("cody", "🎉 ship")],
  ["~cody: \ud83d", delegate("cody", "\ud83d")],
  ["~cody: \u00a0x\u3000", delegate("cody", "x")],
  ["~delegate:sage: review it", delegate("sage", "review it")],
  ['~delegate:sage "review it"', delegate("sage", "review it")],
  ['~delegate:sage: "review it"', delegate("sage", "review it")],
  ['~delegate:sage"review it"', delegate("sage", "review it")],
  ["~delegate:sage\nreview it", delegate("sage", "review it")],
  ["~DELEGATE:sage review it", delegate("sage", "review it")],
  ["~Delegate:sage -> it", delegate("sage", "-> it")],
  ["~* local only", broadcast("local only")],
  ['~*"local only"', broadcast("local only")],
  ["~*: local only", broadcast("local only")],
  ['~* "one" two', broadcast("one")],
  ["~* one *two*", broadcast("one *two*")],
  ['~broadcast * "local only"', broadcast("local only")],
  ["~broadcast *: local only", broadcast("local only")],
  ["~broadcast* local only", broadcast("local only")],
  ["~Broadcast  * local only", broadcast("local only")],
  ["~^", resume()],
  ["~^ resume: go on", resume(undefined, "go on")],
  ["~^ Resume", resume()],
  ["~^resume", resume()],
  ["~^resume: go on", resume(undefined, "go on")],
  ["~^   resume", resume()],
  ["~^ resume, please", resume()],
  ["~^ resume the work", resume()],
  ["~^: go on", resume(undefined, "go on")],
  ['~^:"go on"', resume(undefined, "go on")],
  ["~^sage: go on", resume("sage", "go on")],
  ['~^sage: "go on" now', resume("sage", "go on")],
  ['~^"Nova Star": go on', resume("Nova Star", "go on")],
  ["~^sage please", resume("sage")],
  ["~^\ngo on", resume()],
  ["~^.", resume()],
  ["~<Handoff", handoff()],
  ["~<handoff please", handoff()],
  ["~<echo, please", handoff("echo")],
  ["~? please", status()],
  ["~? sage", status()],
  ["~?!", status()],
];

const places: readonly Row[] = [
  ["Tell me ~? now", status()],
  ["a\n~?", status()],
  ["a\r\n~?", status()],
  ["a\t~?", status()],
  ["a\u3000~?", status()],
  ["\ufeff~?", status()],
  ["(~?)", status()],
  ["[~?sage]", status("sage")],
  ["{~>sage}", switchTo("sage")],
  ["(~cody: review this) and merge", delegate("cody", "review this")],
  ["(~cody: call f(x) twice) and merge", delegate("cody", "call f(x) twice")],
  ["[~cody: a] b", delegate("cody", "a")],
  ["(~cody: never closed", delegate("cody", "never closed")],
  ["(~cody: closed by another]", delegate("cody", "closed by another]")],
  ["~cody: a) b", delegate("cody", "a) b")],
  ["(~^sage: go on) x", resume("sage", "go on")],
  ['he asked "how is it ~?" and left "so"', status()],
  ["~? ~?sage", status(), status("sage")],
  ["~>sage ~cody: review ~?", switchTo("sage"), delegate("cody", "review"), status()],
  ["~cody: review\n~sage: test\n", delegate("cody", "review"), delegate("sage", "test")],
  ["~cody: review\r\n~sage: test", delegate("cody", "review"), delegate("sage", "test")],
  ['~cody: "a" ~sage: "b"', delegate("cody", "a"), delegate("sage", "b")],
  ['~cody: "a"~sage: "b"', delegate("cody", "a")],
  ["~* be quick ~^", broadcast("be quick"), resume()],
  ["~^sage: go on ~<echo", resume("sage", "go on"), handoff("echo")],
  ["~cody: review (~?sage) and go", delegate("cody", "review"), status("sage")],
  ["~cody: ask ((~?sage))", delegate("cody", "ask"), status("sage")],
  ["~broadcast * a ~* b ~broadcast * c", broadcast("a"), broadcast("b"), broadcast("c")],
  ["~^ ~^ ~^", resume(), resume(), resume()],
  ['~cody: say "hello ~?" loudly', delegate("cody", 'say "hello'), status()],
];

const prose: readonly string[] = [
  "",
  " ",
  "~",
  "~ ",
  "~~",
  "~~strike~~",
  "~~~\ncode\n~~~",
  "a~b",
  "a~?",
  "`~?`",
  '"~?"',
  "<~?>",
  "/~?",
  "\\~?",
  "\\~>sage",
  "see \\~cody: that",
  "~/path",
  "~/path: with a colon",
  "~user",
  "~user/x",
  "~user/x: y",
  "chown ~user:group x",
  "~me@example.org: hi",
  "~5",
  "~5: x",
  "~10:30",
  "~0.5 s",
  "~=",
  "~sage",
  "~sage : x",
  "~sage, x",
  "~sage. x: y",
  "~handoff",
  "~resume",
  "~http://x",
  "~broadcasting * x",
  "~broadcast/x",
  "~delegates",
  "~delegate/x",
  "~$x: y",
  "~.x: y",
  "~-x: y",
  "~_x: y",
  "~>5",
  "~> 7.0",
  "~>>",
  "~>= 2",
  "~>-",
  "~>~",
  "~<5 ms",
  "~< 5 ms",
  "~<<EOF",
  "~<-x",
  "~<b>bold</b>",
  "~<handoff>",
  "~??",
  "~?5",
  "~?=x",
  "~?/x",
  "~?~",
  "~^^",
  "~^.^~",
  "~^5",
  "x ~^ 5",
  "~^:)",
  "~^~",
  "~^-x",
  "~*.log",
  "~**bold**",
  "~*emphasis*",
  "~*:x",
  "~*/",
  '~"approximately"',
  '~"unclosed',
  '~"quoted" : x',
  '~"a":b',
  "~'sage': x",
  "~🎉: x",
  "～? ～>sage",
];

const mistakes: readonly Row[] = [
  ["~>", wrong(2, "a familiar's name")],
  ["~> sage", wrong(2, "a familiar's name")],
  ["use ~>, then", wrong(6, "a familiar's name")],
  ["~>'sage'", wrong(2, "a familiar's name")],
  ["~>“Nova Star”", wrong(2, "a familiar's name")],
  ["~>(sage)", wrong(2, "a familiar's name")],
  ["~<", wrong(2, "a familiar's name")],
  ["~< echo", wrong(2, "a familiar's name")],
  ["~?[sage]", wrong(2, "a familiar's name")],
  ["~^(sage)", wrong(2, "a familiar's name")],
  ["~^ sage", wrong(3, "`resume`, a familiar's name directly behind")],
  ["~^ go on", wrong(3, "`resume`")],
  ['~^ "go on"', wrong(3, "`resume`")],
  ["~^ resumed", wrong(3, "`resume`")],
  ["~^sage:", wrong(7, "a message")],
  ["~^sage:go", wrong(7, "a space behind the colon")],
  ["~^ resume:", wrong(10, "a message")],
  ["~^:", wrong(3, "a message")],
  ["~>sage/x", wrong(6, "the end of the name")],
  ["~?me@example.org", wrong(4, "the end of the name")],
  ["~<a+b", wrong(3, "the end of the name")],
  ["~^sage#1", wrong(6, "the end of the name")],
  ["~^resume/x", wrong(8, "the end of the name")],
  ["~<handoff/x", wrong(9, "the end of the name")],
  ["~>delegate", wrong(2, "in quotes it is a name")],
  ["~?Handoff", wrong(2, "in quotes it is a name")],
  ["~<resume", wrong(2, "in quotes it is a name")],
  ["~^handoff", wrong(2, "in quotes it is a name")],
  ["~handoff: x", wrong(1, "in quotes it is a name")],
  ["~resume: x", wrong(1, "in quotes it is a name")],
  ["~delegate:resume x", wrong(10, "in quotes it is a name")],
  ["~delegate", wrong(9, "`:` and a familiar's name")],
  ["~delegate sage: x", wrong(9, "`:` and a familiar's name")],
  ["~delegate:", wrong(10, "a familiar's name")],
  ["~delegate: sage x", wrong(10, "a familiar's name")],
  ["~delegate:sage", wrong(14, "a task")],
  ["~delegate:sage  ", wrong(14, "a task")],
  ["~delegate:sage:", wrong(15, "a task")],
  ["~delegate:sage:x", wrong(15, "a space behind the colon")],
  ["~delegate:sage, x", wrong(14, "a space or `:`, and a task")],
  ["~delegate:sage ~?", wrong(14, "a task"), status()],
  ["~cody:", wrong(6, "a task")],
  ["~cody: \n ", wrong(6, "a task")],
  ["~cody: ~?", wrong(6, "a task"), status()],
  ["~cody: (~?)", wrong(6, "a task"), status()],
  ["(~cody: )", wrong(7, "a task")],
  ['~cody: ""', wrong(8, "a task")],
  ['~cody: " \n "', wrong(8, "a task")],
  ['~cody: "x', wrong(7, "a closing quote")],
  ['~cody: "x\\"', wrong(7, "a closing quote")],
  ['~cody: "say "hi""', wrong(13, "a space behind the closing quote")],
  ['~cody: "x"é', wrong(10, "a space behind the closing quote")],
  ["~*", wrong(2, "a message")],
  ["~* ", wrong(2, "a message")],
  ['~* ""', wrong(4, "a message")],
  ['~* "x', wrong(3, "a closing quote")],
  ["~* ~?", wrong(2, "a message"), status()],
  ["~broadcast", wrong(10, "` *` and a message")],
  ["~broadcast the news", wrong(10, "` *` and a message")],
  ["~broadcast: news", wrong(10, "` *` and a message")],
  ["~broadcast\n* news", wrong(10, "` *` and a message")],
  ["~broadcast *.md", wrong(12, "a space and a message")],
  ["~broadcast ** x", wrong(12, "a space and a message")],
  ["~broadcast *:x", wrong(13, "a space and a message")],
  ['~>"', wrong(2, "a familiar's name")],
  ['~>"sage', wrong(2, "a closing quote in this line")],
  ['~>"sage\n"', wrong(2, "a closing quote in this line")],
  ['~>"sage\\\n"', wrong(2, "a closing quote in this line")],
  ['~>""', wrong(3, "a name without spaces around it")],
  ['~?"sage "', wrong(3, "a name without spaces around it")],
  ['~" sage": x', wrong(2, "a name without spaces around it")],
  ['~>"Nova"Star', wrong(8, "a space behind the closing quote")],
  ["~> ~?", wrong(2, "a familiar's name"), status()],
  ["~>sage ~> ~cody: x", switchTo("sage"), wrong(9, "a familiar's name"), delegate("cody", "x")],
  ["~cody: use ~> here", delegate("cody", "use"), wrong(13, "a familiar's name")],
  ['~cody: "x ~?', wrong(7, "a closing quote"), status()],
  ["~> ~< ~* ~cody:", wrong(2, "name"), wrong(5, "name"), wrong(8, "a message"), wrong(15, "a task")],
];

const isWrong = (found: CastCode | Wrong): found is Wrong => "words" in found;

function check([text, ...found]: Row): void {
  const { codes, problems } = parseCastText(text);
  expect(codes.map(({ code }) => code)).toEqual(found.filter((each) => !isWrong(each)));
  expect(problems).toEqual(
    found.filter(isWrong).map(({ offset, words }) => ({ offset, expected: expect.stringContaining(words) })),
  );
}

describe("a text", () => {
  const titled = (rows: readonly Row[]): [string, Row][] => rows.map((row) => [JSON.stringify(row[0]), row]);
  it.each(titled(published))("has what both published catalogs say: %s", (_, row) => check(row));
  it.each(titled(names))("names a familiar: %s", (_, row) => check(row));
  it.each(titled(texts))("carries a task or a message: %s", (_, row) => check(row));
  it.each(titled(places))("holds codes among prose: %s", (_, row) => check(row));
  it.each(titled(mistakes))("says what was expected where: %s", (_, row) => check(row));
  it.each(titled(prose.map((text): Row => [text])))("is prose: %s", (_, row) => check(row));
});

describe("the place of a code", () => {
  it.each([
    ["so ~?sage, and", ["~?sage"]],
    ["~cody:  review this \n\n ~^ resume now", ["~cody:  review this", "~^ resume"]],
    ['x ~* "be quick" y', ['~* "be quick"']],
    ["(~cody: call f(x)) x", ["~cody: call f(x)"]],
    ["🎉 ~?賢者。~", ["~?賢者"]],
    ["~cody: ask (~?)", ["~cody: ask", "~?"]],
    ['~<handoff. ~>"Nova Star"!', ["~<handoff", '~>"Nova Star"']],
  ])("is from its tilde to its last character: %j", (text, written) => {
    expect(parseCastText(text).codes.map(({ start, end }) => text.slice(start, end))).toEqual(written);
  });
});

describe("the document", () => {
  const file = new URL("../../docs/CAST-CODES.md", import.meta.url);
  const [, examples = ""] = readFileSync(file, "utf8").split("## Examples");
  const rows = [...examples.matchAll(/^\| `(.*?)` +\| (.*?) +\|$/gm)].map(([, text = "", says = ""]) => ({
    text,
    says,
  }));

  it.each(rows)("says of $text what the parser does", ({ text, says }) => {
    const { codes, problems } = parseCastText(text);
    const found = codes.map(({ code }) => `\`${printCastCode(code)}\``).join(" and ");
    const wanted = problems.map(
      ({ offset, expected }) => `at ${offset}: ${expected.replaceAll("\\", "\\\\")}`,
    );
    expect(says).toBe([found, ...wanted].filter((part) => part !== "").join(", ") || "prose");
  });

  it("has examples of every kind of code, of problems and of prose", () => {
    expect(rows.length).toBeGreaterThan(30);
    expect(new Set(rows.flatMap(({ text }) => meanings(text).map(({ kind }) => kind))).size).toBe(6);
  });
});

describe("a printed code", () => {
  it.each([
    [status(), "~?"],
    [status("sage"), "~?sage"],
    [switchTo("Nova Star"), '~>"Nova Star"'],
    [switchTo("resume"), '~>"resume"'],
    [switchTo("7of9"), '~>"7of9"'],
    [switchTo("Dr."), '~>"Dr."'],
    [delegate("cody", 'say "hi\\" '), '~cody: "say \\"hi\\\\\\" "'],
    [broadcast("local only"), '~* "local only"'],
    [resume(), "~^ resume"],
    [resume("sage"), "~^sage"],
    [resume(undefined, "go on"), '~^ resume: "go on"'],
    [resume("sage", "go on"), '~^sage: "go on"'],
    [handoff(), "~<handoff"],
    [handoff("handoff"), '~<"handoff"'],
  ])("is written so: %j → %s", (code, written) => expect(printCastCode(code)).toBe(written));
});

/** Parts that mean something to the grammar, and some that only look like it. */
const parts = [
  ...[
    "~",
    "~",
    "~",
    '"',
    '"',
    '"',
    "\\",
    "\\",
    ":",
    ":",
    "?",
    ">",
    "<",
    "^",
    "*",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
  ],
  ...[
    "/",
    ".",
    ",",
    "-",
    "_",
    "'",
    "`",
    "@",
    "=",
    "5",
    "a",
    "Z",
    "é",
    "賢",
    "\u0301",
    "🎉",
    "\ud83c",
    "“",
    "，",
    "～",
  ],
  ...[" ", " ", " ", "\n", "\r", "\r\n", "\t", "\u00a0", "\u2028", "\ufeff", "\u200d", "\0"],
  ...[
    "~?",
    "~>",
    "~>",
    "~<",
    "~<",
    "~^",
    "~*",
    " ~?",
    " ~>",
    " ~<",
    " ~^",
    "~* ",
    "~^ ",
    ": ",
    ': "',
    "\\~",
    '\\"',
  ],
  ...[
    "sage",
    "sage",
    "sage",
    '"Nova Star"',
    "sage: ",
    " ~cody: ",
    " ~cody: ",
    "~sage: ",
    "delegate",
    " ~delegate:",
    "~broadcast",
    "~broadcast *",
  ],
  ...["handoff", "resume"],
];

describe("any text at all", () => {
  const random = randomTexts({ seed: 20_260_101, parts, lengthMax: 24 });
  const all = Array.from({ length: 20_000 }, () => random());

  it("is parsed without an error, into places in order and inside it", () => {
    const isPlaced = (text: string): boolean => {
      const { codes, problems } = parseCastText(text);
      return (
        codes.every(({ start, end }, index) => start < end && start >= (codes[index - 1]?.end ?? 0)) &&
        codes.every(({ start, end }) => text[start] === "~" && end <= text.length) &&
        problems.every(({ offset }, index) => offset > (problems[index - 1]?.offset ?? -1)) &&
        problems.every(({ offset }) => offset <= text.length)
      );
    };
    expect(all.filter((text) => !isPlaced(text))).toEqual([]);
  });

  it("has codes that say the same when they are printed and parsed again, alone and together", () => {
    const codesOf = all.map(meanings);
    const says = (printed: string, codes: readonly CastCode[]): boolean =>
      parseCastText(printed).problems.length === 0 && isDeepStrictEqual(meanings(printed), codes);
    expect(codesOf.flat().filter((code) => !says(printCastCode(code), [code]))).toEqual([]);
    expect(codesOf.filter((codes) => !says(codes.map(printCastCode).join(" "), codes))).toEqual([]);
    // Only what was met was tried.
    const seldom = ["status", "switch", "delegate", "broadcast", "resume", "handoff"].filter(
      (kind) => codesOf.flat().filter((code) => code.kind === kind).length < 200,
    );
    expect(seldom).toEqual([]);
  });

  it("says the same at the end of other prose", () => {
    const before = "hm, \n";
    const isSame = (text: string): boolean =>
      isDeepStrictEqual(
        parseCastText(before + text).codes.map(({ code, start }) => ({ code, start: start - before.length })),
        parseCastText(text).codes.map(({ code, start }) => ({ code, start })),
      );
    expect(all.filter((text) => !isSame(text))).toEqual([]);
  });

  it("says the same whether its lines end in CRLF or not", () => {
    const unix = all.map((text) => text.replaceAll("\r", ""));
    const says = (text: string): string => JSON.stringify(meanings(text)).replaceAll("\\r\\n", "\\n");
    expect(unix.filter((text) => says(text.replaceAll("\n", "\r\n")) !== says(text))).toEqual([]);
  });
});

const meanings = (text: string): CastCode[] => parseCastText(text).codes.map(({ code }) => code);

describe("a very long text", () => {
  const repeated = [
    ...[
      "~",
      "~ ",
      " ~",
      "~\n",
      "\\~",
      " \\~",
      "(~",
      "(",
      "~?",
      "~? ",
      "~?)",
      "~?!",
      "~?a ",
      "~?a.",
      "~> ",
      "~>a ",
      "~>.",
      "~>7 ",
    ],
    ...['~>"', '~>"a ', '~"', '~" ', ' ~"', ' ~"a', ' ~"a": ', ' ~"\\"', '~>"\\', '~>"a" '],
    ...[
      "~^ ",
      "~^",
      "~^  ",
      "~^a: ",
      "~^ resume: ",
      "~< ",
      "~<handoff ",
      "~* ",
      "~*",
      "~broadcast ",
      "~broadcast * ",
    ],
    ...[
      "~a: ",
      "~a:",
      "~a: b ",
      '~a: "',
      '~a: " ',
      '~a: "b" ',
      '~a: "\\',
      "(~a: ",
      "(~a: b ",
      "(~a: b) ",
      "(~a: (",
      "~a: (~b: ) ",
    ],
    ...["~delegate: ", "~delegate:a ", "~delegate:a: ", "~a", "~a.", "~賢", " ~賢: 者"],
  ];
  const opened = [
    "~^",
    "~>",
    "~*",
    "~?",
    "~a:",
    "~a: ",
    "(~a: ",
    '~a: "',
    '~>"',
    '~"',
    "~a",
    "~?a",
    "~?)",
    "~delegate:",
    "~broadcast",
  ];

  it.each(repeated)("of %j is read in a time that grows as it does", (part) => {
    const text = part.repeat(Math.ceil(100_000 / part.length));
    expect(countedReads(() => parseCastText(text))).toBeLessThan(readsPerCharacterMax * text.length);
  });

  it.each(opened)("behind %j is read in a time that grows as it does", (head) => {
    for (const part of [" ", "a", ".", ")", "(", "~", "\\", '\\"', "\n", "者", " ~"]) {
      const text = `${head}${part.repeat(100_000 / part.length)}`;
      expect(countedReads(() => parseCastText(text))).toBeLessThan(readsPerCharacterMax * text.length);
    }
  });

  it("of a megabyte of tildes is prose, each of them read twice at most", () => {
    const text = "~".repeat(2 ** 20);
    const reads = countedReads(() => expect(parseCastText(text)).toEqual({ codes: [], problems: [] }));
    expect(reads).toBeGreaterThan(text.length);
    expect(reads).toBeLessThan(2 * text.length + 100);
  });
});

/** Some look-aheads read blanks again, names are tested, cut out and compared; none may be read once per code. */
const readsPerCharacterMax = 8;

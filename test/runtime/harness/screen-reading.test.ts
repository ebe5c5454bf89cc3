/** What Claude Code 2.1.197 and Codex CLI 0.169.0 had on their screens, and what is read from it. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import * as z from "zod";
import { claudeScreens } from "../../../src/runtime/harness/claude-screens.ts";
import { codexScreens } from "../../../src/runtime/harness/codex-screens.ts";
import { draftShows, submitShows, typedMessage } from "../../../src/runtime/harness/message-typing.ts";
import { type ScreenReading, readScreen } from "../../../src/runtime/harness/screen-reading.ts";
import { type ScreenView, createScreen } from "../../../src/text/screen.ts";

const folder = fileURLToPath(new URL("./fixtures/screens/", import.meta.url));
const patternsOf = (name: string) => (name.startsWith("claude") ? claudeScreens : codexScreens);

const span = z.tuple([z.int(), z.int()]);
const drawnLine = z.union([
  z.string().transform((text) => ({ text, dim: [], inverse: [] })),
  z.object({ text: z.string(), dim: z.array(span).default([]), inverse: z.array(span).default([]) }),
]);
const drawnScreen = z.object({
  columns: z.int(),
  rows: z.int(),
  caret: z.object({ row: z.int(), column: z.int(), isVisible: z.boolean() }),
  lines: z.array(drawnLine),
});

/** A screen whose empty lines at the end are left out. */
function drawn(name: string): ScreenView {
  const { rows, ...screen } = drawnScreen.parse(JSON.parse(readFileSync(`${folder}${name}.json`, "utf8")));
  const empty = { text: "", dim: [], inverse: [] };
  const lines = Array.from({ length: rows }, (_, row) => screen.lines[row] ?? empty);
  return { ...screen, lines, isHalfDrawn: false };
}

const printed = (name: string): Buffer => readFileSync(`${folder}${name}.80x24.raw`);

async function viewOf(bytes: Uint8Array): Promise<ScreenView> {
  const screen = createScreen({ columns: 80, rows: 24 });
  await screen.write(bytes);
  const view = screen.view();
  screen.dispose();
  return view;
}

const empty: ScreenReading = { kind: "composer", draft: "", isBusy: false };
const busy: ScreenReading = { kind: "composer", draft: "", isBusy: true };
const drafted = (draft: string): ScreenReading => ({ kind: "composer", draft, isBusy: false });
const words = Array.from({ length: 6 }, () => Array.from({ length: 15 }, () => "word").join(" "));

const composers: readonly (readonly [screen: string, reading: ScreenReading | undefined])[] = [
  ["claude-empty", empty],
  ["claude-empty-unfocused", empty],
  ["claude-interrupted", empty],
  ["claude-interrupted-small", empty],
  ["claude-named", empty],
  ["claude-plan-mode", empty],
  ["claude-not-logged-in", empty],
  ["claude-draft", drafted("hello there")],
  ["claude-draft-lines", drafted("one\ntwo")],
  ["claude-draft-caret-inside", drafted([...words, words[0]?.slice(0, 49)].join("\n"))],
  ["claude-paste-short", drafted("line one\nline two\nline three")],
  ["claude-paste-long", drafted("[Pasted text #1 +39 lines]")],
  ["claude-paste-one-line", drafted("[Pasted text #1]")],
  ["claude-slash-menu", drafted("/")],
  ["claude-shell-mode", drafted("!")],
  ["claude-shell-draft", drafted("!ls")],
  ["claude-busy", busy],
  ["claude-busy-command", busy],
  ["claude-busy-draft", { kind: "composer", draft: "x", isBusy: true }],
  // "Press up to edit queued messages" stands greyed in its composer, below the caret that it draws.
  ["claude-busy-queued", busy],
  ["codex-empty", empty],
  ["codex-interrupted", empty],
  ["codex-interrupted-small", empty],
  ["codex-scrolled", empty],
  ["codex-draft", drafted("hello there")],
  ["codex-paste-short", drafted("line one\nline two\nline three")],
  ["codex-paste-long", drafted("[Pasted Content 1489 chars]")],
  ["codex-draft-scrolled", drafted(Array.from({ length: 14 }, (_, row) => `row ${row + 16}`).join("\n"))],
  ["codex-shell-draft", drafted("!ls")],
  ["codex-slash-menu", drafted("/")],
  ["codex-busy", busy],
  ["codex-busy-command", busy],
  ["codex-busy-queued", busy],
  ["codex-busy-scrolled", busy],
  ["codex-busy-draft", { kind: "composer", draft: "queued one", isBusy: true }],
];

/** What only looks like something else, and what is not known. */
const lookalikes: readonly (readonly [screen: string, reading: ScreenReading | undefined])[] = [
  ["claude-prose-question", empty],
  ["claude-prose-busy", empty],
  ["codex-prose-question", empty],
  ["codex-prose-busy", empty],
  ["claude-history-search", undefined],
  ["claude-transcript-view", undefined],
  ["claude-resume-picker", undefined],
  ["claude-rewind", undefined],
  ["codex-history-search", undefined],
  ["codex-resume-picker", undefined],
  ["codex-pager", undefined],
  // It draws a composer before it asks for trust.
  ["codex-starting", undefined],
];

describe("a screen", () => {
  test.for(composers)("%s has a composer", ([name, reading]) => {
    expect(readScreen(patternsOf(name), drawn(name))).toEqual(reading);
  });

  test.for(lookalikes)("%s is not taken for what it is not", ([name, reading]) => {
    expect(readScreen(patternsOf(name), drawn(name))).toEqual(reading);
  });
});

const numbered = (...labels: string[]) => labels.map((label, at) => ({ label, keys: String(at + 1) }));
const bash = "Bash command\n\n  echo done > done.txt\n  Write done\n\nDo you want to proceed?";
const bashChoices = numbered("Yes", "Yes, and always allow access to p/ from this project", "No");
const touch =
  "Would you like to run the following command?\n\nEnvironment: local\n\nReason: May I write a file?\n\n$ touch done.txt";
const touchChoices = numbered(
  "Yes, proceed (y)",
  "Yes, and don't ask again for commands that start with `touch done.txt` (p)",
  "No, and tell Codex what to do differently (esc)",
);
type Choices = readonly { readonly label: string; readonly keys: string }[];

const questions: readonly (readonly [screen: string, name: string, text: string, choices: Choices])[] = [
  ["claude-trust", "trust", "/srv/p", numbered("Yes, I trust this folder", "No, exit")],
  ["claude-api-key", "API key", "Do you want to use this API key?", numbered("Yes", "No (recommended)")],
  [
    "claude-login",
    "login",
    "Select login method:",
    numbered(
      "Claude account with subscription · Pro, Max, Team, or Enterprise",
      "Anthropic Console account · API usage billing",
      "3rd-party platform · Amazon Bedrock, Microsoft Foundry, or Vertex AI",
    ),
  ],
  [
    "claude-bypass-warning",
    "bypass warning",
    "you accept all responsibility",
    numbered("No, exit", "Yes, I accept"),
  ],
  ["claude-permission-small", "permission prompt", bash, bashChoices],
  ["claude-permission-large", "permission prompt", bash, bashChoices],
  // A digit would be typed into the field that the first choice has opened.
  ["claude-permission-amend", "permission prompt", bash, []],
  [
    "claude-permission-write",
    "permission prompt",
    "40 line 39\n\nDo you want to create new.txt?",
    numbered("Yes", "Yes, allow all edits during this session (shift+tab)", "No"),
  ],
  [
    "claude-permission-fetch",
    "permission prompt",
    "Claude wants to fetch content from example.com",
    numbered(
      "Yes",
      "Yes, and don't ask again for example.com",
      "No, and tell Claude what to do differently (esc)",
    ),
  ],
  [
    "claude-permission-mcp",
    "permission prompt",
    'shop - buy(what: "tea") (MCP)',
    numbered("Yes", "Yes, and don't ask again for shop - buy commands in /srv/p", "No"),
  ],
  [
    "claude-question-several",
    "question",
    "Which fruits?",
    [
      ...numbered("[✔] Apple", "[ ] Pear", "[ ] Type something", "Chat about this"),
      { label: "Next", keys: "\t" },
    ],
  ],
  [
    "claude-question-review",
    "question",
    "Ready to submit your answers?",
    numbered("Submit answers", "Cancel"),
  ],
  ["claude-question-typing", "question", "Which colour shall it be?\n\nRed: Warm\nBlue: Cold", []],
  [
    "claude-plan",
    "plan approval",
    "Here is Claude's plan:\n\nThe plan\n\n1. First do this",
    numbered("Yes, and use auto mode", "Yes, manually approve edits", "Tell Claude what to change"),
  ],
  ["claude-elicitation", "question", "Which size do you want?", []],
  [
    "codex-trust",
    "trust",
    "Folder access\n/srv/q\n\nTrust this folder?",
    [
      { label: "Trust and continue", keys: "\r" },
      { label: "Back to Agent Command Center", keys: "\u001b[B\r" },
    ],
  ],
  [
    "codex-login",
    "login",
    "Choose how you want to use Codex.",
    numbered("Sign in with ChatGPT", "Sign in with Device Code", "Sign in another way"),
  ],
  ["codex-login-key", "login", "Paste or type your API key below.", []],
  [
    "codex-update",
    "update",
    "0.169.0 → 9.9.9",
    numbered("Update now (runs `npm install -g @openai/codex`)", "Skip", "Skip until next version"),
  ],
  [
    "codex-hooks",
    "hooks",
    "1 hook is new or changed.",
    numbered("Review hooks", "Trust all and continue", "Continue without trusting (hooks won't run)"),
  ],
  ["codex-command-small", "command approval", touch, touchChoices.slice(0, 2)],
  ["codex-command-large", "command approval", touch, touchChoices],
  ["codex-elicitation", "question", "Which size do you want?", numbered("small", "large")],
  ["codex-elicitation-text", "question", "Which size do you want?\n\nSize\nin words", []],
  [
    "codex-question",
    "question",
    "Which colour shall it be?",
    numbered("Red (Recommended)", "Blue", "None of the above"),
  ],
  ["codex-question-notes", "question", "Which colour shall it be?", []],
  ["codex-name-form", "dialog", "Name thread", []],
];

describe("a dialog", () => {
  test.for(questions)("%s is a question", ([screen, name, text, choices]) => {
    const reading = readScreen(patternsOf(screen), drawn(screen));
    const question = { text: expect.stringContaining(text), choices };
    expect(reading).toEqual({ kind: "question", name, question });
  });

  test("with one choice that is drawn is none yet", () => {
    const view = drawn("claude-permission-small");
    const lines = view.lines.map((line) => (/^ {3}[23]\./.test(line.text) ? { ...line, text: "" } : line));
    expect(readScreen(claudeScreens, view)).toMatchObject({ kind: "question" });
    expect(readScreen(claudeScreens, { ...view, lines })).toBeUndefined();
  });

  test("that a person has opened is one too", () => {
    expect(readScreen(claudeScreens, drawn("claude-theme"))).toMatchObject({ name: "dialog" });
    expect(readScreen(codexScreens, drawn("codex-model"))).toMatchObject({ name: "dialog" });
  });

  test("is told without its borders, and not longer than its bound", () => {
    const view = drawn("claude-permission-small");
    const filler = { text: "   " + "x".repeat(300), dim: [], inverse: [] };
    const more = Array.from({ length: 20 }, () => filler);
    const at = view.lines.findIndex(({ text }) => text.includes("echo done"));
    const lines = [...view.lines.slice(0, at), ...more, ...view.lines.slice(at)];
    const caret = { ...view.caret, row: view.caret.row + more.length };
    const reading = readScreen(claudeScreens, { ...view, lines, caret });
    expect(reading).toMatchObject({ kind: "question", question: { choices: bashChoices } });
    const text = reading?.kind === "question" ? reading.question.text : "";
    expect(text.length).toBeLessThanOrEqual(2000);
    expect(text).toMatch(/^Bash command\n[^]*…\n…[^]*Do you want to proceed\?$/);
    expect(text).not.toContain("─");
  });
});

/** The choices that were open in the end, and what the program had printed until then. */
const dialogs = [
  ["claude-permission", bash, "Do you want to"],
  ["claude-permission-edit", "Do you want to make this edit to greeting.txt?", "Do you want to"],
  ["claude-question", "Which colour shall it be?", "Which colour shall it be?"],
  ["codex-command", touch, "Would you like"],
  ["codex-patch", "Would you like to make the following edits?", "Would you like"],
  ["codex-tool", "Allow the shop MCP server to run tool", "Allow the shop MCP server"],
] as const;

/** Places at which a dialog is cut: each takes a screen of its own. */
const cuts = 150;

describe.each(dialogs)("%s", (name, text, title) => {
  test("is read from what was printed", async () => {
    const reading = readScreen(patternsOf(name), await viewOf(printed(name)));
    expect(reading).toMatchObject({ kind: "question", question: { text: expect.stringContaining(text) } });
  });

  test("is no composer at whatever place its drawing is cut", async () => {
    const bytes = printed(name);
    const screen = createScreen({ columns: 80, rows: 24 });
    onTestFinished(screen.dispose);
    // Words are drawn apart, with jumps between them: what stands on the screen tells when it has begun.
    const step = Math.ceil(bytes.length / 2 / cuts);
    const wrong: unknown[] = [];
    let questions = 0;
    for (let at = 0; at < bytes.length; at += at < bytes.length / 2 ? 200 : step) {
      await screen.write(bytes.subarray(at, at + (at < bytes.length / 2 ? 200 : step)));
      const view = screen.view();
      const reading = readScreen(patternsOf(name), view);
      if (reading?.kind === "question") questions += 1;
      else if (reading !== undefined && view.lines.some((line) => line.text.includes(title)))
        wrong.push(reading);
    }
    expect(wrong).toEqual([]);
    expect(questions).toBeGreaterThan(0);
  });
});

test("a screen that says it is being drawn is not read", () => {
  expect(readScreen(codexScreens, { ...drawn("codex-empty"), isHalfDrawn: true })).toBeUndefined();
});

describe("a composer", () => {
  test("of Codex is none without its caret, and none where its mark is greyed", () => {
    const view = drawn("codex-empty");
    const hidden = { ...view, caret: { ...view.caret, isVisible: false } };
    expect(readScreen(codexScreens, hidden)).toBeUndefined();
    const lines = view.lines.map((line, at) =>
      at === view.caret.row - 1 ? { ...line, dim: [[0, line.text.length]] as const } : line,
    );
    expect(readScreen(codexScreens, { ...view, lines })).toBeUndefined();
  });

  test("of Claude is none without its frame, or with the caret elsewhere", () => {
    const view = drawn("claude-empty");
    const lines = view.lines.map((line, at) => (at === view.caret.row ? { ...line, text: "" } : line));
    expect(readScreen(claudeScreens, { ...view, lines })).toBeUndefined();
    for (const row of [1, view.caret.row - 1, view.caret.row + 1, view.lines.length])
      expect(readScreen(claudeScreens, { ...view, caret: { ...view.caret, row } })).toBeUndefined();
  });
});

describe("a message", () => {
  test("is typed as one paste, of which it cannot break out, and one Enter", () => {
    expect(typedMessage(claudeScreens, "one\r\ntwo\u001b[201~\rthree\u0003")).toEqual({
      paste: "\u001b[200~one\ntwo[201~\nthree\u001b[201~",
      submit: "\r",
    });
  });

  const drafts: readonly (readonly [screen: string, text: string, isShown: boolean])[] = [
    ["claude-draft", "hello there", true],
    ["claude-draft", "hello there, you", false],
    ["claude-draft", "there", false],
    ["claude-empty", "hello there", false],
    ["claude-busy-queued", "Press up to edit queued messages", false],
    ["claude-draft-caret-inside", Array.from({ length: 100 }, () => "word").join(" "), true],
    ["claude-paste-long", Array.from({ length: 40 }, (_, row) => `row ${row}`).join("\n"), true],
    ["claude-paste-long", "row 1\nrow 2", false],
    ["claude-paste-one-line", "a".repeat(900), true],
    ["codex-paste-short", "line one\nline two\nline three", true],
    ["codex-paste-long", Array.from({ length: 200 }, (_, row) => `row ${row}`).join("\n"), true],
    ["codex-paste-long", "row 1", false],
    ["codex-draft-scrolled", Array.from({ length: 30 }, (_, row) => `row ${row}`).join("\n"), true],
    ["codex-draft-scrolled", Array.from({ length: 31 }, (_, row) => `row ${row}`).join("\n"), false],
  ];
  test.for(drafts)("%s shows %j: %s", ([screen, text, isShown]) => {
    const reading = readScreen(patternsOf(screen), drawn(screen));
    const draft = reading?.kind === "composer" ? reading.draft : "";
    expect(draftShows(patternsOf(screen), draft, text)).toBe(isShown);
  });

  const sent: readonly (readonly [screen: string, text: string, isSent: boolean])[] = [
    ["claude-busy", "Next please", true],
    ["claude-busy-queued", "queued one", true],
    ["claude-draft", "hello there", false],
    ["claude-empty", "hello there", false],
    ["claude-permission-large", "Do it.", true],
    ["codex-busy-queued", "queued one", true],
    ["codex-busy-draft", "queued one", false],
    ["codex-interrupted", "Do it.", true],
    ["codex-interrupted", "Do something else.", false],
    ["codex-pager", "Do it.", false],
  ];
  test.for(sent)("%s shows that %j was sent: %s", ([screen, text, isSent]) => {
    expect(submitShows(patternsOf(screen), drawn(screen), text)).toBe(isSent);
  });
});

test.each([claudeScreens, codexScreens])("patterns are data that JSON can hold", (patterns) => {
  expect(JSON.parse(JSON.stringify(patterns))).toEqual(patterns);
});

/** The screens of Codex CLI 0.169.0. It shows the terminal's caret only where text may be typed. */
import type { ScreenPatterns } from "./screen-patterns.ts";

export const codexScreens: ScreenPatterns = {
  composer: {
    marks: ["›", "!"],
    needsCaret: true,
    never: [
      // Alone, before its session has begun: a dialog may come instead.
      "^\\s*\\? for shortcuts$",
      "^\\s*reverse-i-search:",
      "(?:^|[\\s·|]|press )(?:enter|esc|tab) (?:or esc )?(?:to )?(?:submit|save|go back|back|cancel|clear|skip|exit)\\b",
    ],
  },
  busy: {
    line: "^[•◦] .*\\(.*\\d+s • esc to interrupt\\)",
    isDim: true,
    between: ["^\\s+\\S", "^• (?:Messages to be submitted|Queued follow-up)"],
  },
  dialog: {
    markers: ["›", ">"],
    caret: "hidden",
    footer: "\\b(?:enter|esc)\\b",
    forms: [
      { name: "question", shows: "^\\s*(?:Question|Field) \\d+/\\d+", ends: "^\\s*.*\\benter to submit\\b" },
      { name: "dialog", shows: "^› ", ends: "^\\s*enter submit · esc back$" },
      {
        name: "login",
        shows: "^\\s*Paste or type your API key below\\.$",
        ends: "^\\s*Press esc to go back$",
      },
    ],
    names: [
      // Its number is not taken for the first choice.
      { name: "trust", shows: "Trust this folder\\?", press: "arrows" },
      {
        name: "login",
        shows: "^\\s*Choose how you want to use Codex|^\\s*Sign in another way",
        isDescribed: true,
      },
      { name: "update", shows: "^\\s*Update available" },
      { name: "hooks", shows: "^\\s*Hooks need review" },
      { name: "command approval", shows: "^\\s*Would you like to run the following command\\?" },
      { name: "patch approval", shows: "^\\s*Would you like to make the following edits\\?" },
      { name: "tool approval", shows: "^\\s*Allow the .* MCP server to run tool" },
      { name: "question", shows: "^\\s*(?:Question|Field) \\d+/\\d+" },
    ],
    otherName: "dialog",
  },
  typing: {
    pasteStart: "\u001b[200~",
    pasteEnd: "\u001b[201~",
    submit: "\r",
    placeholder: "\\[Pasted Content (?<characters>\\d+) chars\\](?: #\\d+)?",
  },
};

/** The screens of Claude Code 2.1.197. It hides the terminal's caret, draws its own, and keeps both in one place. */
import type { ScreenPatterns } from "./screen-patterns.ts";

export const claudeScreens: ScreenPatterns = {
  composer: {
    marks: ["❯", "!"],
    // A named session's name stands in it.
    frame: "^─{3,}.*─$",
    needsCaret: false,
    never: ["^\\s+search prompts:"],
  },
  busy: {
    line: "^[·✢✳✶✻✽*] \\p{L}[^…]*…(?: \\(.*\\))?$",
    isDim: false,
    between: ["^\\s+\\S"],
    // Not there while a draft is.
    below: "^\\s+(?:.* · )?esc to interrupt(?: · |$)",
  },
  dialog: {
    markers: ["❯"],
    caret: "atMarker",
    above: "^─{3,}$",
    forms: [
      { name: "question", shows: "^\\s*MCP server .* requests your input$", ends: "^\\s*Esc to cancel · " },
    ],
    names: [
      { name: "trust", shows: "Quick safety check: Is this a project you" },
      { name: "API key", shows: "^\\s*Detected a custom API key in your environment" },
      { name: "bypass warning", shows: "^\\s*WARNING: Claude Code running in Bypass Permissions mode" },
      { name: "login", shows: "^\\s*Select login method:" },
      { name: "plan approval", shows: "^ Ready to code\\?$", beginsThere: true, isDescribed: true },
      { name: "plan approval", shows: "^ Exit plan mode\\?$" },
      {
        name: "question",
        shows: "^(?:Enter to select · .*|Ready to submit your answers\\?)$",
        isDescribed: true,
        unnumbered: { shows: "^\\s+(Next|Submit)$", keys: "\t" },
      },
      { name: "permission prompt", shows: "^\\s*Do you want to " },
    ],
    otherName: "dialog",
  },
  typing: {
    pasteStart: "\u001b[200~",
    pasteEnd: "\u001b[201~",
    submit: "\r",
    placeholder: "\\[Pasted text #\\d+(?: \\+(?<lines>\\d+) lines?)?\\]",
  },
};

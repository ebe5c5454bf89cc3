/**
 * How a message is typed into a harness, and what shows that it stands in the composer and that it was sent.
 *
 * Measured with Claude Code 2.1.197 and Codex 0.169.0: an Enter behind the end of a bracketed paste is never taken into
 * the paste, not even in the same write; behind the same text without brackets Codex takes it for a line of it. Codex
 * shows a paste within 5 ms, Claude within 10 to 100. So Enter waits for nothing but the draft, which is looked at all the same: a
 * dialog that has opened meanwhile would take the Enter for an answer.
 */
import type { ScreenView } from "../../text/screen.ts";
import type { ScreenPatterns } from "./screen-patterns.ts";
import { readScreen } from "./screen-reading.ts";

export interface TypedMessage {
  readonly paste: string;
  /** Written when the draft shows the paste. */
  readonly submit: string;
}

/** Control characters, of which a paste may hold none: its end would be one. */
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

export function typedMessage({ typing }: ScreenPatterns, text: string): TypedMessage {
  const shown = text.replace(/\r\n?/g, "\n").replace(controls, "");
  return { paste: typing.pasteStart + shown + typing.pasteEnd, submit: typing.submit };
}

/** Fewest characters by which the end of a draft is known, whose beginning has scrolled away. */
const tailCharactersMin = 64;

/** Whether this draft is this text and nothing else. */
export function draftShows({ typing }: ScreenPatterns, draft: string, text: string): boolean {
  const placeholder = new RegExp(`^(?:${typing.placeholder})$`).exec(draft.trim());
  if (placeholder !== null) return isOf(placeholder.groups ?? {}, text.replace(/\r\n?/g, "\n").trimEnd());
  // It wraps anywhere, so that blanks tell nothing.
  const [drafted, wanted] = [squeezed(draft), squeezed(text)];
  if (drafted === wanted) return true;
  return drafted.length >= tailCharactersMin && wanted.endsWith(drafted);
}

function isOf({ lines, characters }: Partial<Record<string, string>>, text: string): boolean {
  if (characters !== undefined) return Math.abs(Number(characters) - Array.from(text).length) <= 1;
  return Math.abs(Number(lines ?? 0) - (text.split("\n").length - 1)) <= 1;
}

const squeezed = (text: string): string => text.replace(controls, "").replace(/\s+/gu, "");

/** Characters of a message by which it is known in the transcript. */
const knownByCharacters = 30;

/** Whether the message has left the composer and is under way: the harness is busy, asks, or shows it elsewhere. */
export function submitShows(patterns: ScreenPatterns, view: ScreenView, text: string): boolean {
  const reading = readScreen(patterns, view);
  if (reading === undefined) return false;
  const known = squeezed(text).slice(0, knownByCharacters);
  if (reading.kind === "composer") {
    const { draft, isBusy } = reading;
    if (draftShows(patterns, draft, text) || squeezed(draft).includes(known)) return false;
    if (isBusy) return true;
  }
  return squeezed(view.lines.map((line) => line.text).join("\n")).includes(known);
}

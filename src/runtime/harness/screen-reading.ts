/**
 * Reads from a drawn terminal what its harness waits for. What is on a screen was written by anybody: a model may
 * write the very words of a dialog. So a reading begins at what only the program sets, the caret and how its lines are
 * drawn, and whatever does not stand where it belongs is not read at all: a screen that is not known is `undefined`.
 */
import type { ScreenLine, ScreenView } from "../../text/screen.ts";
import type { OpenQuestion } from "./activity-sign.ts";
import { readQuestion } from "./question-reading.ts";
import type { ScreenPatterns } from "./screen-patterns.ts";

export type ScreenReading =
  | { readonly kind: "question"; readonly name: string; readonly question: OpenQuestion }
  | { readonly kind: "composer"; readonly draft: string; readonly isBusy: boolean }
  | { readonly kind: "busy" };

/**
 * Where a program does not say when it draws, what was printed may end within a frame. No such cut was seen to show a
 * composer while a dialog is open, but some show a question without all of its text, for the moment: what counts is
 * what is read when nothing more has come for a while.
 */
export function readScreen(patterns: ScreenPatterns, view: ScreenView): ScreenReading | undefined {
  if (view.isHalfDrawn) return undefined;
  const composer = findComposer(patterns, view);
  if (composer !== undefined) {
    const { draft, from, to } = composer;
    return { kind: "composer", draft, isBusy: isBusy(patterns, view, from, to) };
  }
  const found = readQuestion(patterns.dialog, view);
  if (found !== undefined) return { kind: "question", ...found };
  const end = view.lines.findLastIndex(({ text }) => text !== "") + 1;
  return isBusy(patterns, view, end, end) ? { kind: "busy" } : undefined;
}

interface Composer {
  readonly draft: string;
  /** Its first line, or that of its frame, and the one behind its last. */
  readonly from: number;
  readonly to: number;
}

/** The composer is where the caret stands: from there up to its prompt, and down to its end. */
function findComposer({ composer }: ScreenPatterns, view: ScreenView): Composer | undefined {
  const { lines, caret } = view;
  if (composer.needsCaret && !caret.isVisible) return undefined;
  const isIn = (index: number): boolean => {
    const text = lines[index]?.text;
    return text !== undefined && (text === "" || /^\s{2}/.test(text));
  };
  const caretAt = caret.row - 1;
  let from = caretAt;
  while (isIn(from)) from -= 1;
  const first = lines[from];
  const mark = composer.marks.find((each) => first?.text.startsWith(each));
  // Text begins in the third column.
  if (first === undefined || mark === undefined || caret.column < 3) return undefined;
  if (!/^\s?$/.test(first.text.slice(mark.length, mark.length + 1))) return undefined;
  if (first.dim.some(([start]) => start === 0)) return undefined;

  let to = caretAt + 1;
  const isEnd = (text: string): boolean => (composer.frame ? !/^\s{2}|^$/.test(text) : text === "");
  while (to < lines.length && !isEnd(lines[to]?.text ?? "")) to += 1;
  const isFramed = (index: number): boolean =>
    new RegExp(composer.frame ?? "").test(lines[index]?.text ?? "");
  if (!isFramed(from - 1) || !isFramed(to)) return undefined;
  const isStrange = composer.never.some((pattern) =>
    lines.slice(caretAt).some(({ text }) => new RegExp(pattern).test(text)),
  );
  if (isStrange) return undefined;

  const typed = lines.slice(from, to).map((line, index) => {
    const text = typedOf(line, from + index === caretAt ? caret.column : undefined);
    return index === 0 ? text.slice(mark.length + 1) : text.slice(2);
  });
  const draft = typed.join("\n").trim();
  const above = composer.frame === undefined ? from : from - 1;
  return { draft: mark === composer.marks[0] ? draft : mark + draft, from: above, to };
}

/**
 * A line without what is greyed, which stands there as blanks. A caret that a program draws by itself hides how the
 * character below it is drawn: that is as what follows.
 */
function typedOf(line: ScreenLine, caretColumn: number | undefined): string {
  const greyed = [...line.dim];
  for (const [from, to] of caretColumn === undefined ? [] : line.inverse)
    if (line.dim.some(([start]) => start === to)) greyed.push([from, to]);
  let { text } = line;
  for (const [from, to] of greyed) text = text.slice(0, from) + " ".repeat(to - from) + text.slice(to);
  return text.trimEnd();
}

/** Lines above the composer that are looked at: tips, tasks and what is queued stand between it and the sign. */
const linesAboveMax = 30;

function isBusy({ busy }: ScreenPatterns, { lines }: ScreenView, from: number, to: number): boolean {
  const { below } = busy;
  if (below !== undefined && lines.slice(to).some(({ text }) => new RegExp(below).test(text))) return true;
  const isBetween = (text: string): boolean => busy.between.some((pattern) => new RegExp(pattern).test(text));
  for (let index = from - 1; index >= Math.max(0, from - linesAboveMax); index -= 1) {
    const line = lines[index];
    if (line === undefined) return false;
    const found = new RegExp(busy.line, "u").exec(line.text);
    if (found !== null) return !busy.isDim || line.dim.some(([, end]) => end >= found[0].length);
    if (line.text !== "" && !isBetween(line.text)) return false;
  }
  return false;
}

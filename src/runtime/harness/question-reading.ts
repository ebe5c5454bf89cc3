/** Reads the dialog that is open on a screen: from the choice that is marked, up to its title and down to its end. */
import type { ScreenView } from "../../text/screen.ts";
import type { Choice, OpenQuestion } from "./activity-sign.ts";
import type { DialogName, DialogPatterns } from "./screen-patterns.ts";

interface Found {
  readonly name: string;
  readonly question: OpenQuestion;
}

export function readQuestion(dialog: DialogPatterns, view: ScreenView): Found | undefined {
  const texts = view.lines.map(({ text }) => text);
  const end = texts.findLastIndex((text) => text !== "");
  const last = texts[end] ?? "";
  const marked = markedLine(dialog, view);
  if (marked !== undefined) {
    if (dialog.footer !== undefined && !new RegExp(dialog.footer, "i").test(last)) return undefined;
    return readChoices(dialog, texts, marked);
  }
  return readForm(dialog, texts, end);
}

interface Marked {
  readonly index: number;
  /** Text goes to a field, so that no key chooses anything. */
  readonly isTyping: boolean;
}

function markedLine(dialog: DialogPatterns, { lines, caret }: ScreenView): Marked | undefined {
  const isMarked = (index: number): boolean => numbered(dialog, lines[index]?.text ?? "")?.isMarked === true;
  if (dialog.caret === "hidden") {
    const index = lines.findLastIndex((_, each) => isMarked(each));
    return index === -1 ? undefined : { index, isTyping: caret.isVisible };
  }
  const index = caret.row - 1;
  const line = lines[index];
  if (line === undefined || !isMarked(index)) return undefined;
  if (caret.column === line.text.search(/\S/) + 1) return { index, isTyping: false };
  // Elsewhere in the line it is half drawn, unless the program draws a caret there too.
  const isDrawn = line.inverse.some(([from]) => from === caret.column - 1) || line.text.length < caret.column;
  return isDrawn && caret.column > line.text.search(/\d/) + 3 ? { index, isTyping: true } : undefined;
}

interface Numbered {
  readonly number: number;
  readonly label: string;
  /** Where its number and its label begin. */
  readonly column: number;
  readonly labelColumn: number;
  readonly isMarked: boolean;
}

function numbered({ markers }: DialogPatterns, text: string): Numbered | undefined {
  const found = /^(\s*)(\S\s)?\s*(\d{1,2})\.\s+(\S.*)$/u.exec(text);
  if (found === null) return undefined;
  const [, , marker, digits = "", label = ""] = found;
  if (marker !== undefined && !markers.includes(marker.trim())) return undefined;
  return {
    number: Number(digits),
    label,
    column: text.search(/\d/),
    labelColumn: text.length - label.length,
    isMarked: marker !== undefined,
  };
}

/** Lines between one choice and the next: what belongs to it. */
const linesOfChoiceMax = 8;

interface Row extends Numbered {
  readonly index: number;
}

function readChoices(dialog: DialogPatterns, texts: readonly string[], { index, isTyping }: Marked) {
  const rows = rowsAround(dialog, texts, index);
  const [first] = rows;
  if (first === undefined || rows.length < 2) return undefined;
  const top = topOf(dialog, texts, first.index);
  const { named, from } = nameOf(dialog, texts, top);
  const about = named?.isDescribed ? rows.map((row) => described(row, texts, rows)) : [];
  const question = textOf(texts.slice(from, first.index), about);
  const choices = isTyping ? [] : choicesOf(dialog, named, texts, { rows, index });
  return { name: named?.name ?? dialog.otherName, question: { text: question, choices } };
}

/** Choices in one column whose numbers follow each other, around the one that is marked. */
function rowsAround(dialog: DialogPatterns, texts: readonly string[], index: number): Row[] {
  const read = (at: number): Row | undefined => {
    const row = numbered(dialog, texts[at] ?? "");
    return row === undefined ? undefined : { ...row, index: at };
  };
  const marked = read(index);
  if (marked === undefined) return [];
  const next = (row: Row, step: 1 | -1): Row | undefined => {
    for (let at = row.index + step; Math.abs(at - row.index) <= linesOfChoiceMax; at += step) {
      const other = read(at);
      if (other?.column === row.column && other.number === row.number + step) return other;
    }
    return undefined;
  };
  const rows = [marked];
  for (let row = next(marked, -1); row !== undefined; row = next(row, -1)) rows.unshift(row);
  for (let row = next(marked, 1); row !== undefined; row = next(row, 1)) rows.push(row);
  return rows;
}

/** Where the dialog begins whose choices begin there. */
function topOf({ above }: DialogPatterns, texts: readonly string[], choicesAt: number): number {
  let at = choicesAt - 1;
  if (above !== undefined) {
    while (at >= 0 && !new RegExp(above).test(texts[at] ?? "")) at -= 1;
    return at + 1;
  }
  while (at >= 0 && texts[at] === "") at -= 1;
  while (at >= 0 && !(texts[at] === "" && texts[at - 1] === "")) at -= 1;
  return at + 1;
}

/** What the dialog is called that begins there, or further up where its name says so. */
function nameOf({ names, above }: DialogPatterns, texts: readonly string[], top: number) {
  for (const named of names) {
    const shows = new RegExp(named.shows);
    const isFirst = (at: number): boolean => at === 0 || new RegExp(above ?? "^$").test(texts[at - 1] ?? "");
    const from = named.beginsThere
      ? texts.findIndex((text, at) => at < top && shows.test(text) && isFirst(at))
      : texts.slice(top).some((text) => shows.test(text))
        ? top
        : -1;
    if (from !== -1) return { named, from };
  }
  return { named: undefined, from: top };
}

interface Choosing {
  readonly rows: readonly Row[];
  /** The line that is marked. */
  readonly index: number;
}

function choicesOf(
  { footer }: DialogPatterns,
  named: DialogName | undefined,
  texts: readonly string[],
  { rows, index }: Choosing,
): Choice[] {
  const markedAt = rows.findIndex((row) => row.index === index);
  const choices = rows.map((row, at): Choice => {
    const rest = named?.isDescribed ? [] : below(row, texts, rows, footer);
    const label = [row.label.split(/\s{2,}/)[0] ?? "", ...rest].join(" ");
    return { label, keys: named?.press === "arrows" ? arrows(at - markedAt) : String(row.number) };
  });
  const { unnumbered } = named ?? {};
  if (unnumbered === undefined) return choices;
  const others = texts
    .slice(rows[0]?.index)
    .flatMap((text) => new RegExp(unnumbered.shows).exec(text)?.[1] ?? []);
  return [...choices, ...others.map((label) => ({ label, keys: unnumbered.keys }))];
}

const arrows = (steps: number): string => `${(steps < 0 ? "\x1b[A" : "\x1b[B").repeat(Math.abs(steps))}\r`;

/** The lines of a label that was too long for one: they begin in its column. */
function below(row: Row, texts: readonly string[], rows: readonly Row[], footer = "^$"): string[] {
  const lines: string[] = [];
  const isEnd = (text: string): boolean => new RegExp(footer, "i").test(text);
  for (let at = row.index + 1; !rows.some((other) => other.index === at); at += 1) {
    const text = texts[at] ?? "";
    if (text.search(/\S/) !== row.labelColumn || isEnd(text)) break;
    lines.push(text.trim());
  }
  return lines;
}

/** What stands below a choice, up to the next; below the last, up to an empty line. */
function described(row: Row, texts: readonly string[], rows: readonly Row[]): string {
  const nextAt = rows.find((other) => other.index > row.index)?.index;
  const end = nextAt ?? texts.findIndex((text, at) => at > row.index && !/^\s+\S/.test(text));
  const lines = texts.slice(row.index + 1, end).filter((text) => /^\s+[\p{L}\p{N}]/u.test(text));
  const about = lines.map((text) => text.trim()).filter((text) => !/^(Next|Submit)$/.test(text));
  return about.length === 0 ? "" : `${row.label}: ${about.join(" ")}`;
}

/** A dialog that asks for text is known by its last line and by a line of its own; its text ends at its first field. */
function readForm(dialog: DialogPatterns, texts: readonly string[], end: number): Found | undefined {
  for (const { name, shows, ends } of dialog.forms) {
    if (!new RegExp(ends).test(texts[end] ?? "")) continue;
    const at = texts.slice(0, end).findLastIndex((text) => new RegExp(shows).test(text));
    if (at === -1) continue;
    const top = topOf(dialog, texts, at + 1);
    const isField = (text: string): boolean =>
      dialog.markers.some((mark) => text.trimStart().startsWith(mark));
    const fieldAt = texts.findIndex((text, index) => index >= at && isField(text));
    return {
      name,
      question: { text: textOf(texts.slice(top, fieldAt === -1 ? end : fieldAt)), choices: [] },
    };
  }
  return undefined;
}

/** Longest text of a question, characters: a plan or a patch may fill the screen. */
const textCharactersMax = 2000;

/** What a person reads: no borders, no blanks around it, and if it is long, its beginning and its end. */
function textOf(lines: readonly string[], about: readonly string[] = []): string {
  const shown = lines
    .map((line) => line.replace(/^\s*[│┃|]\s?|\s?[│┃|]\s*$/gu, "").trimEnd())
    .map((line) => (/^[\s─━╌╍┄┈═╭╮╰╯┌┐└┘]*$/u.test(line) ? "" : line));
  const indent = Math.min(...shown.filter((line) => line !== "").map((line) => line.search(/\S/)));
  const text = [...shown.map((line) => line.slice(indent)), "", ...about.filter((line) => line !== "")]
    .join("\n")
    .replace(/\n{3,}/g, "\n\n")
    .replace(/^\n+|\s+$/g, "");
  if (text.length <= textCharactersMax) return text;
  const half = Math.floor(textCharactersMax / 2) - 2;
  return `${text.slice(0, half)}…\n…${text.slice(-half)}`;
}

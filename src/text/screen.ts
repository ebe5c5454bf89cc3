/** A terminal in memory: what was printed goes in, and what a person would see of it comes out. */
import xterm from "@xterm/headless";
import { characterWidth } from "./character-width.ts";

export interface ScreenSize {
  readonly columns: number;
  readonly rows: number;
}

export interface Picture extends ScreenSize {
  /** The rows that are in view, without the blanks behind their text and the empty ones below it. */
  readonly text: string;
  /** Where the next character would be printed, counted from 1. */
  readonly caret: { readonly row: number; readonly column: number };
  readonly title: string | undefined;
}

/** From the first character to the one behind the last, counted in the line's text from 0. */
export type Span = readonly [from: number, to: number];

/** A line as it is drawn: a greyed suggestion has the same letters as what a person has typed. */
export interface ScreenLine {
  /** Without the blanks behind it. */
  readonly text: string;
  readonly dim: readonly Span[];
  readonly inverse: readonly Span[];
}

/** The screen for whoever has to know how it is drawn. */
export interface ScreenView {
  /** All that are in view, the empty ones too. */
  readonly lines: readonly ScreenLine[];
  readonly columns: number;
  readonly caret: { readonly row: number; readonly column: number; readonly isVisible: boolean };
  /** The program has said that it is in the middle of drawing (synchronized output). */
  readonly isHalfDrawn: boolean;
}

export interface Screen {
  /** Resolves when it is drawn. */
  readonly write: (bytes: Uint8Array) => Promise<void>;
  readonly resize: (size: ScreenSize) => void;
  readonly picture: () => Picture;
  readonly view: () => ScreenView;
  readonly dispose: () => void;
}

/** Rows above the view that are kept: some come back into it when the window gets higher. */
const scrollbackRows = 100;

/** Longest title that is told, characters: a program may set any. */
const titleCharactersMax = 200;

export function createScreen({ columns, rows }: ScreenSize): Screen {
  const terminal = new xterm.Terminal({
    cols: columns,
    rows,
    scrollback: scrollbackRows,
    allowProposedApi: true,
    logLevel: "off",
  });
  terminal.unicode.register(widths);
  terminal.unicode.activeVersion = widths.version;
  let title: string | undefined;
  terminal.onTitleChange((named) => (title = named.slice(0, titleCharactersMax)));

  let isCaretVisible = true;
  const onCaretMode = (final: "h" | "l"): void => {
    terminal.parser.registerCsiHandler({ prefix: "?", final }, (modes) => {
      if (modes.includes(caretMode)) isCaretVisible = final === "h";
      return false; // the terminal itself has to see it too
    });
  };
  onCaretMode("h");
  onCaretMode("l");

  const caret = (): Picture["caret"] => {
    const { cursorX, cursorY } = terminal.buffer.active;
    // Behind a full row it waits outside until the next character wraps.
    return { row: cursorY + 1, column: Math.min(cursorX + 1, terminal.cols) };
  };
  const textOf = (row: number): string => {
    const { active } = terminal.buffer;
    return (
      active
        .getLine(active.baseY + row)
        ?.translateToString(true)
        .trimEnd() ?? ""
    );
  };
  let held: Uint8Array = new Uint8Array();
  return {
    write(bytes) {
      const given = held.length === 0 ? bytes : Buffer.concat([held, bytes]);
      const end = given.length - unfinishedBytes(given);
      held = given.slice(end);
      return new Promise((resolve) => terminal.write(given.subarray(0, end), resolve));
    },
    resize: (size) => terminal.resize(size.columns, size.rows),
    picture() {
      const lines = Array.from({ length: terminal.rows }, (_, row) => textOf(row));
      return {
        text: lines.join("\n").replace(/\n+$/, ""),
        columns: terminal.cols,
        rows: terminal.rows,
        caret: caret(),
        title: title === "" ? undefined : title,
      };
    },
    view() {
      const { active } = terminal.buffer;
      const cell = active.getNullCell();
      return {
        lines: Array.from({ length: terminal.rows }, (_, row) =>
          lineOf(active.getLine(active.baseY + row), cell),
        ),
        columns: terminal.cols,
        caret: { ...caret(), isVisible: isCaretVisible },
        isHalfDrawn: terminal.modes.synchronizedOutputMode,
      };
    },
    dispose: () => terminal.dispose(),
  };
}

/**
 * Bytes at the end that are the beginning of a character. They wait for the rest of it: the terminal loses some
 * characters that come to it in two parts, among them the mark of Codex's prompt.
 */
function unfinishedBytes(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return 0;
    if (byte < 0xc0) continue;
    const length = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    return length > back ? back : 0;
  }
  return 0;
}

/** The mode that shows the caret (DECTCEM). */
const caretMode = 25;

function lineOf(line: xterm.IBufferLine | undefined, cell: xterm.IBufferCell): ScreenLine {
  const dim: [number, number][] = [];
  const inverse: [number, number][] = [];
  let text = "";
  for (let column = 0; column < (line?.length ?? 0); column += 1) {
    // The second half of a wide character has no width.
    if (line?.getCell(column, cell) === undefined || cell.getWidth() === 0) continue;
    const from = text.length;
    text += cell.getChars() || " ";
    if (cell.isDim() !== 0) extend(dim, from, text.length);
    if (cell.isInverse() !== 0) extend(inverse, from, text.length);
  }
  const shown = text.trimEnd();
  return { text: shown, dim: cut(dim, shown.length), inverse: cut(inverse, shown.length) };
}

function extend(spans: [number, number][], from: number, to: number): void {
  const last = spans.at(-1);
  if (last?.[1] === from) last[1] = to;
  else spans.push([from, to]);
}

/** Blanks behind the text are no part of it; a caret drawn there is told by its place. */
const cut = (spans: readonly Span[], length: number): Span[] =>
  spans.filter(([from]) => from < length).map(([from, to]) => [from, Math.min(to, length)]);

/** What a character takes, packed as the terminal wants it: its width above one bit that joins it to the one before. */
const packed = (width: number, joins: boolean): number => (width << 1) | (joins ? 1 : 0);

const widths = {
  version: "coven",
  wcwidth: characterWidth,
  charProperties(codePoint: number, preceding: number): number {
    const width = characterWidth(codePoint);
    const widthBefore = (preceding >> 1) & 3;
    if (width > 0 || widthBefore === 0) return packed(width, false);
    return packed(widthBefore, true);
  },
};

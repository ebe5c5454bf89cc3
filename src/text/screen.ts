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

export interface Screen {
  /** Resolves when it is drawn. */
  readonly write: (bytes: Uint8Array) => Promise<void>;
  readonly resize: (size: ScreenSize) => void;
  readonly picture: () => Picture;
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

  const textOf = (row: number): string => {
    const { active } = terminal.buffer;
    return (
      active
        .getLine(active.baseY + row)
        ?.translateToString(true)
        .trimEnd() ?? ""
    );
  };
  return {
    write: (bytes) => new Promise((resolve) => terminal.write(bytes, resolve)),
    resize: (size) => terminal.resize(size.columns, size.rows),
    picture() {
      const { cursorX, cursorY } = terminal.buffer.active;
      const lines = Array.from({ length: terminal.rows }, (_, row) => textOf(row));
      return {
        text: lines.join("\n").replace(/\n+$/, ""),
        columns: terminal.cols,
        rows: terminal.rows,
        // Behind a full row it waits outside until the next character wraps.
        caret: { row: cursorY + 1, column: Math.min(cursorX + 1, terminal.cols) },
        title: title === "" ? undefined : title,
      };
    },
    dispose: () => terminal.dispose(),
  };
}

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

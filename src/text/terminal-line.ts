/** A longer line is passed on in parts, which can no longer be overwritten. */
const LINE_LENGTH_MAX = 16 * 1024;

/** Cursor moves go no further right than a wide terminal; `ESC[999C` means "to the edge". */
const COLUMN_MAX = 256;

/** The line the cursor is in: it can be written over until it ends. */
export interface Line {
  /** Printable text, tabs and line breaks. */
  write(text: string): void;
  control(character: string | undefined): void;
  /** The control sequence with this final byte. */
  move(final: string, parameters: string): void;
  /** Emits the line with what ends it. */
  end(ending: string): void;
  /** The line as it stands. */
  text(): string;
  /** Whether nothing was written or moved since the last one ended. */
  isFresh(): boolean;
}

export const createLine = (emit: (text: string) => void): Line => {
  /** Most lines are only ever appended to; `cells`, one per character, exist once the cursor has gone back. */
  let appended = "";
  let cells: string[] | undefined;
  let column = 0;
  /** The row that the last absolute move went to: as long as moves name it, they stay in this line. */
  let row: string | undefined;

  const current = (): string => (cells === undefined ? appended : cells.join(""));

  const end = (ending: string): void => {
    emit(current() + ending);
    row = undefined;
    appended = "";
    cells = undefined;
  };

  const append = (text: string): void => {
    let rest = text;
    while (appended.length + rest.length > LINE_LENGTH_MAX) {
      const cut = characterBefore(rest, Math.max(0, LINE_LENGTH_MAX - appended.length));
      appended += rest.slice(0, cut);
      rest = rest.slice(cut);
      end("");
    }
    appended += rest;
  };

  const overwrite = (text: string): void => {
    for (const character of text) {
      if (cells === undefined) {
        append(character);
        continue;
      }
      while (cells.length < column) cells.push(" ");
      cells[column] = character;
      column += 1;
      if (cells.length >= LINE_LENGTH_MAX) end("");
    }
  };

  const goTo = (wanted: number): void => {
    cells ??= Array.from(appended);
    column = Math.max(0, wanted);
  };

  const position = (): number => (cells === undefined ? Array.from(appended).length : column);

  const goRight = (count: number): void => {
    const spaces = Math.min(count, COLUMN_MAX);
    if (cells === undefined) append(" ".repeat(spaces));
    else column = Math.min(column + spaces, LINE_LENGTH_MAX - 1);
  };

  const erase = (what: string): void => {
    if (cells === undefined && (what === "" || what === "0")) return;
    goTo(position());
    if (what === "" || what === "0") cells?.splice(column);
    else if (what === "1") cells?.fill(" ", 0, column + 1);
    else if (what === "2") cells?.splice(0);
  };

  /** A screen drawn cell by cell names its row with every word. */
  const moveTo = (parameters: string): void => {
    const [toRow = "1", toColumn = "1"] = parameters.split(";");
    if (toRow !== row && (cells?.length ?? appended.length) > 0) end("\n");
    row = toRow;
    goTo(Math.min(Math.max(1, Number.parseInt(toColumn, 10) || 1), COLUMN_MAX) - 1);
  };

  return {
    text: current,
    isFresh: () => appended === "" && cells === undefined,
    write(text) {
      const breakAt = text.indexOf("\n");
      if (breakAt < 0) return cells === undefined ? append(text) : overwrite(text);
      const first = text.slice(0, text[breakAt - 1] === "\r" ? breakAt - 1 : breakAt);
      if (cells === undefined) append(first);
      else overwrite(first);
      end("\n");
      const last = text.lastIndexOf("\n");
      if (last > breakAt) emit(text.slice(breakAt + 1, last + 1).replaceAll("\r\n", "\n"));
      append(text.slice(last + 1));
    },
    control(character) {
      if (character === "\r") goTo(0);
      else if (character === "\v" || character === "\f") end("\n");
      else if (character === "\b") {
        if (cells === undefined) appended = appended.slice(0, characterBefore(appended, appended.length - 1));
        else {
          if (column === cells.length) cells.pop();
          column = Math.max(0, column - 1);
        }
      }
    },
    move(final, parameters) {
      const count = Math.max(1, Number.parseInt(parameters, 10) || 1);
      if (final === "C") goRight(count);
      else if (final === "D") goTo(position() - count);
      else if (final === "G" || final === "`") goTo(Math.min(count, COLUMN_MAX) - 1);
      else if (final === "K") erase(parameters);
      else if (final === "H" || final === "f") moveTo(parameters);
      else if (final !== "" && "ABEFd".includes(final) && (cells?.length ?? appended.length) > 0) end("\n");
    },
    end,
  };
};

/** `at`, or one less where `at` would cut a surrogate pair in two. */
const characterBefore = (text: string, at: number): number => {
  const isInPair = /^[\ud800-\udbff][\udc00-\udfff]/.test(text.slice(Math.max(0, at - 1), at + 1));
  return Math.max(0, isInPair ? at - 1 : at);
};

/**
 * Turns what a terminal program printed into plain text for a model or a log: no control sequences, and each
 * line as a person would last have seen it. A carriage return goes back to the start of the line and what
 * follows overwrites it, so a progress bar leaves its last state.
 *
 * Only the current line can change. `push` therefore answers whole lines and holds the unfinished one until its
 * line break or `flush`. A move to another row ends the line: this is a reading of the stream, not a screen.
 * Columns count characters, so overwriting beside wide characters is approximate.
 */
import { createLine } from "./terminal-line.ts";

/** What is dropped as an unclosed title or picture before it is taken for text again. */
const STRING_LENGTH_MAX = 1024 * 1024;

export type Held = "nothing" | "line" | "sequence";

export interface Cleaner {
  /** Answers the lines that are complete. */
  push(text: string): string;
  /** The unfinished line as it stands, without taking it: a question waits for its answer there. */
  unfinished(): string;
  /** What a new cleaner that goes on from here would not know of: an unfinished line, or an escape sequence. */
  holds(): Held;
  /** Answers the unfinished line, and drops an unfinished escape sequence. */
  flush(): string;
}

const SPECIAL = /\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/g;
/** The final byte is missing where the sequence is broken; what there is of it is dropped all the same. */
const CONTROL_SEQUENCE = /(?:\x1b\[|\x9b)([0-?]{0,64})[ -/]{0,8}([@-~]?)/y;
const STRING_START = /\x1b[\]PX^_]/y;
const OTHER_ESCAPE = /\x1b[ -/]{0,8}[0-~]?/y;
const UNFINISHED_ESCAPE = /(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,8}$|\x1b[ -/]{0,8}$/y;
/** A title never spans lines, so a line break ends one that was cut off. */
const TITLE_END = /\x07|\x1b\\|\x9c|[\x18\x1a]|(?=\n)/g;
const PICTURE_END = /\x1b\\|\x9c|[\x18\x1a]/g;

export const createCleaner = (): Cleaner => {
  let output = "";
  const line = createLine((text) => (output += text));
  let pending = "";
  let string: { readonly end: RegExp; length: number } | undefined;

  /** Where the text after the string that is being dropped begins. */
  const skipString = (text: string, from: number): number => {
    if (string === undefined) return from;
    string.end.lastIndex = from;
    const found = string.end.exec(text);
    const limit = from + STRING_LENGTH_MAX - string.length;
    const end = found === null ? text.length : found.index + found[0].length;
    if (found !== null || end >= limit) {
      string = undefined;
      return Math.min(end, limit);
    }
    // An ESC at the very end may begin the terminator.
    const kept = text.endsWith("\x1b") ? end - 1 : end;
    string.length += kept - from;
    pending = text.slice(kept);
    return text.length;
  };

  /** Where the text after the special character at `from` begins. */
  const takeSpecial = (text: string, from: number): number => {
    const character = text[from];
    if (character !== "\x1b" && character !== "\x9b") {
      line.control(character);
      return from + 1;
    }
    if (lengthAt(UNFINISHED_ESCAPE, text, from) > 0) {
      pending = text.slice(from);
      return text.length;
    }
    const start = lengthAt(STRING_START, text, from);
    if (start > 0) {
      string = { end: text[from + 1] === "]" ? TITLE_END : PICTURE_END, length: 0 };
      return skipString(text, from + start);
    }
    CONTROL_SEQUENCE.lastIndex = from;
    const sequence = CONTROL_SEQUENCE.exec(text);
    if (sequence === null) return from + lengthAt(OTHER_ESCAPE, text, from);
    line.move(sequence[2] ?? "", sequence[1] ?? "");
    return from + sequence[0].length;
  };

  const answer = (): string => {
    const answered = output;
    output = "";
    return answered;
  };

  return {
    push(input) {
      const text = pending + input;
      pending = "";
      let from = skipString(text, 0);
      while (from < text.length) {
        SPECIAL.lastIndex = from;
        const special = SPECIAL.exec(text)?.index ?? text.length;
        if (special > from) line.write(text.slice(from, special));
        from = special < text.length ? takeSpecial(text, special) : special;
      }
      return answer();
    },
    unfinished: () => line.text(),
    holds() {
      if (pending !== "" || string !== undefined) return "sequence";
      return line.isFresh() ? "nothing" : "line";
    },
    flush() {
      pending = "";
      string = undefined;
      line.end("");
      return answer();
    },
  };
};

export const cleanText = (text: string): string => {
  const cleaner = createCleaner();
  return cleaner.push(text) + cleaner.flush();
};

const lengthAt = (what: RegExp, text: string, from: number): number => {
  what.lastIndex = from;
  return what.test(text) ? what.lastIndex - from : 0;
};

/** The last lines that fit the budget, cut at a character. */
export const tailOf = (
  text: string,
  { lines, maxBytes }: { readonly lines: number; readonly maxBytes: number },
): { text: string; truncated: boolean } => {
  let from = text.endsWith("\n") ? text.length - 1 : text.length;
  for (let left = lines; left > 0 && from >= 0; left -= 1)
    from = from === 0 ? -1 : text.lastIndexOf("\n", from - 1);
  const tail = lines <= 0 ? "" : text.slice(from + 1);
  const fitting = lastBytes(tail, Math.max(0, maxBytes));
  return { text: fitting, truncated: fitting.length < text.length };
};

/** The longest beginning that fits the budget, cut at a character. */
export const firstBytes = (text: string, maxBytes: number): string => {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  const bytes = Buffer.from(text.slice(0, maxBytes));
  let end = Math.min(bytes.length, maxBytes);
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return text.slice(0, bytes.toString("utf8", 0, end).length);
};

/** The longest end that fits the budget, cut at a character. */
export const lastBytes = (text: string, maxBytes: number): string => {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  const bytes = Buffer.from(text.slice(Math.max(0, text.length - maxBytes)));
  let from = Math.max(0, bytes.length - maxBytes);
  while (((bytes[from] ?? 0) & 0xc0) === 0x80) from += 1;
  return bytes.toString("utf8", from);
};

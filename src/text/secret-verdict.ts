/**
 * What can be said about a place in the text, and the bounds within which it is said. A verdict depends on at
 * most LABEL_BYTES_MAX before the place and HELD_BYTES_MAX after it, so it is the same however a stream was cut.
 */

/** No credential but a PEM block, which is redacted as it streams, is longer; a longer run is judged by this. */
export const HELD_BYTES_MAX = 4096;

/** No label with its sign (64 and some 40 bytes), and nothing between a sign and its value, is longer. */
export const LABEL_BYTES_MAX = 128;

/** What is kept of the text before, so that a value that comes later still finds its whole label. */
export const CONTEXT_BYTES = 2 * LABEL_BYTES_MAX;

/** How far a secret without a shape of its own is followed: the PEM of a 16384-bit RSA key is below 13 KB; a cookie header may be 16 KB in common servers. */
export const STREAMED_BYTES_MAX = 16 * 1024;

export interface Secret {
  readonly kind: "secret";
  readonly start: number;
  readonly end: number;
  /** Sticky: what still belongs to the secret after `end`. */
  readonly more: RegExp;
  readonly moreBytesMax: number;
}

/** It cannot be told yet; everything from `start` on must wait for more text. */
export interface Undecided {
  readonly kind: "undecided";
  readonly start: number;
}

export type Verdict = Secret | Undecided | undefined;

/** Where to look and whether the text is all there is. */
export interface Place {
  readonly text: string;
  /** Just after the trigger. */
  readonly at: number;
  readonly isAll: boolean;
}

/** The match of a sticky expression at `at`: a lookbehind reads what stands before, anything else what follows. */
export const matchAt = (what: RegExp, text: string, at: number): RegExpExecArray | null => {
  what.lastIndex = at;
  return what.exec(text);
};

export interface Run {
  readonly start: number;
  readonly end: number;
  readonly value: string;
  /** The character that ended it; undefined when nothing has. */
  readonly next: string | undefined;
  readonly isUndecided: boolean;
}

export const runAt = (run: RegExp, start: number, { text, isAll }: Place): Run => {
  const value = (matchAt(run, text, start)?.[0] ?? "").slice(0, HELD_BYTES_MAX);
  const end = start + value.length;
  const isFull = value.length >= HELD_BYTES_MAX;
  const isOpen = isFull || end === text.length;
  return {
    start,
    end,
    value,
    next: isOpen ? undefined : text[end],
    isUndecided: isOpen && !isFull && !isAll,
  };
};

export const undecided = (start: number): Undecided => ({ kind: "undecided", start });
export const secret = (start: number, end: number, more: RegExp, moreBytesMax = Infinity): Secret => ({
  kind: "secret",
  start,
  end,
  more,
  moreBytesMax,
});

/** For a secret whose end was seen. */
export const NO_MORE = /(?!)/y;

/** Expressions that more than one format is made of. */
export const COLOUR = "\\x1b\\[[\\d;]{0,16}m";
export const anyCase = (word: string): string =>
  word.replaceAll(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`);

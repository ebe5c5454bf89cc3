/**
 * Waits for a text or a pattern in text that comes in pieces, and answers the line it first stands in. Patterns
 * are tried line by line, on the unfinished last line too, in an engine whose time grows only with the text.
 */
import { RE2JS } from "re2js";
import { Failure } from "../errors.ts";

/** What is answered is for reading; the whole line is in the log. */
const ANSWER_LENGTH_MAX = 500;

/** A line longer than this is looked at in parts that overlap by half. */
const LINE_LENGTH_MAX = 4096;

export interface Matcher {
  /** The line the wanted text first appeared in; from then on always that line. */
  push(text: string): string | undefined;
}

export type Wanted = { readonly text: string } | { readonly pattern: string };

export const createMatcher = (wanted: Wanted): Matcher => {
  const search = "text" in wanted ? textSearch(wanted.text) : patternSearch(wanted.pattern);
  let found: string | undefined;
  return { push: (text) => (found ??= search(text)) };
};

type Search = (text: string) => string | undefined;

const textSearch = (wanted: string): Search => {
  if (wanted === "") throw new Failure("invalid_request", "The text to wait for is empty.");
  const borderLength = wanted.length - 1;
  let kept = "";
  return (text) => {
    const all = kept + text;
    const at = all.indexOf(wanted, Math.max(0, kept.length - borderLength));
    if (at >= 0) return lineAround(all, at, wanted.length);
    // What may be the start of the wanted text, and the line before it, to be answered with it.
    const border = Math.max(0, all.length - borderLength);
    const lineStart = border === 0 ? 0 : all.lastIndexOf("\n", border - 1) + 1;
    kept = copyOf(all.slice(Math.max(lineStart, border - LINE_LENGTH_MAX)));
    return undefined;
  };
};

const patternSearch = (pattern: string): Search => {
  const compiled = compile(pattern);
  let unfinished = "";
  return (text) => {
    const lines = (unfinished + text).split("\n");
    for (const line of lines) {
      for (const part of partsOf(line)) {
        const matcher = compiled.matcher(part);
        if (matcher.find()) return lineAround(part, matcher.start(), 0);
      }
    }
    unfinished = copyOf((lines.at(-1) ?? "").slice(-LINE_LENGTH_MAX));
    return undefined;
  };
};

const compile = (pattern: string): RE2JS => {
  try {
    return RE2JS.compile(pattern);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Failure(
      "invalid_request",
      `The pattern ${JSON.stringify(pattern)} cannot be used: ${reason}.`,
      {
        hint: "Patterns are RE2 expressions: without lookaround and backreferences.",
        cause,
      },
    );
  }
};

const partsOf = (line: string): string[] => {
  const step = LINE_LENGTH_MAX / 2;
  const count = Math.max(1, Math.ceil(line.length / step) - 1);
  return Array.from({ length: count }, (_, index) =>
    line.slice(index * step, index * step + LINE_LENGTH_MAX),
  );
};

const lineAround = (text: string, at: number, length: number): string => {
  const lineStart = at === 0 ? 0 : text.lastIndexOf("\n", at - 1) + 1;
  const lineEnd = text.indexOf("\n", at + length);
  const start = Math.max(lineStart, at - ANSWER_LENGTH_MAX / 2);
  const end = Math.min(lineEnd < 0 ? text.length : lineEnd, start + ANSWER_LENGTH_MAX);
  return text.slice(start, end).trim();
};

/** A slice keeps the whole string alive. */
const copyOf = (text: string): string => Buffer.from(text, "utf16le").toString("utf16le");

/**
 * The Cast Code grammar, as docs/CAST-CODES.md writes it down: finds the codes in a text, and what can only have been
 * meant as one. It executes nothing and never throws. It is linear in the text's length, because what stands directly
 * behind a tilde decides what it begins, and a text without quotes stays open until the next code ends it: no end is
 * ever looked for ahead.
 */
import { type OpenHead, readHead } from "./cast-code-head.ts";
import { bracketClosing, isBareName, isOpeningBracket, isWordStart, quoted } from "./cast-code-text.ts";

/** What a code asks for. Without a familiar: all (status), the last one (resume), the target's (handoff). */
export type CastCode =
  | { readonly kind: "status"; readonly familiar?: string }
  | { readonly kind: "switch"; readonly familiar: string }
  | { readonly kind: "delegate"; readonly familiar: string; readonly task: string }
  | { readonly kind: "broadcast"; readonly message: string }
  | { readonly kind: "resume"; readonly familiar?: string; readonly message?: string }
  | { readonly kind: "handoff"; readonly familiar?: string };

/** A code and where it stands: from its tilde to behind its last character, in UTF-16 units as strings count them. */
export interface PlacedCastCode {
  readonly code: CastCode;
  readonly start: number;
  readonly end: number;
}

export interface CastProblem {
  readonly offset: number;
  readonly expected: string;
}

export interface CastText {
  readonly codes: readonly PlacedCastCode[];
  readonly problems: readonly CastProblem[];
}

export function parseCastText(text: string): CastText {
  const codes: PlacedCastCode[] = [];
  const problems: CastProblem[] = [];
  let open: { readonly head: OpenHead; readonly start: number } | undefined;

  const close = (end: number): void => {
    if (open === undefined) return;
    const { head, start } = open;
    open = undefined;
    const raw = text.slice(head.end, unquotedEnd(text, { start, from: head.end, end })).trimEnd();
    if (raw === "") problems.push({ offset: head.textAt, expected: head.expected });
    else codes.push({ code: head.complete(unescaped(raw)), start, end: head.end + raw.length });
  };

  let start = text.indexOf("~");
  while (start >= 0) {
    const head = isWordStart(text, start) ? readHead(text, start) : undefined;
    if (head !== undefined) close(start);
    if (head?.kind === "code") codes.push({ code: head.code, start, end: head.end });
    if (head?.kind === "problem") problems.push({ offset: head.offset, expected: head.expected });
    if (head?.kind === "open") open = { head, start };
    start = text.indexOf("~", head?.end ?? start + 1);
  }
  close(text.length);
  return { codes, problems };
}

/**
 * Where a text without quotes ends: before the brackets that the next code stands in, or before the one that closes
 * the bracket its own code stands in.
 */
function unquotedEnd(text: string, code: { start: number; from: number; end: number }): number {
  let { end } = code;
  while (end > code.from && end < text.length && isOpeningBracket(text.charCodeAt(end - 1))) end -= 1;
  return bracketClosing(text, { at: code.start - 1, from: code.from, end }) ?? end;
}

/** One backslash before a tilde, or before a quote that would have begun a quoted text, is not of the text. */
const unescaped = (raw: string): string =>
  raw.includes("\\") ? (raw.startsWith('\\"') ? raw.slice(1) : raw).replaceAll("\\~", "~") : raw;

/** The code in its shortest form that says the same wherever it stands; that is why texts get quotes. */
export function printCastCode(code: CastCode): string {
  switch (code.kind) {
    case "status":
      return `~?${code.familiar === undefined ? "" : printName(code.familiar)}`;
    case "switch":
      return `~>${printName(code.familiar)}`;
    case "delegate":
      return `~${printName(code.familiar)}: ${quoted(code.task)}`;
    case "broadcast":
      return `~* ${quoted(code.message)}`;
    case "resume":
      return `~^${code.familiar === undefined ? " resume" : printName(code.familiar)}${code.message === undefined ? "" : `: ${quoted(code.message)}`}`;
    case "handoff":
      return `~<${code.familiar === undefined ? "handoff" : printName(code.familiar)}`;
  }
}

const printName = (name: string): string => (isBareName(name) ? name : quoted(name));

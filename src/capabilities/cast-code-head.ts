/** What a tilde at the start of a word begins: a whole code, one whose text is still open, a mistake, or nothing. */
import type { CastCode } from "./cast-code.ts";
import {
  bareNameEnd,
  blankEnd,
  closingQuote,
  goesOn,
  isClosing,
  isDigit,
  isGap,
  isLetterOrDigit,
  isOpening,
  isQuote,
  isReserved,
  spaceEnd,
  standsAlone,
  unquoted,
} from "./cast-code-text.ts";

/** Parsing goes on at `end`. */
export type Head = WholeHead | OpenHead | ProblemHead;

interface WholeHead {
  readonly kind: "code";
  readonly code: CastCode;
  readonly end: number;
}

/** A code whose unquoted text begins at `end`; where none comes, it was expected at `textAt`. */
export interface OpenHead {
  readonly kind: "open";
  readonly complete: (text: string) => CastCode;
  readonly expected: string;
  readonly textAt: number;
  readonly end: number;
}

interface ProblemHead {
  readonly kind: "problem";
  readonly offset: number;
  readonly expected: string;
  readonly end: number;
}

interface Name {
  readonly kind: "name";
  readonly value: string;
  readonly end: number;
}

/** `undefined` is prose. */
export function readHead(text: string, tilde: number): Head | undefined {
  const at = tilde + 2;
  switch (text.charAt(tilde + 1)) {
    case "?":
      return statusHead(text, at);
    case ">":
      return namedHead(text, at, (familiar) => ({ kind: "switch", familiar }));
    case "<":
      return handoffHead(text, at);
    case "^":
      return resumeHead(text, at);
    case "*":
      return broadcastHead(text, at, undefined);
    case '"':
      return quotedHead(text, tilde + 1);
    default:
      return wordHead(text, tilde + 1);
  }
}

function statusHead(text: string, at: number): Head | undefined {
  // `~?? ms` is a number that nobody knows yet.
  if (text.charAt(at) === "?") return undefined;
  const name = readName(text, at);
  if (name?.kind === "name") return whole({ kind: "status", familiar: name.value }, name.end);
  return name ?? bareHead(text, at, whole({ kind: "status" }, at));
}

/** A form that is whole without a name, if it ends where it stands. */
function bareHead(text: string, at: number, head: Head): Head | undefined {
  if (standsAlone(text, at)) return head;
  return isOpening(text.charCodeAt(at)) ? problem(at, familiarName, at) : undefined;
}

function namedHead(text: string, at: number, complete: (familiar: string) => CastCode): Head | undefined {
  const name = readName(text, at);
  if (name?.kind === "name") return whole(complete(name.value), name.end);
  if (name !== undefined) return name;
  // `~> 7.0` asks for a version and `~< 5` is about five; an arrow or an operator is neither.
  if (isGap(text, at)) return isNumberAhead(text, at) ? undefined : problem(at, familiarName, at);
  const code = text.charCodeAt(at);
  return isOpening(code) || isClosing(code) ? problem(at, familiarName, at) : undefined;
}

function handoffHead(text: string, at: number): Head | undefined {
  const end = bareNameEnd(text, at);
  // `~<b>` is a tag.
  if (end > at && text.charAt(end) === ">") return undefined;
  if (isWord(text, at, end, "handoff")) return ended(text, end) ?? whole({ kind: "handoff" }, end);
  return namedHead(text, at, (familiar) => ({ kind: "handoff", familiar }));
}

function resumeHead(text: string, at: number): Head | undefined {
  const end = bareNameEnd(text, at);
  if (isWord(text, at, end, "resume")) return resumed(text, end, {});
  const name = readName(text, at);
  if (name?.kind === "name") return resumed(text, name.end, { familiar: name.value });
  if (name !== undefined) return name;
  if (text.charAt(at) === ":") return isTextAhead(text, at + 1) ? resumed(text, at, {}) : undefined;
  const word = blankEnd(text, at);
  const wordEnd = word === at ? at : bareNameEnd(text, word);
  if (isWord(text, word, wordEnd, "resume")) return resumed(text, wordEnd, {});
  // It wakes somebody, so a word that may be a name, or a message, is not passed over.
  if (wordEnd > word || (word > at && isQuote(text, word))) return problem(word, resumeForm, word);
  return isNumberAhead(text, at) ? undefined : bareHead(text, at, whole({ kind: "resume" }, at));
}

/** A resume with its message, if it has one. */
function resumed(text: string, at: number, whom: { readonly familiar?: string }): Head {
  if (text.charAt(at) !== ":") return ended(text, at) ?? whole({ kind: "resume", ...whom }, at);
  if (!isTextAhead(text, at + 1)) return problem(at + 1, spaceBehindColon, at + 1);
  return textHead(text, at + 1, "a message", (message) => ({ kind: "resume", ...whom, message }));
}

/** From behind the star. What else can begin so is prose, unless the word `broadcast` stood before it. */
function broadcastHead(text: string, at: number, word: "broadcast" | undefined): Head | undefined {
  const textAt = text.charAt(at) === ":" ? at + 1 : at;
  if (isTextAhead(text, textAt))
    return textHead(text, textAt, "a message", (message) => ({ kind: "broadcast", message }));
  return word === undefined ? undefined : problem(textAt, "a space and a message", textAt);
}

/** `~"Nova Star": task`; without its colon it is an approximation of something quoted. */
function quotedHead(text: string, at: number): Head | undefined {
  const closing = closingQuote(text, at, "one line");
  if (closing === undefined || text.charAt(closing + 1) !== ":" || !isTextAhead(text, closing + 2))
    return undefined;
  const name = quotedName(text, at);
  return name.kind === "name" ? delegateTo(text, name.value, closing + 2) : name;
}

function wordHead(text: string, at: number): Head | undefined {
  const end = bareNameEnd(text, at);
  if (end === at || goesOn(text.charCodeAt(end))) return undefined;
  if (isWord(text, at, end, "delegate")) return delegateHead(text, end);
  if (isWord(text, at, end, "broadcast")) {
    const star = blankEnd(text, end);
    if (text.charAt(star) === "*") return broadcastHead(text, star + 1, "broadcast");
    return problem(end, "` *` and a message", end);
  }
  // `~user` is a home and `~user:group` an owner.
  if (text.charAt(end) !== ":" || !isTextAhead(text, end + 1)) return undefined;
  const name = text.slice(at, end);
  return isReserved(name) ? problem(at, reservedName, end) : delegateTo(text, name, end + 1);
}

/** From behind the word `delegate`. */
function delegateHead(text: string, at: number): Head {
  if (text.charAt(at) !== ":") return problem(at, "`:` and a familiar's name", at);
  const name = readName(text, at + 1);
  if (name === undefined) return problem(at + 1, familiarName, at + 1);
  if (name.kind === "problem") return name;
  const textAt = text.charAt(name.end) === ":" ? name.end + 1 : name.end;
  if (isTextAhead(text, textAt)) return delegateTo(text, name.value, textAt);
  return problem(textAt, textAt > name.end ? spaceBehindColon : "a space or `:`, and a task", textAt);
}

const delegateTo = (text: string, familiar: string, textAt: number): Head =>
  textHead(text, textAt, "a task", (task) => ({ kind: "delegate", familiar, task }));

/** A text in quotes makes the code whole; any other stays open until it is known what comes behind it. */
function textHead(
  text: string,
  textAt: number,
  expected: string,
  complete: (text: string) => CastCode,
): Head {
  const at = spaceEnd(text, textAt);
  if (!isQuote(text, at)) return { kind: "open", complete, expected, textAt, end: at };
  const closing = closingQuote(text, at, "any lines");
  if (closing === undefined) return problem(at, "a closing quote for this one", at + 1);
  const inside = unquoted(text, at, closing).trim();
  if (inside === "") return problem(at + 1, expected, closing + 1);
  return wordBehindQuote(text, closing + 1) ?? whole(complete(inside), closing + 1);
}

/** The name at this place, what is wrong with it, or `undefined` where none begins. */
function readName(text: string, at: number): Name | ProblemHead | undefined {
  if (isQuote(text, at)) {
    // Such a quote closes what stood before: (he said "how is it ~?").
    if (isGap(text, at + 1) || (isClosing(text.charCodeAt(at + 1)) && !isQuote(text, at + 1)))
      return undefined;
    return quotedName(text, at);
  }
  const end = bareNameEnd(text, at);
  if (end === at) return undefined;
  const value = text.slice(at, end);
  if (isReserved(value)) return problem(at, reservedName, end);
  return ended(text, end) ?? { kind: "name", value, end };
}

function quotedName(text: string, at: number): Name | ProblemHead {
  const closing = closingQuote(text, at, "one line");
  if (closing === undefined) return problem(at, "a closing quote in this line", at + 1);
  const value = unquoted(text, at, closing);
  if (value === "" || value !== value.trim())
    return problem(at + 1, "a name without spaces around it", closing + 1);
  return wordBehindQuote(text, closing + 1) ?? { kind: "name", value, end: closing + 1 };
}

/** A bare name must not be taken for a longer one that it only begins. */
const ended = (text: string, end: number): ProblemHead | undefined =>
  goesOn(text.charCodeAt(end))
    ? problem(end, "the end of the name, or quotes around all of it", end)
    : undefined;

/** In `"say "hi" to them"` the second quote was not meant to close. */
const wordBehindQuote = (text: string, at: number): ProblemHead | undefined =>
  isLetterOrDigit(text.codePointAt(at) ?? 0)
    ? problem(at, 'a space behind the closing quote (a quote inside is written \\")', at)
    : undefined;

/** A text is parted from its colon or star by whitespace or its quote; that there is none is found out later. */
const isTextAhead = (text: string, at: number): boolean => isGap(text, at) || isQuote(text, at);

const isNumberAhead = (text: string, at: number): boolean => isDigit(text.charCodeAt(blankEnd(text, at)));

const isWord = (text: string, at: number, end: number, word: string): boolean =>
  end - at === word.length && text.slice(at, end).toLowerCase() === word;

const whole = (code: CastCode, end: number): WholeHead => ({ kind: "code", code, end });

const problem = (offset: number, expected: string, end: number): ProblemHead => ({
  kind: "problem",
  offset,
  expected,
  end,
});

const familiarName = 'a familiar\'s name directly behind it, such as sage or "Nova Star"';
const reservedName = "a familiar's name (this word is the grammar's own: in quotes it is a name)";
const resumeForm = "`resume`, a familiar's name directly behind `~^`, or `:` and a message";
const spaceBehindColon = "a space behind the colon";

/** The smallest parts of Cast Codes: characters, names and quotes. Each reads on from a place and never looks back. */

/** For what is not ASCII; the rest is told by its number, since these are asked for every character of a name. */
const anySpace = /\s/;
const anyOpening = /[\p{Ps}\p{Pi}]/u;
const anyClosing = /[\p{Pe}\p{Pf}\p{Po}]/u;
const anyLetter = /\p{L}/u;
/** Marks too: many scripts write vowels with them. */
const anyNamePart = /[\p{L}\p{M}\p{Nd}]/u;

/** Words of the grammar: as names they need quotes. */
const reserved: ReadonlySet<string> = new Set(["delegate", "broadcast", "handoff", "resume"]);

export const isReserved = (word: string): boolean => reserved.has(word.toLowerCase());

export const isSpace = (code: number): boolean =>
  code <= 127 ? code === 32 || (code >= 9 && code <= 13) : anySpace.test(String.fromCharCode(code));

const isBlank = (code: number): boolean => isSpace(code) && !isLineBreak(code);
const isLineBreak = (code: number): boolean => code === 10 || code === 13;

export const isDigit = (code: number): boolean => code >= 48 && code <= 57;

const closers: ReadonlyMap<string, string> = new Map([
  ["(", ")"],
  ["[", "]"],
  ["{", "}"],
]);

export const isOpeningBracket = (code: number): boolean => code === 40 || code === 91 || code === 123;

/** Behind `~?` or `~>` these can only be about to name something, if not as the grammar wants it. */
export const isOpening = (code: number): boolean =>
  code <= 127 ? code === 39 || isOpeningBracket(code) : anyOpening.test(String.fromCharCode(code));

/** Ends a phrase: a code may stand directly before it. */
export const isClosing = (code: number): boolean =>
  code <= 127
    ? ".,;:!?)]}'\"".includes(String.fromCharCode(code))
    : anyClosing.test(String.fromCharCode(code));

/** With one of these a bare name would go on if it might hold them: a path, an address, a version. */
export const goesOn = (code: number): boolean =>
  code <= 127 && "/\\@#$%&+=".includes(String.fromCharCode(code));

/** A code begins where a word does. A backslash before the tilde is neither space nor bracket: that is the escape. */
export function isWordStart(text: string, at: number): boolean {
  if (at === 0) return true;
  const before = text.charCodeAt(at - 1);
  return isSpace(before) || isOpeningBracket(before);
}

/** At the end of the text, or at whitespace. */
export const isGap = (text: string, at: number): boolean => at >= text.length || isSpace(text.charCodeAt(at));

export function spaceEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length && isSpace(text.charCodeAt(at))) at += 1;
  return at;
}

/** Behind the blanks of this line. */
export function blankEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length && isBlank(text.charCodeAt(at))) at += 1;
  return at;
}

/** Whether only closing punctuation, if anything, stands between the place and the end of the word. */
export function standsAlone(text: string, from: number): boolean {
  let at = from;
  while (at < text.length && isClosing(text.charCodeAt(at))) at += 1;
  return isGap(text, at);
}

/** Behind the bare name that begins here, or here if none does. */
export function bareNameEnd(text: string, from: number): number {
  if (!isLetter(text.codePointAt(from) ?? 0)) return from;
  let end = from;
  for (let code = text.codePointAt(end); code !== undefined && isNamePart(code); code = text.codePointAt(end))
    end += code > 0xffff ? 2 : 1;
  // A full stop there ends the sentence, not the name.
  while (text.charCodeAt(end - 1) === dot) end -= 1;
  return end;
}

export const isBareName = (name: string): boolean =>
  name !== "" && bareNameEnd(name, 0) === name.length && !isReserved(name);

const isLetter = (code: number): boolean =>
  code <= 127
    ? (code >= 97 && code <= 122) || (code >= 65 && code <= 90)
    : anyLetter.test(String.fromCodePoint(code));

export const isLetterOrDigit = (code: number): boolean =>
  code <= 127 ? isLetter(code) || isDigit(code) : anyNamePart.test(String.fromCodePoint(code));

const dash = 45;
const dot = 46;
const underscore = 95;

const isNamePart = (code: number): boolean =>
  isLetterOrDigit(code) || code === dash || code === underscore || code === dot;

const quote = 34;
const backslash = 92;

export const isQuote = (text: string, at: number): boolean => text.charCodeAt(at) === quote;

/** Where what the quote at this place begins is closed; a name's quotes are in one line. */
export function closingQuote(
  text: string,
  opening: number,
  lines: "one line" | "any lines",
): number | undefined {
  for (let at = opening + 1; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === quote) return at;
    if (lines === "one line" && isLineBreak(code)) return undefined;
    if (code === backslash && isEscapable(text.charCodeAt(at + 1))) at += 1;
  }
  return undefined;
}

const isEscapable = (code: number): boolean => code === quote || code === backslash;

/** What the quotes at these places hold. */
export const unquoted = (text: string, opening: number, closing: number): string =>
  text.slice(opening + 1, closing).replace(/\\(["\\])/g, "$1");

export const quoted = (text: string): string => `"${text.replace(/["\\]/g, "\\$&")}"`;

/** Before `end`, what closes the bracket at `at`, if one stands there. */
export function bracketClosing(
  text: string,
  { at, from, end }: { at: number; from: number; end: number },
): number | undefined {
  const opener = text.charAt(at);
  const closer = closers.get(opener);
  if (closer === undefined) return undefined;
  let depth = 1;
  for (let place = from; place < end; place += 1) {
    const character = text.charAt(place);
    if (character === opener) depth += 1;
    if (character === closer) depth -= 1;
    if (depth === 0) return place;
  }
  return undefined;
}

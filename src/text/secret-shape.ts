/**
 * Says from a value alone whether it can be a secret. A name such as `password` proves nothing: source code is
 * full of it. What proves something is a value no person would write as a word, a name, a path or a placeholder.
 */

/** Shorter values are words, numbers and flags far more often than secrets. */
const SECRET_LENGTH_MIN = 8;

/** What people write where a secret would stand. */
const PLACEHOLDER =
  /^\$[A-Za-z_{(]|^%\w+%$|^(.)\1*$|\$\{|\{\{|<|\*{3}|x{4}|\.{3}|…|REDACTED|your[-_]|placeholder|change[-_]?me/i;

/** A path or an address; an address with a password in it is found by its own format. */
const REFERENCE = /^(?:\.{1,2}|~)?\/[\w.-]+(?:\/[\w.-]+)*\/?$|^[A-Za-z]:[\\/]|:\/\//;

const WORD = "(?:[A-Z]?[a-z]+(?:[A-Z][a-z]+)*\\d{0,3}|[A-Z]+\\d{0,3}|[a-z]?\\d{1,3})";
/** Two or more plain words with hardly a digit: `oauth2-token`, `config.v2.apiKey`. */
const WORDS = new RegExp(`^${WORD}(?:[-_.:/]+${WORD})+$`);
const WORDS_DIGITS_MAX = 3;

const NAME_OR_MEMBER = /^[A-Za-z_$][\w$]*(?:[?!]?\.[\w$]+)*[?!]?$/;

/** A value that is mixed as secrets are, and neither words nor a stand-in. */
export const looksSecret = (value: string): boolean =>
  value.length >= SECRET_LENGTH_MIN &&
  isMixed(value) &&
  !PLACEHOLDER.test(value) &&
  !REFERENCE.test(value) &&
  !(countOf(value, /\d/g) <= WORDS_DIGITS_MAX && WORDS.test(value));

/** For a place that holds nothing but secrets, `Bearer …`: anything but a stand-in or one plain word. */
export const mayBeSecret = (value: string): boolean =>
  value.length >= SECRET_LENGTH_MIN && !PLACEHOLDER.test(value) && !/^[a-z]{0,15}$/.test(value);

/** In code a bare value is mostly a variable, which may carry a digit or two (`sha256Secret`). */
export const looksSecretInCode = (value: string): boolean =>
  looksSecret(value) && (!NAME_OR_MEMBER.test(value) || (value.length >= 12 && countOf(value, /\d+/g) >= 3));

/** In `NAME=value` and `name: value` lines, where a bare value is mostly a value. */
export const looksSecretInSettings = (value: string, name: string): boolean =>
  looksSecret(value) &&
  (name === name.toUpperCase() || !NAME_OR_MEMBER.test(value) || countOf(value, /\d/g) >= 2);

const countOf = (value: string, what: RegExp): number => value.match(what)?.length ?? 0;

/** Three letters keep dates and numbers with a unit out; without a digit, both cases and an inner sign. */
const isMixed = (value: string): boolean =>
  /^(?:[^A-Za-z]*[A-Za-z]){3}/.test(value) &&
  (/\d/.test(value) || (/[a-z]/.test(value) && /[A-Z]/.test(value) && /[!@#$%^&*?+=~|]\w/.test(value)));

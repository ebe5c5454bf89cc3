/** Secrets that stand after a name and a sign: assignments, headers, query parameters, passwords in addresses. */
import { looksSecret, looksSecretInCode, looksSecretInSettings, mayBeSecret } from "./secret-shape.ts";
import {
  anyCase,
  COLOUR,
  matchAt,
  runAt,
  secret,
  STREAMED_BYTES_MAX,
  undecided,
  type Place,
  type Verdict,
} from "./secret-verdict.ts";

/** What stands between a name and its `=` or `:`; a quote may be escaped, once or twice. */
const NAME_TO_SIGN = `(?:["'\\]\\\\]{0,6}(?:${COLOUR})?["'\\]\\\\]{0,6})[ \\t]{0,8}`;
const LABEL_ENDS = [
  "key",
  "token",
  "secret",
  "password",
  "passwd",
  "passphrase",
  "authorization",
  "cookie",
  "_auth",
];
export const USERINFO = ":\\/\\/[^\\s/:@\"'`<>]{0,64}:";

export const LABEL_TRIGGER = `(?:${LABEL_ENDS.map(anyCase).join("|")})${NAME_TO_SIGN}[=:]`;

const LABEL_BEFORE = new RegExp(`(?<=(?<![\\w-])([\\w-]{1,64})(${NAME_TO_SIGN})[=:])`, "y");

export const judgeLabelled = (place: Place, sign: "=" | ":"): Verdict => {
  const { text, at } = place;
  if (sign === ":" && matchAt(USERINFO_BEFORE, text, at) !== null) return judgeUserinfo(place);
  const label = matchAt(LABEL_BEFORE, text, at);
  const name = label?.[1] ?? "";
  if (/authorization$/i.test(name)) return judgeAuthorization(place);
  if (sign === ":" && /^(?:set-)?cookie$/i.test(name)) return judgeCookie(place);
  const before = text[at - 2 - name.length];
  const isQuery = sign === "=" && label?.[2] === "" && (before === "?" || before === "&");
  if (isQuery && (isSecretName(name) || /^key$/i.test(name))) return judgeQuery(place, name);
  return isSecretName(name) ? judgeAssigned(place, name) : undefined;
};

const USERINFO_BEFORE = new RegExp(`(?<=${USERINFO})`, "y");
const USERINFO_RUN = /[^\s/@"'`<>\\?#,;(){}[\]|\x00-\x1f]{0,4096}/y;
const USERINFO_MORE = /[^\s/@"'`<>\\?#,;(){}[\]|\x00-\x1f]*/y;

const judgeUserinfo = (place: Place): Verdict => {
  const run = runAt(USERINFO_RUN, place.at, place);
  if (run.isUndecided) return undecided(run.start);
  // Without the `@` it may be a port or a path.
  const isPassword =
    run.next === "@" ? !/^$|^\$|^%s|^\*+$/.test(run.value) : run.next === undefined && looksSecret(run.value);
  return isPassword ? secret(run.start, run.end, USERINFO_MORE) : undefined;
};

const AUTHORIZATION_LEAD = new RegExp(
  `[ \\t]{0,8}(?:${COLOUR})?(?:\\\\{0,3}["'\`])?(?:${COLOUR})?(?:(${["bearer", "basic", "token"].map(anyCase).join("|")})[ \\t]{1,4}(?:${COLOUR})?)?`,
  "y",
);
const AUTHORIZATION_RUN = /[\w.~+/=:-]{0,4096}/y;
const AUTHORIZATION_MORE = /[\w.~+/=:-]*/y;

const judgeAuthorization = (place: Place): Verdict => {
  const lead = matchAt(AUTHORIZATION_LEAD, place.text, place.at);
  const run = runAt(AUTHORIZATION_RUN, place.at + (lead?.[0].length ?? 0), place);
  if (run.isUndecided) return undecided(run.start);
  const isCredential = lead?.[1] === undefined ? looksSecret(run.value) : mayBeSecret(run.value);
  return isCredential ? secret(run.start, run.end, AUTHORIZATION_MORE) : undefined;
};

const COOKIE_LEAD = new RegExp(
  `[ \\t]{0,8}\\[?[ \\t]{0,8}(?:${COLOUR})?(?:\\\\{0,3}["'\`])?(?:${COLOUR})?`,
  "y",
);
const COOKIE_RUN = /[^"'`<>{}\\\x00-\x1f]{0,4096}/y;
const COOKIE_MORE = /[^"'`<>{}\\\x00-\x1f]*/y;
const COOKIE_PAIR = /^[\w!#$%&*+.^|~-]{1,128}=[^\s;]/;

const judgeCookie = (place: Place): Verdict => {
  const lead = matchAt(COOKIE_LEAD, place.text, place.at)?.[0] ?? "";
  const run = runAt(COOKIE_RUN, place.at + lead.length, place);
  if (run.isUndecided) return undecided(run.start);
  const isTemplate = run.next === "{" || run.next === "<" || /=\$\w/.test(run.value);
  if (isTemplate || !COOKIE_PAIR.test(run.value)) return undefined;
  return secret(run.start, run.end, COOKIE_MORE, STREAMED_BYTES_MAX);
};

const QUERY_RUN = /[\w.~%+/!*:@-]{0,4096}/y;
const QUERY_MORE = /[\w.~%+/!*:@-]*/y;

const judgeQuery = (place: Place, name: string): Verdict => {
  const run = runAt(QUERY_RUN, place.at, place);
  if (run.isUndecided) return undecided(run.start);
  const isCredential = /^key$/i.test(name) ? looksSecret(run.value) : mayBeSecret(run.value);
  return isCredential ? secret(run.start, run.end, QUERY_MORE) : undefined;
};

/** The sign's own rest (`:=`, `=>`), space, colour, and the quote that opens the value. */
const ASSIGNED_LEAD = new RegExp(
  `[=>]?[ \\t]{0,8}(?:${COLOUR}){0,2}(\\\\{0,3}["'\`])?(?:${COLOUR}){0,2}`,
  "y",
);
/** In plain quotes a backslash and what it escapes belong to the value; after an escaped quote it is the end. */
const QUOTED_RUN = /(?:[!#-&(-[\]-_a-~\x80-\uffff]|\\(?:[!-~]|$)){0,4096}/y;
const QUOTED_MORE = /(?:[!#-&(-[\]-_a-~\x80-\uffff]|\\[!-~])*/y;
const ESCAPED_RUN = /[!#-&(-[\]-_a-~\x80-\uffff]{0,4096}/y;
const ESCAPED_MORE = /[!#-&(-[\]-_a-~\x80-\uffff]*/y;
/** Without `=` and `:`, so that a chain of labels is a chain of short values. */
const BARE_RUN = /[\w+/.~!@#$%^*?-]{0,4096}/y;
const BARE_MORE = /[\w+/.~!@#$%^*?-]*/y;

const judgeAssigned = (place: Place, name: string): Verdict => {
  const lead = matchAt(ASSIGNED_LEAD, place.text, place.at);
  const start = place.at + (lead?.[0].length ?? 0);
  const quote = lead?.[1];
  return quote === undefined
    ? judgeBare(place, start, name)
    : judgeQuoted(place, start, { name, isEscaped: quote.length > 1 });
};

interface Quoted {
  readonly name: string;
  readonly isEscaped: boolean;
}

const judgeQuoted = (place: Place, start: number, { name, isEscaped }: Quoted): Verdict => {
  const run = runAt(isEscaped ? ESCAPED_RUN : QUOTED_RUN, start, place);
  if (run.isUndecided) return undecided(start);
  const isClosed = run.next === undefined || /["'`\\\x1b]/.test(run.next);
  if (!isClosed || !(isAwsSecret(name, run.value) || looksSecret(run.value))) return undefined;
  return secret(start, run.end, isEscaped ? ESCAPED_MORE : QUOTED_MORE);
};

const judgeBare = (place: Place, start: number, name: string): Verdict => {
  const { text, at } = place;
  const run = runAt(BARE_RUN, start, place);
  if (run.isUndecided) return undecided(start);
  // A call, an index or a template: code.
  if (run.next !== undefined && /[([{`]/.test(run.next)) return undefined;
  const isSpaced = text[at - 1] === "=" && (text[at - 2] === " " || text[at] === " ");
  const isInList = run.next !== undefined && /[,;)}\]]/.test(run.next) && name !== name.toUpperCase();
  const isSecret =
    isAwsSecret(name, run.value) ||
    (isSpaced || isInList ? looksSecretInCode(run.value) : looksSecretInSettings(run.value, name));
  return isSecret ? secret(start, run.end, BARE_MORE) : undefined;
};

const isAwsSecret = (name: string, value: string): boolean =>
  /secret[-_]?access[-_]?key$/i.test(name) && /^[A-Za-z0-9+/]{40}$/.test(value);

const SECRET_NAME =
  /(?:token|secret|passw(?:or)?d|passphrase|_auth|[-_]key|(?:api|access|secret|private|account)key)$/i;
const SECRET_NAME_IN_CAMEL_CASE = /[a-z0-9]Key$/;
/** Keys and tokens that are names of things, not keys to them. */
const PLAIN_NAME =
  /(?:public|publishable|primary|foreign|cache|sort|partition|row|group|storage|object|query|idempotency|page|next|continuation)[-_]?(?:key|token)$/i;

const isSecretName = (name: string): boolean =>
  (SECRET_NAME.test(name) || SECRET_NAME_IN_CAMEL_CASE.test(name)) && !PLAIN_NAME.test(name);

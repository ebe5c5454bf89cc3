/**
 * Knows what secrets look like where they stand. One regular expression, `TRIGGER`, runs over everything; it
 * stops at a single byte (`-`, `_`, `=`, `:`, …) whose left side is the end of a label or of a token's prefix,
 * which ordinary text has hardly ever. Only there `judge` looks at what follows.
 *
 * A verdict depends on at most CONTEXT_BYTES before the trigger and HELD_BYTES_MAX after it, so it is the same
 * however a stream was cut. No run of one format can contain the start of another run that is as long, so the
 * work stays linear even on text made of near-misses.
 */
import { looksSecret, looksSecretInCode, looksSecretInSettings, mayBeSecret } from "./secret-shape.ts";

/** No credential but a PEM block, which is redacted as it streams, is longer; a longer run is judged by this. */
export const HELD_BYTES_MAX = 4096;

/** No label with its sign (64 and some 40 bytes), and nothing between a sign and its value, is longer. */
export const LABEL_BYTES_MAX = 128;

/** What is kept of the text before, so that a value that comes later still finds its whole label. */
export const CONTEXT_BYTES = 2 * LABEL_BYTES_MAX;

/** The PEM of a 16384-bit RSA key is below 13 KB; a cookie header may be 16 KB in common servers. */
const STREAMED_BYTES_MAX = 16 * 1024;

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
interface Place {
  readonly text: string;
  /** Just after the trigger. */
  readonly at: number;
  readonly isAll: boolean;
}

const anyCase = (word: string): string =>
  word.replaceAll(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`);

const COLOUR = "\\x1b\\[[\\d;]{0,16}m";
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
const USERINFO = ":\\/\\/[^\\s/:@\"'`<>]{0,64}:";

/** A token starts where a word starts; an escape (`\n`, `%3D`, `\u003d`) or a colour code may end just before. */
const WORD_START = `(?:(?<![\\w-])|(?<=\\\\[nrt]|%[\\dA-Fa-f]{2}|\\\\u00[\\dA-Fa-f]{2}|${COLOUR}))`;

const PEM_TRIGGER = "KEY(?: BLOCK)?-----";

interface TokenFormat {
  readonly prefixes: readonly string[];
  /** Sticky, at most HELD_BYTES_MAX: all that can belong to the token after its prefix. */
  readonly run: RegExp;
  readonly more: RegExp;
  /** How much of the run is the token's; 0 when it is none. `isOpen`: the run had not ended when it was cut. */
  readonly lengthOf: (run: string, isOpen: boolean) => number;
}

const RUNS = {
  alphanumeric: { run: /[A-Za-z0-9]{0,4096}/y, more: /[A-Za-z0-9]*/y },
  word: { run: /\w{0,4096}/y, more: /\w*/y },
  dashed: { run: /[\w-]{0,4096}/y, more: /[\w-]*/y },
  dotted: { run: /[\w.-]{0,4096}/y, more: /[\w.-]*/y },
} as const;

const allOf = (shape: RegExp) => (run: string) => (shape.test(run) ? run.length : 0);

/** Prefixes end in a byte that is rare in text; what else is fixed is part of the shape. */
const TOKENS: readonly TokenFormat[] = [
  {
    prefixes: ["sk-"],
    ...RUNS.dashed,
    // Words joined by dashes (`sk-learn-compatible-estimators`) are no key.
    lengthOf: allOf(
      /^(?:ant|proj|svcacct|admin|or)-[\w-]{8,}$|^(?=[\w-]{20,}$)(?:.*[A-Za-z0-9]{20}|(?=.*\d)(?=.*[a-z])(?=.*[A-Z]))/,
    ),
  },
  { prefixes: ["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], ...RUNS.alphanumeric, lengthOf: allOf(/^.{20}/) },
  { prefixes: ["github_pat_"], ...RUNS.word, lengthOf: allOf(/^.{20}/) },
  { prefixes: ["AKI", "ASI"], ...RUNS.alphanumeric, lengthOf: allOf(/^A[A-Z0-9]{16}$/) },
  { prefixes: ["AI"], ...RUNS.dashed, lengthOf: allOf(/^za[\w-]{35}$/) },
  {
    prefixes: ["xoxa-", "xoxb-", "xoxe-", "xoxp-", "xoxr-", "xoxs-"],
    ...RUNS.dashed,
    lengthOf: allOf(/^(?=.*\d).{10}/),
  },
  {
    prefixes: ["sk_live_", "rk_live_", "sk_test_", "rk_test_"],
    ...RUNS.alphanumeric,
    lengthOf: allOf(/^.{10}/),
  },
  { prefixes: ["npm_"], ...RUNS.alphanumeric, lengthOf: allOf(/^.{36}/) },
  { prefixes: ["glpat-"], ...RUNS.dashed, lengthOf: allOf(/^.{20}/) },
  { prefixes: ["hf_"], ...RUNS.alphanumeric, lengthOf: allOf(/^.{30}/) },
  {
    prefixes: ["eyJ"],
    ...RUNS.dotted,
    lengthOf: (run, isOpen) => {
      const whole = /^[\w-]{5,}\.[\w-]{4,}\.[\w-]{4,}(?:\.[\w-]+)*/.exec(run);
      if (whole !== null && !isOpen) return whole[0].length;
      return whole !== null || (isOpen && /^[\w-]{5,}\.eyJ[\w-]{4}/.test(run)) ? run.length : 0;
    },
  },
];

const PREFIXES = TOKENS.flatMap((token) => token.prefixes);
const FORMAT_OF_PREFIX = new Map(
  TOKENS.flatMap((token) => token.prefixes.map((prefix) => [prefix, token] as const)),
);

const LABEL_TRIGGER = `(?:${LABEL_ENDS.map(anyCase).join("|")})${NAME_TO_SIGN}[=:]`;

const TRIGGER_BYTES = ["-", "_", "I", "J"];
/** Branches by its first byte: a byte that is no trigger costs one comparison. */
export const TRIGGER = new RegExp(
  [
    ...TRIGGER_BYTES.map((byte) => {
      const endings = PREFIXES.filter((prefix) => prefix.endsWith(byte));
      return `${byte}(?<=${(byte === "-" ? [...endings, PEM_TRIGGER] : endings).join("|")})`;
    }),
    `[=:](?<=${LABEL_TRIGGER})`,
    `:(?<=${USERINFO})`,
  ].join("|"),
  "g",
);

/** The prefix of a token that the text may be about to spell out. */
const PREFIX_STARTS = PREFIXES.flatMap((prefix) =>
  Array.from({ length: prefix.length - 1 }, (_, index) => prefix.slice(0, index + 1)),
);
const BEGUN_PREFIX = new RegExp(`${WORD_START}(?:${PREFIX_STARTS.join("|")})$`);
const BEGUN_PREFIX_REACH = 48;

/** Where the text's end may be the start of a token's prefix; the text's length when it is not. */
export const begunPrefix = (text: string): number => {
  const from = Math.max(0, text.length - BEGUN_PREFIX_REACH);
  const found = BEGUN_PREFIX.exec(text.slice(from));
  return found === null ? text.length : from + found.index;
};

/** What stands at a trigger. `isAll`: no more text will come, or none can be waited for. */
export const judge = (text: string, at: number, isAll: boolean): Verdict => {
  const place = { text, at, isAll };
  const sign = text[at - 1];
  if (sign === "=" || sign === ":") return judgeLabelled(place, sign);
  return judgeToken(place) ?? (sign === "-" ? judgePem(place) : undefined);
};

const LABEL_BEFORE = new RegExp(`(?<=(?<![\\w-])([\\w-]{1,64})(${NAME_TO_SIGN})[=:])`, "y");

const judgeLabelled = (place: Place, sign: "=" | ":"): Verdict => {
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

/** The match of a sticky expression at `at`: a lookbehind reads what stands before, anything else what follows. */
const matchAt = (what: RegExp, text: string, at: number): RegExpExecArray | null => {
  what.lastIndex = at;
  return what.exec(text);
};

interface Run {
  readonly start: number;
  readonly end: number;
  readonly value: string;
  /** The character that ended it; undefined when nothing has. */
  readonly next: string | undefined;
  readonly isUndecided: boolean;
}

const runAt = (run: RegExp, start: number, { text, isAll }: Place): Run => {
  const value = matchAt(run, text, start)?.[0] ?? "";
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

const undecided = (start: number): Undecided => ({ kind: "undecided", start });
const secret = (start: number, end: number, more: RegExp, moreBytesMax = Infinity): Secret => ({
  kind: "secret",
  start,
  end,
  more,
  moreBytesMax,
});

const PREFIX_BEFORE = new RegExp(`(?<=${WORD_START}(${PREFIXES.join("|")}))`, "y");

const judgeToken = (place: Place): Verdict => {
  const prefix = matchAt(PREFIX_BEFORE, place.text, place.at)?.[1];
  const format = prefix === undefined ? undefined : FORMAT_OF_PREFIX.get(prefix);
  if (prefix === undefined || format === undefined) return undefined;
  const start = place.at - prefix.length;
  // What has dots in it starts at its first part only, so that no part is read twice.
  if (format.run === RUNS.dotted.run && place.text[start - 1] === ".") return undefined;
  const run = runAt(format.run, place.at, place);
  if (run.isUndecided) return undecided(start);
  const length = format.lengthOf(run.value, run.next === undefined);
  if (length === 0) return undefined;
  return secret(start, place.at + length, run.next === undefined ? format.more : NO_MORE);
};

const PEM_BEFORE = /(?<=-----BEGIN [A-Z0-9 ]{0,32}PRIVATE KEY(?: BLOCK)?-----)/y;
/** A block goes on with a line break, written out or as an escape, or with a space where it became one line. */
const PEM_BREAK = new RegExp(`(?:${COLOUR})*(?:\\\\{1,4}[rn]|\\r|\\n| )+`, "y");
const PEM_HEAD = /(?:[\w\s+/=\\:,.()|>;\x1b[\]\x80-\uffff]|-(?!----)){0,1024}/y;
const PEM_FOOTER = "-----END";
/** No quotes: a block that was cut off inside a JSON string must not take the rest of the JSON with it. */
const PEM_MORE = /[A-Za-z0-9+/=\s\\|>,;\x1b[\]\x80-\uffff]*/y;
const PEM_LINE = /[A-Za-z0-9+/]{16}/;

const judgePem = (place: Place): Verdict => {
  const { text, at, isAll } = place;
  if (matchAt(PEM_BEFORE, text, at) === null) return undefined;
  const start = at + (matchAt(PEM_BREAK, text, at)?.[0].length ?? 0);
  if (start === at) return undefined;
  const head = matchAt(PEM_HEAD, text, start)?.[0] ?? "";
  const end = start + head.length;
  const line = PEM_LINE.exec(head);
  if (line !== null) {
    return secret(start, start + line.index + line[0].length, PEM_MORE, STREAMED_BYTES_MAX);
  }
  const footer = text.slice(end, end + PEM_FOOTER.length);
  if (footer === PEM_FOOTER) return /[A-Za-z0-9]/.test(head) ? secret(start, end, NO_MORE) : undefined;
  return end + footer.length === text.length && PEM_FOOTER.startsWith(footer) && !isAll
    ? undecided(start)
    : undefined;
};
const NO_MORE = /(?!)/y;

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

const judgeAuthorization = (place: Place): Verdict => {
  const lead = matchAt(AUTHORIZATION_LEAD, place.text, place.at);
  const run = runAt(AUTHORIZATION_RUN, place.at + (lead?.[0].length ?? 0), place);
  if (run.isUndecided) return undecided(run.start);
  const isCredential = lead?.[1] === undefined ? looksSecret(run.value) : mayBeSecret(run.value);
  return isCredential ? secret(run.start, run.end, /[\w.~+/=:-]*/y) : undefined;
};

const COOKIE_LEAD = new RegExp(
  `[ \\t]{0,8}\\[?[ \\t]{0,8}(?:${COLOUR})?(?:\\\\{0,3}["'\`])?(?:${COLOUR})?`,
  "y",
);
const COOKIE_RUN = /[^"'`<>{}\\\x00-\x1f]{0,4096}/y;
const COOKIE_PAIR = /^[\w!#$%&*+.^|~-]{1,128}=[^\s;]/;

const judgeCookie = (place: Place): Verdict => {
  const run = runAt(
    COOKIE_RUN,
    place.at + (matchAt(COOKIE_LEAD, place.text, place.at)?.[0].length ?? 0),
    place,
  );
  if (run.isUndecided) return undecided(run.start);
  const isTemplate = run.next === "{" || run.next === "<" || /=\$\w/.test(run.value);
  if (isTemplate || !COOKIE_PAIR.test(run.value)) return undefined;
  return secret(run.start, run.end, /[^"'`<>{}\\\x00-\x1f]*/y, STREAMED_BYTES_MAX);
};

const QUERY_RUN = /[\w.~%+/!*:@-]{0,4096}/y;

const judgeQuery = (place: Place, name: string): Verdict => {
  const run = runAt(QUERY_RUN, place.at, place);
  if (run.isUndecided) return undecided(run.start);
  const isCredential = /key$/i.test(name) ? looksSecret(run.value) : mayBeSecret(run.value);
  return isCredential ? secret(run.start, run.end, /[\w.~%+/!*:@-]*/y) : undefined;
};

/** The sign's own rest (`:=`, `=>`), space, colour, and the quote that opens the value. */
const ASSIGNED_LEAD = new RegExp(
  `[=>]?([ \\t]{0,8})(?:${COLOUR}){0,2}(\\\\{0,3}["'\`])?(?:${COLOUR}){0,2}`,
  "y",
);
const QUOTED_RUN = /[!#-&(-[\]-_a-~]{0,4096}/y;
/** Without `=` and `:`, so that a chain of labels is a chain of short values. */
const BARE_RUN = /[\w+/.~!@#$%^*?-]{0,4096}/y;

const judgeAssigned = (place: Place, name: string): Verdict => {
  const lead = matchAt(ASSIGNED_LEAD, place.text, place.at);
  const start = place.at + (lead?.[0].length ?? 0);
  const isQuoted = lead?.[2] !== undefined;
  const run = runAt(isQuoted ? QUOTED_RUN : BARE_RUN, start, place);
  if (run.isUndecided) return undecided(start);
  if (isAwsSecret(name, run.value)) return secret(start, run.end, /[\w+/]*/y);
  if (isQuoted) {
    const isClosed = run.next === undefined || /["'`\\\x1b]/.test(run.next);
    return isClosed && looksSecret(run.value) ? secret(start, run.end, /[!#-&(-[\]-_a-~]*/y) : undefined;
  }
  if (run.next !== undefined && /[([{`]/.test(run.next)) return undefined;
  const isSpaced = place.text[place.at - 1] === "=" && (place.text[place.at - 2] === " " || lead?.[1] !== "");
  const isClosed = run.next !== undefined && /[,;)}\]]/.test(run.next);
  const isCode = isSpaced || (isClosed && name !== name.toUpperCase());
  const isSecret = isCode ? looksSecretInCode(run.value) : looksSecretInSettings(run.value, name);
  return isSecret ? secret(start, run.end, /[\w+/.~!@#$%^*?-]*/y) : undefined;
};

const isAwsSecret = (name: string, value: string): boolean =>
  /secret[-_]?access[-_]?key$/i.test(name) && /^[A-Za-z0-9+/]{40}$/.test(value);

const SECRET_NAME =
  /(?:token|secret|passw(?:or)?d|passphrase|_auth|[-_]key|(?:api|access|secret|private|account)key)$|[a-z0-9]Key$/i;
/** Keys and tokens that are names of things, not keys to them. */
const PLAIN_NAME =
  /(?:public|publishable|primary|foreign|cache|sort|partition|row|group|storage|object|query|idempotency|page|next|continuation)[-_]?(?:key|token)$/i;

const isSecretName = (name: string): boolean => SECRET_NAME.test(name) && !PLAIN_NAME.test(name);

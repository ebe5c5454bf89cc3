/** Secrets that show what they are by how they begin: `ghp_…`, `sk-…`, `eyJ…`. */
import {
  COLOUR,
  matchAt,
  NO_MORE,
  runAt,
  secret,
  undecided,
  type Place,
  type Verdict,
} from "./secret-verdict.ts";

/** A token starts where a word starts; an escape (`\n`, `%3D`, `\u003d`) or a colour code may end just before. */
const WORD_START = `(?:(?<![\\w-])|(?<=\\\\[nrt]|%[\\dA-Fa-f]{2}|\\\\u00[\\dA-Fa-f]{2}|${COLOUR}))`;

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
  // Our own: of the owner, and of a run.
  { prefixes: ["coven_"], ...RUNS.dashed, lengthOf: allOf(/^(?:run_)?[\w-]{43}$/) },
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

export const PREFIXES = TOKENS.flatMap((token) => token.prefixes);
const FORMAT_OF_PREFIX = new Map(
  TOKENS.flatMap((token) => token.prefixes.map((prefix) => [prefix, token] as const)),
);

const PREFIX_BEFORE = new RegExp(`(?<=${WORD_START}(${PREFIXES.join("|")}))`, "y");

export const judgeToken = (place: Place): Verdict => {
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

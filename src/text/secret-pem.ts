/** Private keys in PEM blocks. Only their start is ever held; the body is redacted as it streams. */
import {
  COLOUR,
  matchAt,
  NO_MORE,
  secret,
  STREAMED_BYTES_MAX,
  undecided,
  type Place,
  type Verdict,
} from "./secret-verdict.ts";

export const PEM_TRIGGER = "KEY(?: BLOCK)?-----";

const PEM_BEFORE = /(?<=-----BEGIN [A-Z0-9 ]{0,32}PRIVATE KEY(?: BLOCK)?-----)/y;
/** A block goes on with a line break, written out or as an escape, or with a space where it became one line. */
const PEM_BREAK = new RegExp(`(?:${COLOUR})*(?:\\\\{1,4}[rn]|\\r|\\n| )+`, "y");
const PEM_HEAD = /(?:[\w\s+/=\\:,.()|>;\x1b[\]\x80-\uffff]|-(?!----)){0,1024}/y;
const PEM_FOOTER = "-----END";
/** No quotes: a block that was cut off inside a JSON string must not take the rest of the JSON with it. */
const PEM_MORE = /[A-Za-z0-9+/=\s\\|>,;\x1b[\]\x80-\uffff]*/y;
const PEM_LINE = /[A-Za-z0-9+/]{16}/;

export const judgePem = (place: Place): Verdict => {
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

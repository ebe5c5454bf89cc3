/**
 * Replaces secrets in a stream of bytes and passes everything else byte for byte, invalid UTF-8 included: bytes
 * are read as latin1, one character each. The answer does not depend on how the stream was cut: a verdict is
 * given only when enough has been seen, and what may be part of a secret is held back until then, never more
 * than HELD_BYTES_MAX and a prefix. Labels are not held. The caller calls `flush` when the stream pauses or
 * ends; what was passed by then cannot be taken back, but the rest of the same secret still does not leak.
 */
import { judge, TRIGGER } from "./secret-formats.ts";
import { begunPrefix } from "./secret-tokens.ts";
import { CONTEXT_BYTES, LABEL_BYTES_MAX, type Secret, type Verdict } from "./secret-verdict.ts";

export const REDACTED = "[REDACTED]";

export interface Redactor {
  /** Answers what can be passed on, the same Buffer if that is all of it. */
  push(chunk: Buffer): Buffer;
  /** Decides what is held with what is known, and answers it. */
  flush(): Buffer;
  readonly heldBytes: number;
}

const NOTHING = Buffer.alloc(0);

export const createRedactor = (): Redactor => {
  /** The end of what was passed, for labels and word starts, then what is held. It starts after the last secret. */
  let seen = "";
  let passedLength = 0;
  let unfinished: Unfinished | undefined;

  const take = (input: string, isAll: boolean): Taken => {
    const begun = unfinished === undefined ? 0 : restOf(unfinished, input, 0);
    if (unfinished !== undefined && begun === input.length) {
      unfinished = { more: unfinished.more, leftBytes: unfinished.leftBytes - begun };
      return { output: "", isChanged: true };
    }
    unfinished = undefined;
    const result = redact(seen + (begun === 0 ? input : input.slice(begun)), passedLength, isAll);
    unfinished = result.unfinished;
    seen = copyOf(result.text.slice(Math.max(0, result.heldFrom - CONTEXT_BYTES)));
    passedLength = Math.min(result.heldFrom, CONTEXT_BYTES);
    return { output: result.output, isChanged: begun > 0 || result.hasSecret };
  };

  return {
    push(chunk) {
      const wasHolding = seen.length > passedLength;
      const { output, isChanged } = take(chunk.toString("latin1"), false);
      if (wasHolding || isChanged) return Buffer.from(output, "latin1");
      return output.length === chunk.length ? chunk : chunk.subarray(0, output.length);
    },
    flush: () => (seen.length === passedLength ? NOTHING : Buffer.from(take("", true).output, "latin1")),
    get heldBytes() {
      return seen.length - passedLength;
    },
  };
};

/** Redacts a whole text. */
export const redactText = (text: string): string => redact(text, 0, true).output;

interface Taken {
  readonly output: string;
  readonly isChanged: boolean;
}

/** A secret that reaches the end of what was seen. */
interface Unfinished {
  readonly more: RegExp;
  readonly leftBytes: number;
}

interface Redaction {
  readonly output: string;
  readonly hasSecret: boolean;
  /** What follows the last secret, and from where on it is held. */
  readonly text: string;
  readonly heldFrom: number;
  readonly unfinished: Unfinished | undefined;
}

/** Text after a secret is judged as if it stood alone, so that it does not matter whether the two came together. */
const redact = (all: string, passedLength: number, isAll: boolean): Redaction => {
  let text = all;
  let passed = passedLength;
  let output = "";
  let hasSecret = false;
  for (;;) {
    const found = firstSecret(text, passed, isAll);
    if (found?.kind !== "secret") {
      const heldFrom = Math.max(passed, found?.start ?? (isAll ? text.length : begunPrefix(text)));
      return {
        output: output + text.slice(passed, heldFrom),
        hasSecret,
        text,
        heldFrom,
        unfinished: undefined,
      };
    }
    hasSecret = true;
    output += text.slice(passed, Math.max(passed, found.start)) + REDACTED;
    const rest = { more: found.more, leftBytes: found.moreBytesMax };
    const end = restOf(rest, text, found.end);
    if (end === text.length) {
      const unfinished = { more: rest.more, leftBytes: rest.leftBytes - (end - found.end) };
      return { output, hasSecret, text: "", heldFrom: 0, unfinished };
    }
    text = text.slice(end);
    passed = 0;
  }
};

/** The first secret that is not passed already, or the first place that is undecided. */
const firstSecret = (text: string, passed: number, isAll: boolean): Verdict => {
  // Where text before was let go, a label at the edge may be half a label, and its value is long decided.
  let from = passed < CONTEXT_BYTES ? 0 : LABEL_BYTES_MAX;
  for (;;) {
    TRIGGER.lastIndex = from;
    if (!TRIGGER.test(text)) return undefined;
    from = TRIGGER.lastIndex;
    const verdict = judge(text, from, isAll);
    if (verdict !== undefined && !isPassed(verdict, passed)) return verdict;
  }
};

const isPassed = (verdict: Secret | { readonly kind: "undecided" }, passed: number): boolean =>
  verdict.kind === "secret" && verdict.end <= passed;

/** Where the secret that goes on at `from` ends. */
const restOf = ({ more, leftBytes }: Unfinished, text: string, from: number): number => {
  more.lastIndex = from;
  return more.test(text) ? Math.min(more.lastIndex, from + leftBytes) : from;
};

/** A slice of a string keeps the whole string alive; a session would hold its last chunk for good. */
const copyOf = (text: string): string => Buffer.from(text, "latin1").toString("latin1");

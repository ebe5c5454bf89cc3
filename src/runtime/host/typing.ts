/**
 * Types into a terminal program as a person would: the text, and the Enter behind it once the program has shown the
 * text. Measured with Codex 0.169.0: characters that arrive at once are a paste to it, and an Enter within the next
 * 120 ms is one more line of that paste, so that the prompt stands there and is never sent.
 */

/** How long after the text was shown Enter is pressed, ms: what Codex needs, and some for a late timer. */
const enterPauseMs = 150;

/** How long the program may take to show the text, ms; one that shows nothing (a password) gets Enter all the same. */
const shownMsMax = 1000;

const enter = 0x0d;
const escape = 0x1b;

export interface Typist {
  /** Resolves when all was written; false when the program has left too much unread. One after the other. */
  readonly type: (bytes: Buffer) => Promise<boolean>;
  /** The program has printed something. */
  readonly heard: () => void;
}

export function createTypist(write: (bytes: Buffer) => boolean): Typist {
  let before: Promise<unknown> = Promise.resolve();
  let heard = (): void => undefined;

  const typeNow = async (bytes: Buffer): Promise<boolean> => {
    if (!endsWithEnter(bytes)) return write(bytes);
    const shown = new Promise<void>((resolve) => (heard = resolve));
    if (!write(bytes.subarray(0, -1))) return false;
    await Promise.race([shown, pause(shownMsMax)]);
    await pause(enterPauseMs);
    return write(bytes.subarray(-1));
  };

  return {
    type(bytes) {
      const typed = before.then(() => typeNow(bytes));
      before = typed.catch(() => undefined);
      return typed;
    },
    heard: () => heard(),
  };
}

/** An Enter alone is a key, and behind an escape it is a part of one (Alt-Enter). */
const endsWithEnter = (bytes: Buffer): boolean =>
  bytes.length > 1 && bytes.at(-1) === enter && bytes.at(-2) !== escape;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

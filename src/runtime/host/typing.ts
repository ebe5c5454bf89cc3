/**
 * Types into a terminal program as a person would: the text, and the Enter behind it once the program has shown the
 * text. Measured with Codex 0.169.0: characters that arrive at once are a paste to it, and an Enter within the next
 * 120 ms is one more line of that paste, so that the prompt stands there and is never sent.
 */

/** How long after the text was shown Enter is pressed, ms: what Codex needs, and some for a late timer. */
const enterPauseMs = 150;

/** How long the program may take to show the text, ms; one that shows nothing (a password) gets Enter all the same. */
const shownMsMax = 1000;

/** The same for a program that has not shown the text before this one either, ms. */
const shownAgainMsMax = 50;

/** Inputs that wait for those before them. All are typed before their callers give up, after ten seconds. */
const waitingMax = 40;

const enter = 0x0d;
const escape = 0x1b;

export interface Typist {
  /**
   * Resolves when all was written; false when the program has left too much unread. One after the other. `taken` is
   * called once, in the turn in which the program is given the first of it.
   */
  readonly type: (bytes: Buffer, taken: () => void) => Promise<boolean>;
  /** The program has printed something. */
  readonly heard: () => void;
}

export function createTypist(write: (bytes: Buffer) => boolean): Typist {
  let before: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  let isSilent = false;
  let heard = (): void => undefined;

  const typeNow = async (bytes: Buffer, taken: () => void): Promise<boolean> => {
    const pressesEnter = endsWithEnter(bytes);
    if (!write(pressesEnter ? bytes.subarray(0, -1) : bytes)) return false;
    taken();
    if (!pressesEnter) return true;
    isSilent = !(await isShown(isSilent ? shownAgainMsMax : shownMsMax));
    await pause(enterPauseMs);
    return write(bytes.subarray(-1));
  };

  const isShown = async (withinMs: number): Promise<boolean> => {
    const shown = new Promise<true>((resolve) => (heard = () => resolve(true)));
    return Promise.race([shown, pause(withinMs).then(() => false)]);
  };

  return {
    async type(bytes, taken) {
      if (waiting === waitingMax) return false;
      waiting += 1;
      const typed = before.then(() => typeNow(bytes, taken)).finally(() => (waiting -= 1));
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

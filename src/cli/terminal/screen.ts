/**
 * A person's terminal while it shows a session's: raw while it does, and as it was before afterwards, however that
 * ends. What a harness left switched on is switched off again.
 */

import { leavingKeyIn } from "./keyboard.ts";

const escape = "\u001b[";
/** Style, cursor, mouse reports, pasted brackets, focus reports, application keys, keyboard protocols. */
const plainAgain = [
  `${escape}0m`,
  `${escape}?25h`,
  `${escape}?1000l${escape}?1002l${escape}?1003l${escape}?1006l`,
  `${escape}?2004l`,
  `${escape}?1004l`,
  `${escape}?1l\u001b>`,
  `${escape}<u${escape}>4;0m`,
].join("");

const leavingSignals = ["SIGTERM", "SIGHUP"] as const;

export interface ScreenEvents {
  readonly keys: (bytes: Buffer) => void;
  readonly resized: (size: WindowSize) => void;
  readonly detach: () => void;
}

export interface WindowSize {
  readonly columns: number;
  readonly rows: number;
}

export interface Screen {
  readonly size: () => WindowSize;
  readonly write: (bytes: Uint8Array) => void;
  readonly restore: () => void;
}

export function takeScreen({ keys, resized, detach }: ScreenEvents): Screen {
  const { stdin, stdout } = process;
  let isAlternate = false;
  const size = (): WindowSize => ({ columns: stdout.columns, rows: stdout.rows });
  const onResize = (): void => resized(size());
  const onKeys = (bytes: Buffer): void => {
    const at = leavingKeyIn(bytes);
    if (at === undefined) return keys(bytes);
    if (at > 0) keys(bytes.subarray(0, at));
    detach();
  };
  stdin.setRawMode(true);
  stdin.on("data", onKeys);
  stdout.on("resize", onResize);
  // Whoever ends this process, or closes its window, leaves the session too.
  for (const signal of leavingSignals) process.on(signal, detach);
  const restore = (): void => {
    stdin.off("data", onKeys);
    stdout.off("resize", onResize);
    for (const signal of leavingSignals) process.off(signal, detach);
    stdin.setRawMode(false);
    stdin.pause();
    // Only where it is shown: leaving it anywhere else would move the cursor.
    stdout.write((isAlternate ? `${escape}?1049l` : "") + plainAgain);
  };
  return {
    size,
    write: (bytes) => {
      isAlternate = endsAlternate(Buffer.from(bytes).toString("latin1")) ?? isAlternate;
      stdout.write(bytes);
    },
    restore,
  };
}

/** Whether this output leaves the alternate screen shown; undefined when it says nothing of it. */
function endsAlternate(text: string): boolean | undefined {
  const last = [...text.matchAll(/\u001b\[\?(?:1049|1047|47)([hl])/g)].at(-1);
  return last && last[1] === "h";
}

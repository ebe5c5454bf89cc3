/** Keys by name, as the bytes a terminal sends for them (xterm). */
import * as z from "zod";

const named: Readonly<Record<string, string>> = {
  enter: "\r",
  tab: "\t",
  "shift-tab": "\u001b[Z",
  esc: "\u001b",
  space: " ",
  backspace: "\u007f",
  delete: "\u001b[3~",
  up: "\u001b[A",
  down: "\u001b[B",
  right: "\u001b[C",
  left: "\u001b[D",
  home: "\u001b[H",
  end: "\u001b[F",
  "page-up": "\u001b[5~",
  "page-down": "\u001b[6~",
};

export const keyNames = [...Object.keys(named), "ctrl-a … ctrl-z"];

/** Undefined for a name that is no key. */
export function bytesOfKey(name: string): string | undefined {
  const letter = /^ctrl-([a-z])$/.exec(name)?.[1];
  if (letter !== undefined) return String.fromCharCode(letter.charCodeAt(0) - 96);
  return Object.hasOwn(named, name) ? named[name] : undefined;
}

export const keyName = z.string().refine((name) => bytesOfKey(name) !== undefined, {
  error: ({ input }) => `unknown key ${String(input)}; known are ${keyNames.join(", ")}`,
});

import type { HookCommand } from "./harness.ts";

/**
 * As a line for a shell, which both harnesses hand it to. Claude Code could also start it without one, but a version
 * that does not know this would run the command without its arguments.
 */
export const shellLine = ({ command, args }: HookCommand): string => [command, ...args].map(quoted).join(" ");

const quoted = (word: string): string =>
  /^[\w./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;

/**
 * Answers what a TUI asks its terminal, for as long as nobody is at its keys whose terminal would: some harnesses wait
 * for an answer and give up without one. The answers are the published daemon's where it has one; what is not answered
 * here (colours, sizes in pixels, a newer keyboard) is a terminal's right not to know, and harnesses take it so.
 */
import { createQuerySplitter } from "../../text/terminal-queries.ts";

const escape = "\u001b";

/** What follows the escape → the answer. */
const answers: ReadonlyMap<string, string> = new Map([
  // DSR: where the cursor is, whether the terminal is well
  ["[6n", `${escape}[1;1R`],
  ["[?6n", `${escape}[?1;1R`],
  ["[5n", `${escape}[0n`],
  // DA1: what the terminal can do; asked last of several by programs that wait for no other answer then
  ["[c", `${escape}[?62;c`],
  ["[0c", `${escape}[?62;c`],
  // DA2: which terminal it is, and of which version
  ["[>c", `${escape}[>1;10;0c`],
  ["[>0c", `${escape}[>1;10;0c`],
]);

const modeAsked = /^\[(\??\d+)\$p$/;

export interface QueryAnswerer {
  /** What to write back after this much output, empty when nothing was asked. */
  readonly answersTo: (bytes: Buffer) => string;
}

export function createQueryAnswerer(): QueryAnswerer {
  const splitter = createQuerySplitter();
  return { answersTo: (bytes) => splitter.push(bytes).queries.map(answerTo).join("") };
}

function answerTo(query: string): string {
  const mode = modeAsked.exec(query)?.[1];
  // DECRQM: a mode that is not known.
  return mode === undefined ? (answers.get(query) ?? "") : `${escape}[${mode};0$y`;
}

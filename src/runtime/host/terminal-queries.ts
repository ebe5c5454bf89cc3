/**
 * Answers what a TUI asks its terminal at start, for as long as nobody is attached whose terminal would: some
 * harnesses wait for an answer and give up without one. The answers are the published daemon's where it has one.
 */

const escape = "\u001b";

/** What follows the escape → the answer. */
const answers: ReadonlyMap<string, string> = new Map([
  // DSR: where the cursor is, whether the terminal is well
  ["[6n", `${escape}[1;1R`],
  ["[5n", `${escape}[0n`],
  // DA1: what the terminal can do
  ["[c", `${escape}[?62;c`],
  ["[0c", `${escape}[?62;c`],
]);

const asked = /\u001b(\[(?:[56]n|0?c))/g;
/** An end that may become a query with what follows. */
const unfinished = /\u001b(?:\[[056]?)?$/;

export interface QueryAnswerer {
  /** What to write back after this much output, empty when nothing was asked. */
  readonly answersTo: (bytes: Buffer) => string;
}

export function createQueryAnswerer(): QueryAnswerer {
  let carry = "";
  return {
    answersTo(bytes) {
      if (carry === "" && !bytes.includes(0x1b)) return "";
      const text = carry + bytes.toString("latin1");
      carry = unfinished.exec(text.slice(-3))?.[0] ?? "";
      return [...text.matchAll(asked)].map(([, query = ""]) => answers.get(query) ?? "").join("");
    },
  };
}

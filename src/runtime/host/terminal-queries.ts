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

/** The longest query without its escape. */
const queryBytesMax = Math.max(...[...answers.keys()].map((query) => query.length));

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
      const sequences = text.split(escape).slice(1);
      const last = sequences.at(-1);
      carry = last !== undefined && mayBecomeQuery(last) ? escape + last : "";
      return sequences.map(answerTo).join("");
    },
  };
}

function answerTo(sequence: string): string {
  for (const [query, answer] of answers) if (sequence.startsWith(query)) return answer;
  return "";
}

const mayBecomeQuery = (sequence: string): boolean =>
  sequence.length < queryBytesMax &&
  [...answers.keys()].some((query) => query !== sequence && query.startsWith(sequence));

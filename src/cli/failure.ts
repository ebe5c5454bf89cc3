/** What went wrong, on standard error: the code, what happened, and what to do next. Answers the exit code. */
import { Failure, type FailureCode, failures } from "../errors.ts";
import { cleanText } from "../text/clean.ts";
import { inOneLine } from "./text.ts";

/** Candidates and stacks are lines of our own making; any other message may quote what somebody else wrote. */
const inLines: ReadonlySet<FailureCode> = new Set<FailureCode>(["ambiguous_id", "internal_error"]);

export function printFailure(error: unknown, json: boolean): number {
  const { code, message, hint, details } = failureOf(error);
  if (json) process.stderr.write(`${JSON.stringify({ error: { code, message, hint, details } })}\n`);
  else {
    const what = inLines.has(code) ? cleanText(message) : inOneLine(message);
    process.stderr.write(`coven: ${code}: ${what}\n${hint === undefined ? "" : `${inOneLine(hint)}\n`}`);
  }
  return failures[code].exit;
}

function failureOf(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return new Failure("internal_error", what, {
    hint: "This is a bug of the CLI; please report it with this text.",
  });
}

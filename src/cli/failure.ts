/** What went wrong, on standard error: the code, what happened, and what to do next. Answers the exit code. */
import { Failure, failures } from "../errors.ts";

export function printFailure(error: unknown, json: boolean): number {
  const { code, message, hint, details } = failureOf(error);
  if (json) process.stderr.write(`${JSON.stringify({ error: { code, message, hint, details } })}\n`);
  else process.stderr.write(`coven: ${code}: ${message}\n${hint === undefined ? "" : `${hint}\n`}`);
  return failures[code].exit;
}

function failureOf(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return new Failure("internal_error", what, {
    hint: "This is a bug of the CLI; please report it with this text.",
  });
}

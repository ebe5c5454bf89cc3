/**
 * The failure table. A `Failure` is expected: it crosses every surface unchanged, and clients branch on its
 * string `code` only. Anything else that is thrown is a bug and is answered as `internal_error` with a reference.
 *
 * `http` is the status on REST and the error number on JSON-RPC, `exit` the exit code of the CLI, `retry` says
 * whether the same call may succeed later without being changed.
 *
 * The exit codes lie between 64 and 78, near the meanings of sysexits.h, because a verb that waits for a run exits
 * with that run's own code, and agents hardly ever use these: 64 the call is wrong, 65 the session is in the wrong
 * state, 66 there is no such thing, 69 nothing answers, 70 a bug, 71 processes survive, 72 the harness did not start,
 * 76 another contract is spoken, 77 the caller may not, 78 the set-up. `cli/exit-codes.ts` has the ones of its own.
 */
export const failures = {
  invalid_request: { http: 400, exit: 64, retry: false },
  unknown_action: { http: 400, exit: 64, retry: false },
  unsupported_api_version: { http: 404, exit: 76, retry: false },
  unauthenticated: { http: 401, exit: 77, retry: false },
  not_permitted: { http: 403, exit: 77, retry: false },
  limit_exceeded: { http: 429, exit: 77, retry: true },
  not_found: { http: 404, exit: 76, retry: false },
  session_not_found: { http: 404, exit: 66, retry: false },
  harness_not_found: { http: 404, exit: 66, retry: false },
  session_id_conflict: { http: 409, exit: 65, retry: false },
  not_external_session: { http: 422, exit: 65, retry: false },
  external_session_not_killable: { http: 422, exit: 65, retry: false },
  session_not_live: { http: 409, exit: 65, retry: false },
  session_live: { http: 409, exit: 65, retry: false },
  session_archived: { http: 409, exit: 65, retry: false },
  not_resumable: { http: 409, exit: 65, retry: false },
  revive_required: { http: 409, exit: 65, retry: false },
  wake_not_found: { http: 404, exit: 66, retry: false },
  wake_over: { http: 409, exit: 65, retry: false },
  question_gone: { http: 409, exit: 65, retry: false },
  input_not_accepted: { http: 409, exit: 65, retry: false },
  ambiguous_id: { http: 409, exit: 66, retry: false },
  confirmation_required: { http: 400, exit: 64, retry: false },
  worktree_taken: { http: 409, exit: 65, retry: true },
  worktree_not_clean: { http: 409, exit: 65, retry: false },
  git_failed: { http: 500, exit: 69, retry: true },
  terminal_taken: { http: 409, exit: 65, retry: true },
  intent_conflict: { http: 409, exit: 64, retry: false },
  input_too_large: { http: 413, exit: 64, retry: false },
  cast_too_large: { http: 413, exit: 64, retry: false },
  payload_too_large: { http: 413, exit: 64, retry: false },
  internal_error: { http: 500, exit: 70, retry: false },
  launch_failed: { http: 500, exit: 72, retry: false },
  kill_failed: { http: 500, exit: 71, retry: true },
  store_full: { http: 507, exit: 69, retry: true },
  runtime_unavailable: { http: 503, exit: 69, retry: true },
  home_unsafe: { http: 500, exit: 78, retry: false },
  store_unusable: { http: 500, exit: 78, retry: false },
  foreign_daemon: { http: 500, exit: 78, retry: false },
  daemon_running: { http: 409, exit: 78, retry: false },
  address_unavailable: { http: 500, exit: 78, retry: false },
  wrong_node: { http: 500, exit: 78, retry: false },
} as const;

export type FailureCode = keyof typeof failures;

export interface FailureOptions {
  /** What the caller can do next, one sentence. */
  readonly hint?: string;
  /** Values a program can branch on; travels as `details` on REST. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/**
 * Longest text in a failure, characters: what a caller sent is named there, an id of 16 KB whole, and is not sent back or
 * logged by the megabyte.
 */
const textCharactersMax = 17_000;
/** How many steps into its details a program branches. */
const detailLevelsMax = 6;

/** As much of what a caller sent as is repeated to anybody. */
export const shown = (text: string): string =>
  // No half of a character is left at the end.
  text.length <= textCharactersMax
    ? text
    : `${text.slice(0, textCharactersMax).replace(/[\ud800-\udbff]$/, "")}…`;

/** Lists and records keep their form; of what is nested deeper than any of ours, nothing is told. */
export function shownWithin(value: unknown, levels = detailLevelsMax): unknown {
  if (typeof value === "string") return shown(value);
  if (typeof value !== "object" || value === null) return value;
  if (levels === 0) return "…";
  if (Array.isArray(value)) return value.map((each) => shownWithin(each, levels - 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [name, shownWithin(each, levels - 1)]),
  );
}

/** An expected failure. The message says what happened, with the value that was wrong. */
export class Failure extends Error {
  readonly code: FailureCode;
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(code: FailureCode, message: string, options: FailureOptions = {}) {
    super(shown(message), { cause: options.cause });
    this.name = "Failure";
    this.code = code;
    this.hint = options.hint === undefined ? undefined : shown(options.hint);
    this.details =
      options.details &&
      Object.fromEntries(Object.entries(options.details).map(([name, value]) => [name, shownWithin(value)]));
  }
}

export const isFailureCode = (code: unknown): code is FailureCode =>
  typeof code === "string" && Object.hasOwn(failures, code);

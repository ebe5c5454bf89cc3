/**
 * What the CLI exits with. A verb that waits for a session exits as its run did, so that `if coven watch …` means
 * what it says; where the run has no exit code of its own, the code says why. Failures have theirs in `errors.ts`.
 *
 * | code | meaning |
 * |---|---|
 * | 0 | done; of a watched session: `completed`, or `idle` |
 * | 1–255 | a watched session `failed`: the exit code of its run |
 * | 128 + n | a watched session was ended by signal n, not by Coven |
 * | 1 | of several watched sessions at least one did not end well; a check of doctor failed, or config.json is wrong |
 * | 3 | `daemon status`: no daemon is running |
 * | 66 | there is no such session, or it was sacrificed while it was watched |
 * | 72 | the harness could not be launched |
 * | 73 | the session was killed |
 * | 74 | the session is orphaned: its host is gone, or the daemon was stopped |
 * | 75 | `--timeout` is over and the session goes on |
 * | 130 | ctrl-c while following; the session goes on |
 */
import { constants } from "node:os";
import { failures } from "../errors.ts";

export const exitCodes = {
  done: 0,
  notAllWell: 1,
  daemonStopped: 3,
  gone: failures.session_not_found.exit,
  launchFailed: failures.launch_failed.exit,
  killed: 73,
  orphaned: 74,
  waiting: 75,
  interrupted: 130,
} as const;

export interface Standing {
  readonly status: string;
  readonly exitCode?: number | null | undefined;
  readonly signal?: string | undefined;
}

/** The exit code that stands for how a session stands. */
export function exitCodeOf({ status, exitCode, signal }: Standing): number {
  switch (status) {
    case "completed":
    case "idle":
      return exitCode ?? exitCodes.done;
    case "failed":
      return exitCode ?? signalCode(signal) ?? exitCodes.launchFailed;
    case "killed":
      return exitCodes.killed;
    case "orphaned":
      return exitCodes.orphaned;
    case "gone":
      return exitCodes.gone;
    default:
      return exitCodes.waiting;
  }
}

function signalCode(signal: string | undefined): number | undefined {
  if (signal === undefined) return undefined;
  const number = Object.entries(constants.signals).find(([name]) => name === signal)?.[1];
  return 128 + (number ?? 0);
}

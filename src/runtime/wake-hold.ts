/** Why the queue of an ended session stands still until somebody says otherwise: what was lost is not gone on with by accident. */
import type { RunRecord } from "../store/runs.ts";
import type { SessionRecord } from "../store/sessions.ts";
import type { WakeRecord } from "../store/wakes.ts";

export type Hold = "run_failed" | "revive_required";

/** `run`: the one that it ended with. Undefined where the queue goes on by itself. */
export function holdOf(
  session: SessionRecord,
  run: RunRecord | undefined,
  queue: readonly WakeRecord[],
): Hold | undefined {
  const isReleased = queue.some(({ releases_run }) => releases_run !== null && releases_run === run?.id);
  switch (session.status) {
    case "failed":
      return isReleased ? undefined : "run_failed";
    case "killed":
    case "orphaned":
      // Whoever asked so meant it whenever the session is lost: that may not have been seen yet.
      return queue.some(({ revive }) => revive) ? undefined : "revive_required";
    case "created":
    case "running":
    case "idle":
    case "completed":
      return undefined;
  }
}

/** Waiting on while the daemon is away: it may be restarted or upgraded while its sessions go on. */
import { setTimeout as pause } from "node:timers/promises";
import { Failure } from "../errors.ts";

/** How long a daemon may be away before waiting is given up, ms: many times what a restart takes. */
const awayMsMax = 30_000;
const pauseMsMin = 20;
const pauseMsMax = 500;
/** An attempt that lasted longer than this had reached the daemon, ms. */
const reachedMs = 2000;

/** Tries until it succeeds or fails for another reason than a missing daemon. */
export async function throughRestarts<T>(attempt: () => Promise<T>): Promise<T> {
  let awaySince = performance.now();
  for (let pauseMs = pauseMsMin; ; pauseMs = Math.min(pauseMs * 1.5, pauseMsMax)) {
    const startedAt = performance.now();
    try {
      return await attempt();
    } catch (error) {
      if (!isAway(error)) throw error;
      const now = performance.now();
      if (now - startedAt > reachedMs) awaySince = now;
      if (now - awaySince > awayMsMax) throw error;
      await pause(pauseMs);
    }
  }
}

export const isAway = (error: unknown): boolean =>
  error instanceof Failure && error.code === "runtime_unavailable";

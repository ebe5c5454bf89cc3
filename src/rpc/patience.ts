/** Waiting on while the daemon is away: it may be restarted or upgraded while its sessions go on. */
import { setTimeout as pause } from "node:timers/promises";
import { Failure } from "../errors.ts";

/** How long a daemon may be away before waiting is given up, ms: many times what a restart takes. */
export const awayMsMax = 30_000;
/** How long it may be away before a person is told, ms: a restart is quicker, and nothing to be said about. */
const quietMsMax = 1000;
const pauseMsMin = 20;
const pauseMsMax = 500;
/** An attempt that lasted longer than this had reached the daemon, ms. */
const reachedMs = 2000;

/** Somebody in front of what waits. */
export interface Waiting {
  /** Aborted when they have seen enough: waiting ends at once. */
  readonly leaving?: AbortSignal;
  /** Told once when the daemon stays away. */
  readonly away?: () => void;
  /** How long it may be away, ms; `awayMsMax` unless given. */
  readonly awayMsMax?: number;
}

/** Tries until it succeeds, fails for another reason than a missing daemon, or nobody waits any more. */
export async function throughRestarts<T>(attempt: () => Promise<T>, waiting: Waiting = {}): Promise<T> {
  const { leaving, away, awayMsMax: limitMs = awayMsMax } = waiting;
  let awaySince = performance.now();
  let isTold = false;
  for (let pauseMs = pauseMsMin; ; pauseMs = Math.min(pauseMs * 1.5, pauseMsMax)) {
    leaving?.throwIfAborted();
    const startedAt = performance.now();
    try {
      return await attempt();
    } catch (error) {
      leaving?.throwIfAborted();
      if (!isAway(error)) throw error;
      const now = performance.now();
      if (now - startedAt > reachedMs) awaySince = now;
      if (now - awaySince > limitMs) throw error;
      if (!isTold && now - awaySince > quietMsMax) {
        isTold = true;
        away?.();
      }
      await pause(pauseMs, undefined, signalOf(waiting));
    }
  }
}

/** For a call that is given up when they leave. */
export const signalOf = ({ leaving }: Waiting): { signal?: AbortSignal } =>
  leaving === undefined ? {} : { signal: leaving };

export const isAway = (error: unknown): boolean =>
  error instanceof Failure && error.code === "runtime_unavailable";

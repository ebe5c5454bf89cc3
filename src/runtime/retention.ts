/**
 * How much of the log is kept. By age and by size the oldest ended sessions lose what they printed and said, in
 * transactions so short that nobody waits for them: once when the daemon has begun to serve, and every hour.
 */
import { setTimeout as pause } from "node:timers/promises";
import { Failure } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Store } from "../store/store.ts";

const everyMs = 60 * 60 * 1000;

/** Pause after each transaction, ms: as long as one may take, so that others write for half of the time. */
const pauseMs = 5;

export interface Bounds {
  /** Null keeps a log whatever its age, ms. */
  readonly maxAgeMs: number | null;
  /** Null keeps them whatever their size, bytes of the ledger. */
  readonly maxBytes: number | null;
}

export interface Pruned {
  readonly sessions: number;
  readonly events: number;
  readonly bytes: number;
  /** Bytes of the ledger in use when it was done. */
  readonly usedBytes: number;
}

export interface PruneOptions {
  /** Only says what would be removed. */
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
}

export interface RetentionOptions {
  readonly store: Store;
  readonly log: Log;
  /** What holds now where a caller says nothing else. Throws where that is not certain. */
  readonly bounds: () => Bounds;
  /** Hears of each session whose log is pruned. */
  readonly pruned: (session: string) => Promise<void>;
}

export class Retention {
  readonly #options: RetentionOptions;
  readonly #closing = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: RetentionOptions) {
    this.#options = options;
  }

  /** Prunes now and every hour. */
  start(): void {
    this.#timer = setInterval(() => void this.#pruneByItself(), everyMs).unref();
    void this.#pruneByItself();
  }

  /** Resolves when nothing is being removed any more. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#closing.abort();
    await this.#last;
  }

  /** One after the other: a second one would find what the first is about to remove. */
  async prune({ maxAgeMs, maxBytes }: Partial<Bounds>, { dryRun, signal }: PruneOptions): Promise<Pruned> {
    const isSaid = maxAgeMs !== undefined && maxBytes !== undefined;
    const usual = isSaid ? { maxAgeMs, maxBytes } : this.#options.bounds();
    const bounds = {
      maxAgeMs: maxAgeMs === undefined ? usual.maxAgeMs : maxAgeMs,
      maxBytes: maxBytes === undefined ? usual.maxBytes : maxBytes,
    };
    const leaving = AbortSignal.any([signal, this.#closing.signal]);
    const pruning = this.#last.then(() => this.#prune(bounds, { dryRun, signal: leaving }));
    this.#last = pruning.catch(() => undefined); // told to whoever asked
    return pruning;
  }

  async #pruneByItself(): Promise<void> {
    const { log } = this.#options;
    try {
      const pruned = await this.prune({}, { dryRun: false, signal: this.#closing.signal });
      if (pruned.sessions > 0) log.info(pruned, "old logs pruned");
    } catch (err) {
      if (this.#closing.signal.aborted) return;
      log.error({ err }, "old logs could not be pruned; tried again in an hour");
    }
  }

  async #prune({ maxAgeMs, maxBytes }: Bounds, { dryRun, signal }: PruneOptions): Promise<Pruned> {
    const { pruning } = this.#options.store;
    const total = { sessions: 0, events: 0, bytes: 0 };
    const oldest = maxAgeMs === null ? "" : new Date(Date.now() - maxAgeMs).toISOString();
    const used = pruning.usedBytes();
    for (const { id, last_activity_at } of pruning.ended()) {
      const isTooMuch = maxBytes !== null && (dryRun ? used - total.bytes : pruning.usedBytes()) > maxBytes;
      if (signal.aborted || (last_activity_at >= oldest && !isTooMuch)) break;
      const { events, bytes } = dryRun ? pruning.weigh(id) : await this.#remove(id, signal);
      // One session's rows may be many to look at: whoever else waits goes first.
      await new Promise(setImmediate);
      if (events === 0) continue;
      total.sessions += 1;
      total.events += events;
      total.bytes += bytes;
    }
    // What was cut off is not done, and must not be remembered as done.
    if (signal.aborted) throw cutOff();
    return { ...total, usedBytes: pruning.usedBytes() };
  }

  async #remove(session: string, signal: AbortSignal): Promise<{ events: number; bytes: number }> {
    const { pruning, writeWhenFree } = this.#options.store;
    const total = { events: 0, bytes: 0 };
    while (!signal.aborted) {
      const { events, bytes } = await writeWhenFree(() => pruning.removeSome(session));
      if (events === 0) break;
      total.events += events;
      total.bytes += bytes;
      await pause(pauseMs);
    }
    if (total.events > 0) await this.#options.pruned(session);
    return total;
  }
}

const cutOff = (): Failure =>
  new Failure("runtime_unavailable", "the pruning was cut off before its end", {
    hint: "Prune again: what was removed stays removed.",
  });

/**
 * The host's way into the log: what its runs print and how they end, written in the order it happened.
 *
 * Entries queue up and are committed in short transactions, a few milliseconds after the first of them; the daemon is
 * told only after the commit. While the store is held by the other writer nothing waits on it: the entries stay
 * queued, the harnesses that print are slowed down, and the commit is tried again.
 */
import type { Log } from "../../log.ts";
import { isTransient } from "../../store/database.ts";
import type { Store } from "../../store/store.ts";

/** Most that one transaction writes, bytes: the daemon waits for it. */
const transactionBytesMax = 256 * 1024;
/** Queued bytes at which output is worth a commit at once. */
const eagerBytes = 64 * 1024;
/** How long output may wait for more of it, ms: a watcher hears of it within a blink, a flood shares commits. */
const gatherMs = 4;
/** Pause before a commit that failed is tried again, ms: doubled each time, since a full disk stays full for long. */
const retryMsMin = 20;
const retryMsMax = 1000;
/** Queued bytes above which a harness is not read from, and below which it is again. */
const pauseAboveBytes = 1024 * 1024;
const resumeBelowBytes = 256 * 1024;

export interface Entry {
  readonly sessionId: string;
  readonly bytes: number;
  readonly write: () => void;
}

export interface JournalListener {
  readonly grown: (seq: number, sessions: string[]) => void;
  /** The queue is too long, or short again. */
  readonly pressure: (isHigh: boolean) => void;
}

export class Journal {
  readonly #store: Store;
  readonly #log: Log;
  readonly #listener: JournalListener;
  #queue: Entry[] = [];
  #queuedBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #lastCommitAt = 0;
  #isPressed = false;
  #retryMs = retryMsMin;
  #settled: (() => void)[] = [];

  constructor(store: Store, log: Log, listener: JournalListener) {
    this.#store = store;
    this.#log = log;
    this.#listener = listener;
  }

  /** Queues an entry. Output waits a moment for more of it. */
  add(entry: Entry): void {
    this.#queue.push(entry);
    this.#queuedBytes += entry.bytes;
    if (this.#queuedBytes > pauseAboveBytes) this.#press(true);
    if (this.#queuedBytes >= eagerBytes) this.#commitSoon(0);
    else this.#commitSoon(Math.max(0, this.#lastCommitAt + gatherMs - performance.now()));
  }

  /** Resolves when everything queued so far is committed. */
  settled(): Promise<void> {
    if (this.#queue.length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#settled.push(resolve);
      this.#commit();
    });
  }

  #commitSoon(delayMs: number): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.#commit(), delayMs);
  }

  #commit(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#queue.length > 0) {
      const batch = this.#nextBatch();
      const done = this.#queue.splice(0, this.#write(batch));
      for (const entry of done) this.#queuedBytes -= entry.bytes;
      if (done.length > 0) {
        this.#listener.grown(this.#store.events.lastSeq(), [
          ...new Set(done.map((entry) => entry.sessionId)),
        ]);
        this.#retryMs = retryMsMin;
      }
      if (done.length === 0) {
        this.#timer = setTimeout(() => this.#commit(), this.#retryMs);
        this.#retryMs = Math.min(this.#retryMs * 2, retryMsMax);
        return;
      }
    }
    this.#lastCommitAt = performance.now();
    if (this.#queuedBytes < resumeBelowBytes) this.#press(false);
    for (const resolve of this.#settled.splice(0)) resolve();
  }

  /** Answers how many of the batch are dealt with: none when the store takes nothing now. */
  #write(batch: readonly Entry[]): number {
    try {
      this.#store.write(() => {
        for (const entry of batch) entry.write();
      });
      return batch.length;
    } catch (err) {
      if (isTransient(err)) {
        this.#log.warn({ err, queued: this.#queue.length }, "the log could not be written; trying again");
        return 0;
      }
      const [first] = batch;
      if (batch.length > 1 && first !== undefined) return this.#write([first]);
      // One entry that can never be written must not hold up all that follow.
      this.#log.error({ err, session: first?.sessionId }, "an entry was refused by the store and is lost");
      return 1;
    }
  }

  #nextBatch(): Entry[] {
    let bytes = 0;
    const end = this.#queue.findIndex((entry, index) => {
      bytes += entry.bytes;
      return index > 0 && bytes > transactionBytesMax;
    });
    return end < 0 ? this.#queue.slice() : this.#queue.slice(0, end);
  }

  #press(isHigh: boolean): void {
    if (this.#isPressed === isHigh) return;
    this.#isPressed = isHigh;
    this.#listener.pressure(isHigh);
  }
}

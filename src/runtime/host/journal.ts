/**
 * The host's way into the log: what its runs print and how they end, written in the order it happened.
 *
 * Entries queue up and are committed in short transactions, a few milliseconds after the first of them; the daemon is
 * told only after the commit. While the store is held by another writer nothing waits on it: the entries stay
 * queued, the harnesses that print are slowed down, and the commit is tried again.
 *
 * On a full disk harnesses are not read at all. The reserve is given up only for an ending, and what was queued before
 * it; harnesses are read again once the reserve stands again and there is room beside it.
 */
import type { Log } from "../../log.ts";
import { refusalOf } from "../../store/database.ts";
import type { Store } from "../../store/store.ts";
import type { StoreState } from "./protocol.ts";
import type { Reserve } from "./reserve.ts";

/** Most that one transaction writes, bytes: the daemon waits for it. */
const transactionBytesMax = 256 * 1024;
/** Queued bytes at which output is worth a commit at once. */
const eagerBytes = 64 * 1024;
/** How long output may wait for more of it, ms: a watcher hears of it within a blink, a flood shares commits. */
const gatherMs = 4;
/** Pause before a commit that failed is tried again, ms: doubled each time. */
const retryMsMin = 20;
/** A writer that holds the store lets go any moment; a full disk stays full for long. */
const retryMsMax = { held: 100, full: 1000 } as const;
/** Queued bytes above which a harness is not read from, and below which it is again. */
const pauseAboveBytes = 1024 * 1024;
const resumeBelowBytes = 256 * 1024;

export interface Entry {
  readonly sessionId: string;
  /** Grows by `extend` only. */
  bytes: number;
  readonly write: () => void;
  /** An ending is written even on a full disk, from the room that is reserved for it. */
  readonly isEnding?: true;
}

export interface JournalListener {
  readonly grown: (seq: number, sessions: string[]) => void;
  /** Harnesses are not to be read from, or may be again. */
  readonly pressure: (isHigh: boolean) => void;
  readonly storeChanged: () => void;
}

export class Journal {
  readonly #store: Store;
  readonly #log: Log;
  readonly #listener: JournalListener;
  readonly #reserve: Reserve;
  #queue: Entry[] = [];
  #queuedBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #lastCommitAt = 0;
  #state: StoreState = "ok";
  #isBehind = false;
  #isPressed = false;
  /** Set while the store takes nothing: the pause before the next try, ms. */
  #retryMs: number | undefined;
  #settled: (() => void)[] = [];

  constructor(store: Store, log: Log, reserve: Reserve, listener: JournalListener) {
    this.#store = store;
    this.#log = log;
    this.#reserve = reserve;
    this.#listener = listener;
  }

  get state(): StoreState {
    return this.#state;
  }

  /** Whether the store is so far behind that nothing more should be queued that can be refused. */
  get isPressed(): boolean {
    return this.#isPressed;
  }

  /** Queues an entry. Output waits a moment for more of it. */
  add(entry: Entry): void {
    this.#queue.push(entry);
    this.#grow(entry, entry.bytes);
  }

  /** Says that an entry that was not written yet has become so much longer. */
  extend(entry: Entry, bytes: number): void {
    entry.bytes += bytes;
    this.#grow(entry, bytes);
  }

  #grow(entry: Entry, bytes: number): void {
    this.#queuedBytes += bytes;
    if (this.#queuedBytes > pauseAboveBytes) this.#isBehind = true;
    this.#press();
    if (entry.isEnding === true && this.#state === "store_full") this.#commitNow();
    else if (this.#queuedBytes >= eagerBytes) this.#commitSoon(0);
    else this.#commitSoon(Math.max(0, this.#lastCommitAt + gatherMs - performance.now()));
  }

  /** Resolves when everything queued so far is committed. */
  settled(): Promise<void> {
    if (this.#queue.length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#settled.push(resolve);
      if (this.#retryMs === undefined) this.#commitNow();
    });
  }

  /** The same, but not for longer than this: what must be answered does not wait for a store that takes nothing. */
  async settledWithin(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
    await Promise.race([this.settled(), late]);
    clearTimeout(timer);
  }

  /** Makes the reserve where it is missing. Until there is room for it the store counts as full. */
  keepRoom(): void {
    if (this.#reserve.stand()) return this.#enter("ok");
    this.#enter("store_full");
    this.#tryLater();
  }

  #commitSoon(delayMs: number): void {
    this.#timer ??= setTimeout(() => this.#commitNow(), delayMs);
  }

  #commitNow(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#queue.length > 0) {
      const done = this.#queue.splice(0, this.#write(this.#nextBatch()));
      if (done.length === 0) return this.#tryLater();
      this.#retryMs = undefined;
      for (const entry of done) this.#queuedBytes -= entry.bytes;
      this.#listener.grown(this.#store.events.lastSeq(), [...new Set(done.map((entry) => entry.sessionId))]);
    }
    this.#lastCommitAt = performance.now();
    if (this.#queuedBytes < resumeBelowBytes) this.#isBehind = false;
    if (this.#state === "store_full") this.keepRoom();
    this.#press();
    for (const resolve of this.#settled.splice(0)) resolve();
  }

  #tryLater(): void {
    const longest = this.#state === "store_full" ? retryMsMax.full : retryMsMax.held;
    this.#retryMs = Math.min((this.#retryMs ?? retryMsMin / 2) * 2, longest);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#commitNow(), this.#retryMs);
  }

  /** Answers how many of the batch are dealt with: none when the store takes nothing now. */
  #write(batch: readonly Entry[]): number {
    try {
      this.#store.write(() => {
        for (const entry of batch) entry.write();
      });
      return batch.length;
    } catch (err) {
      const refusal = refusalOf(err);
      // A disk without room gives other errors, too.
      if (refusal === "full" || (refusal !== undefined && !this.#reserve.hasRoomBeside())) {
        this.#enter("store_full", err);
        const isWanted = this.#queue.some(({ isEnding }) => isEnding === true);
        return isWanted && this.#reserve.giveUp() ? this.#write(batch) : 0;
      }
      if (refusal !== undefined) {
        if (this.#retryMs === undefined)
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

  #enter(state: StoreState, err?: unknown): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#retryMs = undefined;
    if (state === "ok") this.#log.info("there is room in the store again");
    else this.#log.error({ err, code: state }, "the disk is full; harnesses are paused until there is room");
    this.#press();
    this.#listener.storeChanged();
  }

  #press(): void {
    const isHigh = this.#isBehind || this.#state === "store_full";
    if (this.#isPressed === isHigh) return;
    this.#isPressed = isHigh;
    this.#listener.pressure(isHigh);
  }
}

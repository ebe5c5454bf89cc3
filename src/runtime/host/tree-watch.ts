/**
 * Watches the process trees of all live runs, so that what loses every trace later is known by then: one look now and
 * then serves all of them. While no run lives nothing is looked at.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { ProcessIdentity, ProcessInfo } from "./process-info.ts";
import { findTree, leftBehind, type RunRoot } from "./process-tree.ts";
import { createLookout, type Look, stillLiving } from "./processes.ts";

/** After a launch, ms: a harness starts most of what it starts soon. Each pause is twice the one before. */
const lookMsMin = 50;
/** Between two looks at runs that have been there for long, ms. With 200 live runs a look takes 5 ms, their trees 8 more. */
const lookMsMax = 2000;
/** On a machine full of processes a look is rarer: it may take one part in so many of a processor's time. */
const costShare = 50;

/** How long what a run seems to have left may take to go with its terminal, ms, before it counts as left behind. */
const goneWithinMs = 20;

export class TreeWatch {
  readonly #lookAround = createLookout();
  readonly #trees = new Map<string, RunRoot>();
  #timer: NodeJS.Timeout | undefined;
  #pauseMs = lookMsMin;
  #dueAt = 0;

  add(root: RunRoot): void {
    this.#trees.set(root.runId, root);
    this.#pauseMs = lookMsMin;
    // One launch after the other must not put the look off for ever.
    if (this.#timer === undefined || this.#dueAt > performance.now() + lookMsMin) this.#lookIn(lookMsMin);
  }

  remove(runId: string): void {
    this.#trees.delete(runId);
    if (this.#trees.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** The run's process and what was seen of its tree, for whoever looks next. Undefined for a run that is not watched. */
  root(runId: string): RunRoot | undefined {
    return this.#trees.get(runId);
  }

  /** What a run whose process has ended by itself left running. At once where there is nothing. */
  async leftBehind(runId: string): Promise<readonly ProcessInfo[]> {
    const root = this.#trees.get(runId);
    if (root === undefined) return [];
    const known = findTree(root, this.#lookAround()).filter(({ pid }) => pid !== root.pid);
    if (known.length === 0) return [];
    const until = performance.now() + goneWithinMs;
    while (performance.now() < until && stillLiving(known).length > 0) await pause(2);
    return stillLiving(known).length === 0 ? [] : leftBehind({ ...root, known });
  }

  #lookIn(ms: number): void {
    clearTimeout(this.#timer);
    this.#dueAt = performance.now() + ms;
    this.#timer = setTimeout(() => void this.#look(), ms);
  }

  /** The trees are worked out one a turn, so that hundreds of them hold up no output. */
  async #look(): Promise<void> {
    const cost = createCost();
    const look = cost.of(() => this.#tryToLook());
    if (look === undefined) return this.#lookIn(lookMsMax);
    for (const [runId, root] of [...this.#trees]) {
      if (this.#trees.get(runId) !== root) continue;
      const known = cost.of(() => findTree(root, look).map(identityOf));
      this.#trees.set(runId, { ...root, known });
      await new Promise(setImmediate);
    }
    if (this.#trees.size === 0) return;
    this.#pauseMs = Math.min(this.#pauseMs * 2, lookMsMax);
    this.#lookIn(Math.max(this.#pauseMs, cost.ms() * costShare));
  }

  /** One look that fails, for want of processes to run `ps` in, say, must not be the last. */
  #tryToLook(): Look | undefined {
    try {
      return this.#lookAround();
    } catch {
      return undefined;
    }
  }
}

/** In time of the processor: by the clock a busy machine would make looks rare, when most is started. */
function createCost() {
  let microseconds = 0;
  return {
    of: <T>(work: () => T): T => {
      const before = process.cpuUsage();
      const result = work();
      const { user, system } = process.cpuUsage(before);
      microseconds += user + system;
      return result;
    },
    ms: () => microseconds / 1000,
  };
}

const identityOf = ({ pid, startTime }: ProcessIdentity): ProcessIdentity => ({ pid, startTime });

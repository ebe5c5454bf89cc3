/**
 * Ends every process of a run: freeze, ask, force, look again.
 *
 * - Frozen first (SIGSTOP until two looks in a row find nothing that moves), so that nothing forks away between look and
 *   signal.
 * - Asked with SIGTERM, which waits in the frozen process until SIGCONT. A session leader at a terminal that stands after
 *   half of the grace is also sent SIGHUP: interactive shells ignore SIGTERM, but end, with their jobs, when their
 *   terminal goes. Not at once, because of two pending signals the lower number is delivered first, and SIGHUP would kill
 *   a program that was about to tidy up on SIGTERM.
 * - What the asked start meanwhile is theirs to wait for; it is asked itself once they are gone.
 * - Forced after the grace: frozen again, then SIGKILL, until two looks in a row find nothing.
 *
 * A process is signalled only while it is the one that was found, by pid and start time. What may not be signalled is
 * waited for and then named, as is whatever stands at the deadline. A zombie has ended.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { ProcessIdentity, ProcessInfo } from "./process-info.ts";
import { findTree, type RunRoot } from "./process-tree.ts";
import { described, stillLiving } from "./processes.ts";

export interface EndTreeOptions {
  /** How long the asked may take. Cut short where the deadline would leave no time to force. */
  readonly graceMs: number;
  /** When the answer is due at the latest, counted from the call. */
  readonly deadlineMs: number;
}

/** What still moves by then forks faster than it can be stopped, or waits in the kernel: go on regardless. */
const freezeMsMax = 150;
/** Kept before the deadline for SIGKILL and the looks after it. */
const forceMsMin = 1_000;
/** Between two checks whether the asked have ended. A quick end is noticed quickly, a slow one costs little. */
const pauseMsMin = 2;
const pauseMsMax = 50;
/** SIGKILL takes hold at once unless the kernel holds a process back; the others must not wait for that one. */
const forceRoundMsMax = 250;

export const endTree = async (
  root: RunRoot,
  { graceMs, deadlineMs }: EndTreeOptions,
): Promise<{ readonly survivors: readonly ProcessInfo[] }> => {
  const deadline = performance.now() + deadlineMs;
  const tree = new EndingTree(root);
  tree.ask(await freeze(tree, deadline));
  await letTheAskedEnd(tree, Math.min(performance.now() + graceMs, deadline - forceMsMin));
  for (;;) {
    const left = await lookTwice(tree);
    if (!left.some(tree.maySignal) || performance.now() >= deadline) {
      return { survivors: left.map(described) };
    }
    const found = await freeze(tree, deadline);
    tree.signal(found, "SIGKILL");
    await untilEnded(found, Math.min(performance.now() + forceRoundMsMax, deadline));
  }
};

/** A run's tree while it is being ended: remembers what was ever found, what was asked and what was refused. */
class EndingTree {
  readonly #root: RunRoot;
  readonly #known: Map<string, ProcessIdentity>;
  readonly #asked = new Map<string, ProcessIdentity>();
  readonly #refused = new Set<string>();

  constructor(root: RunRoot) {
    this.#root = root;
    this.#known = new Map((root.known ?? []).map((known) => [key(known), known]));
  }

  readonly look = (): ProcessInfo[] => {
    const found = findTree({ ...this.#root, known: [...this.#known.values()] });
    for (const { pid, startTime } of found) this.#known.set(key({ pid, startTime }), { pid, startTime });
    return found;
  };

  readonly maySignal = (found: ProcessIdentity): boolean => !this.#refused.has(key(found));

  readonly asked = (): ProcessIdentity[] => [...this.#asked.values()];

  ask(found: readonly ProcessInfo[]): void {
    const fresh = found.filter((each) => !this.#asked.has(key(each)));
    for (const each of fresh) this.#asked.set(key(each), each);
    this.signal(fresh, "SIGTERM");
    this.signal(found, "SIGCONT");
  }

  signal(found: readonly ProcessInfo[], signal: NodeJS.Signals): void {
    for (const living of stillLiving(found)) {
      try {
        process.kill(living.pid, signal);
      } catch (error) {
        const code = error instanceof Error && "code" in error ? error.code : undefined;
        if (code === "EPERM") this.#refused.add(key(living));
        else if (code !== "ESRCH") throw error;
      }
    }
  }
}

const key = ({ pid, startTime }: ProcessIdentity): string => `${pid} ${startTime}`;

/** Answers what was found by the last look. */
const freeze = async (tree: EndingTree, deadline: number): Promise<ProcessInfo[]> => {
  const until = Math.min(performance.now() + freezeMsMax, deadline);
  for (let quietLooks = 0; ;) {
    const found = tree.look();
    // A stop can overtake a fork that has begun, so only a process that is seen stopped has no child still to come.
    const moving = found.filter((each) => each.state === "running" && tree.maySignal(each));
    tree.signal(moving, "SIGSTOP");
    quietLooks = moving.length === 0 ? quietLooks + 1 : 0;
    if (quietLooks === 2 || performance.now() >= until) return found;
    await pause(1);
  }
};

const letTheAskedEnd = async (tree: EndingTree, forceAt: number): Promise<void> => {
  const hangUpAt = (performance.now() + forceAt) / 2;
  await untilEnded(tree.asked(), hangUpAt);
  tree.signal(stillLiving(tree.asked()).filter(leadsTerminal), "SIGHUP");
  for (;;) {
    await untilEnded(tree.asked(), forceAt);
    const found = tree.look();
    if (found.length === 0 || performance.now() >= forceAt) return;
    tree.ask(found);
    // What ends before it is waited for must not keep this loop, and with it the host, busy.
    await pause(pauseMsMin);
  }
};

const leadsTerminal = (found: ProcessInfo): boolean => found.sid === found.pid && found.tty !== undefined;

const untilEnded = async (identities: readonly ProcessIdentity[], until: number): Promise<void> => {
  let pauseMs = pauseMsMin;
  while (stillLiving(identities).length > 0) {
    const leftMs = until - performance.now();
    if (leftMs <= 0) return;
    await pause(Math.min(pauseMs, leftMs));
    pauseMs = Math.min(pauseMs * 1.5, pauseMsMax);
  }
};

/** One look can miss a process whose parent ended while it was taken. */
const lookTwice = async (tree: EndingTree): Promise<ProcessInfo[]> => {
  const found = tree.look();
  if (found.some(tree.maySignal)) return found;
  await pause(1);
  return tree.look();
};

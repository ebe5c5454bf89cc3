/**
 * Which processes belong to a run. No single trace is enough: a parent link is lost when the parent ends, `setsid`
 * leaves the group and the session, a cleaned environment loses the run's marker. A process is the run's as long as one
 * trace holds: it is the run's own process or was seen in the tree before; it carries the run's id; its parent, the
 * leader of its group or session, or the owner of its terminal belongs to the run.
 *
 * Always true: a pid counts only with its start time; a group or session counts only while no process outside the tree
 * leads it; our own process, its group, session and terminal, and pid 1 are never in it. What another user owns (sudo)
 * is: it cannot be signalled, but it can be named.
 *
 * Not found: what lost every trace before it was ever seen. So look while the run lives, and hand what was found to the
 * next look as `known`. `known` must be the last look's answer, not a history: the numbers of the dead are used again.
 */
import type { ProcessIdentity, ProcessInfo } from "./process-info.ts";
import { described, isSame, lookAround, type Look } from "./processes.ts";

export interface RunRoot extends ProcessIdentity {
  readonly runId: string;
  /** What the last look found. Counts unless it carries the id of another run, as a daemon that an agent started does. */
  readonly known?: readonly ProcessIdentity[];
}

/** The living processes of the run. */
export const findTree = (root: RunRoot, look: Look = lookAround()): ProcessInfo[] =>
  [...membersOf(root, look)].filter(({ state }) => state !== "zombie");

/** What a run that has ended by itself left running. */
export const leftBehind = (root: RunRoot, look: Look = lookAround()): ProcessInfo[] =>
  findTree(root, look)
    .filter((found) => !isSame(found, root))
    .map(described);

/** Zombies are members too: while they last, they hold the tree's links and groups together. */
const membersOf = (root: RunRoot, { processes, runIds }: Look): ReadonlySet<ProcessInfo> => {
  const byPid = new Map(processes.map((found) => [found.pid, found]));
  const ourselves = byPid.get(process.pid);
  const recorded = new Map([...(root.known ?? []), root].map(({ pid, startTime }) => [pid, startTime]));

  const members = new Set<ProcessInfo>();
  const parents = new Set<number>();
  // The number of a group or session is its first leader's pid, and stays taken while anyone is left in it.
  const groups = new Set(recorded.keys());
  const sessions = new Set(recorded.keys());
  const terminals = new Set<string>();

  const isLedFromOutside = (id: number): boolean => {
    const leader = byPid.get(id);
    return leader !== undefined && !members.has(leader);
  };
  const wasRecorded = (found: ProcessInfo): boolean =>
    recorded.get(found.pid) === found.startTime &&
    (found.pid === root.pid || (runIds.get(found.pid) ?? root.runId) === root.runId);
  const belongs = (found: ProcessInfo): boolean =>
    wasRecorded(found) ||
    runIds.get(found.pid) === root.runId ||
    parents.has(found.ppid) ||
    (groups.has(found.pgid) && found.pgid !== ourselves?.pgid && !isLedFromOutside(found.pgid)) ||
    (found.sid !== undefined &&
      sessions.has(found.sid) &&
      found.sid !== ourselves?.sid &&
      !isLedFromOutside(found.sid)) ||
    (found.tty !== undefined && terminals.has(found.tty) && found.tty !== ourselves?.tty);

  let candidates = processes.filter(({ pid }) => pid !== process.pid && pid !== 1);
  for (let grew = true; grew;) {
    const before = members.size;
    candidates = candidates.filter((found) => {
      if (!belongs(found)) return true;
      members.add(found);
      parents.add(found.pid);
      groups.add(found.pgid);
      if (found.sid !== undefined) sessions.add(found.sid);
      // Only a session leader owns its terminal; any other may merely sit at one.
      if (found.sid === found.pid && found.tty !== undefined) terminals.add(found.tty);
      return false;
    });
    grew = members.size > before;
  }
  return members;
};

/**
 * Sessions that wake themselves or each other without end. Every wake that a run asks for is one step further than the
 * one that led to that run; one that the owner asks for begins anew.
 */
import { Failure } from "../errors.ts";
import type { RunRecord } from "../store/runs.ts";
import type { Store } from "../store/store.ts";
import type { LaunchLimits } from "./lineage.ts";

/** Sessions named of a chain: those of a ring are the same few. */
const namedMax = 10;
/** Steps looked back for them. */
const stepsMax = 50;

export interface ChainLink {
  /** Who is to be woken. */
  readonly session: string;
  /** Who asks; undefined for the owner. */
  readonly asker: RunRecord | undefined;
  readonly chain: number;
}

/** Throws `limit_exceeded` naming the sessions that have woken each other. */
export function requireEndOfChain(store: Store, { wakeChain }: LaunchLimits, link: ChainLink): void {
  const { session, asker, chain } = link;
  if (asker === undefined || chain <= wakeChain) return;
  const ring = [...new Set([session, ...wakersOf(store, asker)])].slice(0, namedMax);
  const who =
    ring.length === 1
      ? `session ${session} has woken itself`
      : `sessions ${ring.join(", ")} have woken each other`;
  throw new Failure("limit_exceeded", `${who} ${chain - 1} times in a row, and may ${wakeChain} times`, {
    hint: "A wake by the owner begins a new chain. The owner sets limits.wakeChain in config.json.",
    details: { limit: "limits.wakeChain", value: wakeChain, sessions: ring },
  });
}

function wakersOf({ runs, wakes }: Store, asker: RunRecord): string[] {
  const found: string[] = [];
  let run: RunRecord | undefined = asker;
  for (let step = 0; run !== undefined && step < stepsMax; step += 1) {
    found.push(run.session_id);
    const wake = wakes.ofRun(run.id).at(-1);
    run = wake?.from_session == null ? undefined : runs.before(wake.from_session, wake.created_at);
  }
  return found;
}

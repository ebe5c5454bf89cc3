/**
 * Waiting for sessions: one wait over many of them, answered when enough of them meet the condition.
 *
 * With a cursor the wait is for the first event after it that qualifies; without one it is for the state as it is, or
 * for output from now on. Listening begins before the first look, so that nothing falls between. A wait that runs out
 * of time answers `waiting` with a cursor from which the same wait goes on: it is never a sign that a session ended.
 */
import { Failure } from "../errors.ts";
import { type EventRecord, type SessionStatus, eventPayloads, isLive, sessionStatuses } from "../events.ts";
import type { Store } from "../store/store.ts";
import { createMatcher } from "../text/match.ts";
import { createTranscript } from "../text/transcript.ts";
import { formatCursor, parseCursor } from "./cursor.ts";
import type { Growth } from "./growth.ts";
import type { LiveSessions } from "./sessions.ts";

/** Events read at once while looking for output, so that a long log does not hold everything up. */
const readAtOnce = 200;

export interface WatchInput {
  readonly sessions: readonly string[];
  readonly until: "terminal" | "output";
  readonly count: "any" | "all" | number;
  readonly match: { readonly text: string } | { readonly pattern: string } | undefined;
  readonly cursor: string | undefined;
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal;
}

export interface Sighting {
  readonly id: string;
  readonly met: boolean;
  /** It cannot meet the condition any more: it has ended without, or was deleted. */
  readonly gone: boolean;
  /** The line that matched. */
  readonly line: string | undefined;
}

export interface WatchAnswer {
  readonly outcome: "met" | "waiting" | "gone";
  readonly sightings: readonly Sighting[];
  readonly cursor: string;
}

interface Condition {
  /** The seq at which the session met the condition, looked for from where the last look ended. */
  readonly look: () => Promise<{ seq: number; line: string | undefined } | undefined>;
}

export class Watches {
  readonly #store: Store;
  readonly #growth: Growth;
  readonly #sessions: LiveSessions;

  constructor(store: Store, growth: Growth, sessions: LiveSessions) {
    this.#store = store;
    this.#growth = growth;
    this.#sessions = sessions;
  }

  async watch(input: WatchInput): Promise<WatchAnswer> {
    const ids = [...new Set(input.sessions)];
    const wanted = howMany(input.count, ids.length);
    const nowSeq = this.#store.events.lastSeq();
    const afterSeq = input.cursor === undefined ? undefined : parseCursor(this.#store.storeId, input.cursor);
    const found = new Map<string, Sighting>();
    const conditions = new Map(ids.map((id) => [id, this.#condition(id, input, afterSeq, nowSeq)]));
    let metSeq = 0;

    const lookAt = async (id: string): Promise<void> => {
      if (found.has(id)) return;
      if (this.#store.sessions.find(id) === undefined) {
        found.set(id, { id, met: false, gone: true, line: undefined });
        return;
      }
      // Asked before the look: what ended while it was looked at is looked at once more.
      const isOver = !isLive(this.#sessions.get(id).status);
      const sight = await conditions.get(id)?.look();
      if (found.has(id)) return;
      if (sight === undefined) {
        if (isOver && looksForOutput(input)) found.set(id, { id, met: false, gone: true, line: undefined });
        return;
      }
      metSeq = Math.max(metSeq, sight.seq);
      found.set(id, { id, met: true, gone: false, line: sight.line });
    };
    const isDone = (): boolean => {
      const met = [...found.values()].filter((sighting) => sighting.met).length;
      const gone = found.size - met;
      return met >= wanted || ids.length - gone < wanted;
    };

    for (const id of ids) this.#sessions.get(id);
    let seenSeq = nowSeq;
    await this.#untilDone(ids, input, isDone, async (id) => {
      seenSeq = this.#store.events.lastSeq();
      await lookAt(id);
    });

    const met = [...found.values()].filter((sighting) => sighting.met).length >= wanted;
    const isGone = !met && isDone();
    return {
      outcome: met ? "met" : isGone ? "gone" : "waiting",
      sightings: ids.map((id) => found.get(id) ?? { id, met: false, gone: false, line: undefined }),
      cursor: formatCursor(
        this.#store.storeId,
        met ? Math.max(metSeq, afterSeq ?? 0) : (afterSeq ?? seenSeq),
      ),
    };
  }

  /** Looks at each session now and whenever it has grown, until `isDone`, the time is over or the caller leaves. */
  async #untilDone(
    ids: readonly string[],
    { timeoutMs, signal }: WatchInput,
    isDone: () => boolean,
    lookAt: (id: string) => Promise<void>,
  ): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const grown = new Set(ids);
      let isLooking = false;
      const timer = timeoutMs === undefined ? undefined : setTimeout(finish, timeoutMs);
      const unsubscribes = ids.map((id) =>
        this.#growth.subscribe(id, () => {
          grown.add(id);
          void look();
        }),
      );
      signal.addEventListener("abort", finish);

      function finish(): void {
        clearTimeout(timer);
        signal.removeEventListener("abort", finish);
        for (const unsubscribe of unsubscribes) unsubscribe();
        resolve();
      }
      async function look(): Promise<void> {
        if (isLooking) return;
        isLooking = true;
        try {
          for (const id of grown) {
            grown.delete(id);
            await lookAt(id);
          }
          if (isDone()) finish();
        } catch (error) {
          finish();
          reject(error instanceof Error ? error : new Error(String(error)));
        } finally {
          isLooking = false;
        }
      }
      void look();
    });
  }

  #condition(id: string, input: WatchInput, afterSeq: number | undefined, nowSeq: number): Condition {
    if (input.match !== undefined) return this.#matched(id, input.match, afterSeq ?? nowSeq);
    return input.until === "terminal" ? this.#ended(id, afterSeq) : this.#printed(id, afterSeq ?? nowSeq);
  }

  #ended(id: string, afterSeq: number | undefined): Condition {
    return {
      look: async () => {
        if (afterSeq === undefined) {
          const session = this.#sessions.get(id);
          return isLive(session.status) ? undefined : { seq: this.#store.events.lastSeq(), line: undefined };
        }
        const seq = this.#store.events.firstMoveTo(id, afterSeq, (status) => endings.has(status));
        return seq === undefined ? undefined : { seq, line: undefined };
      },
    };
  }

  #printed(id: string, afterSeq: number): Condition {
    return {
      look: async () => {
        const [row] = this.#store.events.output(id, afterSeq, 1);
        return row && { seq: row.seq, line: undefined };
      },
    };
  }

  #matched(id: string, match: { text: string } | { pattern: string }, afterSeq: number): Condition {
    const matcher = createMatcher(match);
    const transcript = createTranscript();
    let seen = afterSeq;
    return {
      look: async () => {
        for (;;) {
          const { events, hasMore } = this.#store.events.page(id, seen, readAtOnce);
          for (const event of events) {
            seen = event.seq;
            if (isOwnMessage(event)) continue;
            const line = matcher.push(transcript.push(event));
            if (line !== undefined) return { seq: event.seq, line };
          }
          if (!hasMore) break;
          await new Promise(setImmediate);
        }
        const line = createMatcher(match).push(transcript.unfinished());
        return line === undefined ? undefined : { seq: seen, line };
      },
    };
  }
}

const looksForOutput = ({ until, match }: WatchInput): boolean => until === "output" || match !== undefined;

const endings: ReadonlySet<string> = new Set(
  sessionStatuses.filter((status: SessionStatus) => !isLive(status)),
);

/** What Coven itself said to the harness is no sign of what the harness does. */
const isOwnMessage = ({ kind, payload_json }: EventRecord): boolean =>
  kind === "message" && eventPayloads.message.parse(JSON.parse(payload_json)).role === "user";

function howMany(count: WatchInput["count"], sessions: number): number {
  if (count === "any") return 1;
  if (count === "all") return sessions;
  if (count <= sessions) return count;
  throw new Failure("invalid_request", `count ${count} is more than the ${sessions} sessions watched`, {
    hint: "Pass any, all or a number up to the number of sessions.",
    details: { count, sessions },
  });
}

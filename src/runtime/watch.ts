/**
 * Waiting for sessions: one wait over many of them, answered when enough of them meet the condition.
 *
 * With a cursor the wait is for the first event after it that qualifies; without one it is for the state as it is, or
 * for output from now on. Listening begins before the first look, so that nothing falls between. A wait that runs out
 * of time answers `waiting` with a cursor from which the same wait goes on: it is never a sign that a session ended.
 */
import { Failure } from "../errors.ts";
import { type EventRecord, type Question, type SessionStatus, eventPayloads, isLive } from "../events.ts";
import type { Move } from "../store/events.ts";
import type { SessionRecord } from "../store/sessions.ts";
import type { Store } from "../store/store.ts";
import { createMatcher } from "../text/match.ts";
import { createTranscript } from "../text/transcript.ts";
import { formatCursor, parseCursor } from "./cursor.ts";
import type { Growth } from "./growth.ts";
import type { LiveSessions } from "./sessions.ts";
import type { Rest, Settling } from "./settling.ts";

/** Events read at once while looking for output, so that a long log does not hold everything up. */
const readAtOnce = 200;

type Match = { readonly text: string } | { readonly pattern: string };

export interface WatchInput {
  readonly sessions: readonly string[];
  readonly until: "terminal" | "settled" | "attention" | "output";
  readonly count: "any" | "all" | number;
  readonly match: Match | undefined;
  readonly cursor: string | undefined;
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal;
}

export interface Sighting {
  readonly id: string;
  readonly met: boolean;
  /** It cannot meet the condition any more: it has ended without, or was deleted. */
  readonly gone: boolean;
  readonly seen: Seen | undefined;
}

/** What has met the condition. */
export interface Seen {
  readonly seq: number;
  /** The line that matched. */
  readonly line?: string;
  /** How the run ended that was waited for; another may have begun since. */
  readonly ending?: Move;
  /** What it asks. */
  readonly question?: Question;
}

export interface WatchAnswer {
  readonly outcome: "met" | "waiting" | "gone";
  readonly sightings: readonly Sighting[];
  readonly cursor: string;
}

/** Looks, from where the last look ended, whether the session, which has this status, meets what is waited for. */
type Look = (status: SessionStatus) => Seen | undefined | Promise<Seen | undefined>;

export interface WatchesOptions {
  readonly store: Store;
  readonly growth: Growth;
  readonly sessions: LiveSessions;
  readonly settling: Settling;
}

export class Watches {
  readonly #store: Store;
  readonly #growth: Growth;
  readonly #sessions: LiveSessions;
  readonly #settling: Settling;

  constructor({ store, growth, sessions, settling }: WatchesOptions) {
    this.#store = store;
    this.#growth = growth;
    this.#sessions = sessions;
    this.#settling = settling;
  }

  async watch(input: WatchInput): Promise<WatchAnswer> {
    const ids = [...new Set(input.sessions)];
    const wanted = howMany(input.count, ids.length);
    const afterSeq = input.cursor === undefined ? undefined : parseCursor(this.#store.storeId, input.cursor);
    const nowSeq = this.#store.events.lastSeq();
    for (const id of ids) this.#sessions.get(id);

    const looks = new Map(ids.map((id) => [id, this.#look(id, input, afterSeq, nowSeq)]));
    const met = new Map<string, Seen>();
    const gone = new Set<string>();
    const isDone = (): boolean => met.size >= wanted || ids.length - gone.size < wanted;
    const lookAt = async (id: string): Promise<void> => {
      const status = this.#sessions.statusOf(id);
      // Asked before the look: what ends while it is looked at is looked at once more.
      const isOver = status === undefined || (looksForOutput(input) && this.#isOver(id, status));
      const seen = status && (await looks.get(id)?.(status));
      if (seen) met.set(id, seen);
      else if (isOver) gone.add(id);
    };
    const isFound = (id: string): boolean => met.has(id) || gone.has(id);
    await this.#untilDone(
      ids.filter((id) => !isFound(id)),
      input,
      isDone,
      async (id) => {
        if (!isFound(id)) await lookAt(id);
      },
    );
    // Those that met it by now belong to this answer, since the cursor goes past them.
    if (met.size >= wanted) for (const id of ids) if (!isFound(id)) await lookAt(id);

    const seqs = [...met.values()].map(({ seq }) => seq);
    const isMet = met.size >= wanted;
    return {
      outcome: isMet ? "met" : isDone() ? "gone" : "waiting",
      sightings: ids.map((id) => ({ id, met: met.has(id), gone: gone.has(id), seen: met.get(id) })),
      // What has met the condition while the others are waited for is to meet it in the next wait too.
      cursor: formatCursor(
        this.#store.storeId,
        isMet
          ? Math.max(afterSeq ?? 0, ...seqs)
          : (afterSeq ?? Math.min(nowSeq, ...seqs.map((seq) => seq - 1))),
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
      let isOver = false;
      const timer = timeoutMs === undefined ? undefined : setTimeout(finish, timeoutMs);
      const unsubscribes = ids.map((id) =>
        this.#growth.subscribe(id, () => {
          grown.add(id);
          void look();
        }),
      );
      signal.addEventListener("abort", finish);

      function finish(): void {
        isOver = true;
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
            if (isDone() || isOver) return finish();
          }
        } catch (error) {
          finish();
          reject(error instanceof Error ? error : new Error(String(error)));
        } finally {
          isLooking = false;
        }
      }
      if (signal.aborted) finish();
      else void look();
    });
  }

  #look(id: string, input: WatchInput, afterSeq: number | undefined, nowSeq: number): Look {
    if (input.match !== undefined) return this.#matched(id, input, input.match, afterSeq ?? nowSeq);
    switch (input.until) {
      case "terminal":
        return (status) => this.#ended(id, status, afterSeq);
      case "settled":
        return () => restSeen(this.#rest(id, afterSeq));
      case "attention":
        return () => this.#asking(id, afterSeq) ?? restSeen(this.#rest(id, afterSeq));
      case "output":
        return this.#printed(id, afterSeq ?? nowSeq);
    }
  }

  /** An ended one prints no more, unless a wake starts it again. */
  #isOver(id: string, status: SessionStatus): boolean {
    const session = isLive(status) ? undefined : this.#sessions.find(id);
    return session !== undefined && !this.#settling.goesOn(session);
  }

  #ended(id: string, status: SessionStatus, afterSeq: number | undefined): Seen | undefined {
    if (afterSeq === undefined && isLive(status)) return undefined;
    const { events } = this.#store;
    const isEnd = ({ to }: Move): boolean => !isLive(to);
    // Without a cursor the state as it is counts, which the last ending made.
    const ending =
      afterSeq === undefined
        ? events.lastMove(id, (to) => !isLive(to))
        : events.movesAfter(id, afterSeq).find(isEnd);
    return ending && { seq: ending.seq, ending };
  }

  #rest(id: string, afterSeq: number | undefined): Rest | undefined {
    const session = this.#sessions.find(id);
    if (session === undefined) return undefined;
    return afterSeq === undefined ? this.#settling.now(session) : this.#settling.after(session, afterSeq);
  }

  /** What was asked and is answered by now is of no use to whoever waits for questions. */
  #asking(id: string, afterSeq = 0): Seen | undefined {
    const session: SessionRecord | undefined = this.#sessions.find(id);
    if (session === undefined || !isLive(session.status) || session.activity?.state !== "attention")
      return undefined;
    const seq = this.#store.events.lastActivity(id);
    const { question } = session.activity;
    return seq > afterSeq ? { seq, ...(question === undefined ? {} : { question }) } : undefined;
  }

  #printed(id: string, afterSeq: number): Look {
    return () => {
      const [row] = this.#store.events.output(id, afterSeq, 1);
      return row && { seq: row.seq };
    };
  }

  #matched(id: string, { signal }: WatchInput, match: Match, afterSeq: number): Look {
    const matcher = createMatcher(match);
    const transcript = createTranscript();
    let seen = afterSeq;
    return async () => {
      for (let hasMore = true; hasMore && !signal.aborted;) {
        const page = this.#store.events.page(id, seen, readAtOnce);
        hasMore = page.hasMore;
        for (const event of page.events) {
          seen = event.seq;
          if (isOwnMessage(event)) continue;
          const line = matcher.push(transcript.push(event));
          if (line !== undefined) return { seq: event.seq, line };
        }
        if (hasMore) await new Promise(setImmediate);
      }
      const line = createMatcher(match).push(transcript.unfinished());
      return line === undefined ? undefined : { seq: seen, line };
    };
  }
}

const looksForOutput = ({ until, match }: WatchInput): boolean => until === "output" || match !== undefined;

const restSeen = (rest: Rest | undefined): Seen | undefined => rest && { seq: rest.seq, ending: rest.ending };

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

/**
 * What is pushed to one client. A subscription reads the log from its own cursor, a page at a time, and reads on only
 * when the client has taken everything before: one that does not read costs a page, and misses nothing when it does.
 *
 * Notifications: `event` with `{subscription, event}`, the record as in every other place, in the order of the log; and
 * at its end, unless the client ended it, `subscription_ended` with `{subscription, reason}`: `gone` when all its
 * sessions were sacrificed, `failed` with the `error` beside it.
 */
import type { EventKind } from "../../events.ts";
import { Failure } from "../../errors.ts";
import type { Log } from "../../log.ts";
import type { DataPlane } from "../services.ts";
import { encodeError, tooMany } from "./error.ts";
import type { Outbox } from "./outbox.ts";

/** Most subscriptions of one connection: each may have a page of 128 KB on its way, so two megabytes together. */
export const subscriptionsMax = 16;

export interface WantedEvents {
  readonly sessions?: readonly string[] | undefined;
  readonly cursor?: string | undefined;
  readonly afterSeq?: number | undefined;
  readonly kinds?: readonly EventKind[] | undefined;
}

interface Opened {
  readonly subscription: string;
  readonly cursor: string;
  readonly begin: () => void;
}

interface Options {
  /** As far as it is open to the client, asked anew for each page. Throws when the client's token has ended. */
  readonly openData: () => DataPlane;
  readonly outbox: Outbox;
  readonly log: Log;
}

export class Subscriptions {
  readonly #options: Options;
  readonly #open = new Map<string, AbortController>();
  #opened = 0;

  constructor(options: Options) {
    this.#options = options;
  }

  /** Nothing is pushed before `begin`. Throws `session_not_found`, `invalid_request` and `limit_exceeded`. */
  open({ sessions, kinds, ...from }: WantedEvents): Opened {
    if (this.#open.size >= subscriptionsMax) {
      const hint = "One subscription takes many sessions; or unsubscribe, or open another connection.";
      throw tooMany("subscriptions", subscriptionsMax, hint);
    }
    const data = this.#options.openData();
    const named = sessions && [...new Set(sessions)];
    for (const session of named ?? []) data.requireSession(session);
    const afterSeq = startOf(from, data);
    this.#opened += 1;
    const subscription = `events-${this.#opened}`;
    const over = new AbortController();
    this.#open.set(subscription, over);
    const pages = data.follow(named, afterSeq, over.signal);
    const wanted = kinds && new Set<string>(kinds);
    const begin = (): void => void this.#push(subscription, pages, wanted, over.signal);
    return { subscription, cursor: data.cursorAt(afterSeq), begin };
  }

  /** Whether there was such a one. */
  end(subscription: string): boolean {
    this.#open.get(subscription)?.abort();
    return this.#open.delete(subscription);
  }

  endAll(): void {
    for (const subscription of [...this.#open.keys()]) this.end(subscription);
  }

  async #push(
    subscription: string,
    pages: ReturnType<DataPlane["follow"]>,
    wanted: ReadonlySet<string> | undefined,
    over: AbortSignal,
  ): Promise<void> {
    const { outbox, openData, log } = this.#options;
    const head = Buffer.from(
      `{"jsonrpc":"2.0","method":"event","params":{"subscription":"${subscription}","event":`,
    );
    let why: object = { reason: "gone" };
    try {
      for await (const events of pages) {
        if (over.aborted) return;
        openData();
        for (const { kind, json } of events)
          if (wanted?.has(kind) ?? true) outbox.send(Buffer.concat([head, json, tail]));
        // Also where nothing of a page was wanted: a long search lets others have their turn.
        await new Promise(setImmediate);
        await outbox.drained();
      }
    } catch (error) {
      why = { reason: "failed", error: encodeError(error, log) };
    } finally {
      this.#open.delete(subscription);
    }
    if (over.aborted) return;
    const params = { subscription, ...why };
    outbox.send(JSON.stringify({ jsonrpc: "2.0", method: "subscription_ended", params }));
  }
}

const tail = Buffer.from("}}");

/** From now on, unless a place is named. */
function startOf({ cursor, afterSeq }: Pick<WantedEvents, "cursor" | "afterSeq">, data: DataPlane): number {
  if (cursor !== undefined && afterSeq !== undefined) {
    throw new Failure("invalid_request", "subscribe: cursor and afterSeq exclude each other", {
      hint: "Either says where the events begin; without both they begin now.",
      details: { cursor, afterSeq },
    });
  }
  return cursor === undefined ? (afterSeq ?? data.lastSeq()) : data.seqOf(cursor);
}

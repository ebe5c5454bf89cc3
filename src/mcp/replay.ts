/**
 * What was sent on the streams of one session, so that a client whose stream broke gets what it missed: it names the id
 * of the last event it saw, and hears what came after that on the same stream and no other.
 */
import type { EventId, EventStore, StreamId } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js";

/** What one session keeps, for each of the sessions there may be: several of the largest answers a model gets. */
const keptBytesMax = 512 * 1024;
/** Events: a quarter of an hour of busy subscriptions. */
const keptEventsMax = 1024;
/** Streams it knows of: more than there can be calls in hand. */
const streamsMax = 1024;

interface Kept {
  readonly stream: StreamId;
  readonly number: number;
  readonly message: JSONRPCMessage;
  readonly bytes: number;
}

export class ReplayLog implements EventStore {
  /** Oldest first. The newest is kept in any case: an answer is not lost for being long. */
  readonly #kept: Kept[] = [];
  /** Streams that something may still be missed on, oldest first, and whether their answer was sent. */
  readonly #streams = new Map<StreamId, { isOver: boolean }>();
  #number = 0;
  #bytes = 0;

  storeEvent = async (stream: StreamId, message: JSONRPCMessage): Promise<EventId> => {
    const number = ++this.#number;
    const known = this.#streams.get(stream) ?? { isOver: false };
    this.#streams.set(stream, known);
    // An empty one only gives the stream a place to begin.
    if ("jsonrpc" in message) {
      if (isAnswer(message)) known.isOver = true;
      const bytes = JSON.stringify(message).length;
      this.#kept.push({ stream, number, message, bytes });
      this.#bytes += bytes;
    }
    this.#forget();
    return `${number}@${stream}`;
  };

  /** Undefined for an id that was never given, and of a stream that nothing is left of. */
  getStreamIdForEventId = async (id: EventId): Promise<StreamId | undefined> => this.#placeOf(id)?.stream;

  replayEventsAfter = async (
    id: EventId,
    { send }: { send: (id: EventId, message: JSONRPCMessage) => Promise<void> },
  ): Promise<StreamId> => {
    const place = this.#placeOf(id);
    if (place === undefined) throw new Error(`there is no event ${id.slice(0, 100)}`);
    for (const { stream, number, message } of this.#after(place)) await send(`${number}@${stream}`, message);
    return place.stream;
  };

  /** How many events are all that comes after this one; undefined while its stream goes on. */
  leftAfter(id: EventId): number | undefined {
    const place = this.#placeOf(id);
    const isOver = place !== undefined && this.#streams.get(place.stream)?.isOver === true;
    return isOver ? this.#after(place).length : undefined;
  }

  #after({ stream, number }: { readonly stream: StreamId; readonly number: number }): Kept[] {
    return this.#kept.filter((event) => event.stream === stream && event.number > number);
  }

  #placeOf(id: EventId): { stream: StreamId; number: number } | undefined {
    const [, digits = "", stream = ""] = /^(\d{1,15})@(.+)$/.exec(id) ?? [];
    const number = Number(digits);
    return this.#streams.has(stream) && number <= this.#number ? { stream, number } : undefined;
  }

  #forget(): void {
    while (this.#kept.length > 1 && (this.#bytes > keptBytesMax || this.#kept.length > keptEventsMax)) {
      const gone = this.#kept.shift();
      this.#bytes -= gone?.bytes ?? 0;
      const { stream = "" } = gone ?? {};
      const isLeft = this.#kept.some((event) => event.stream === stream);
      if (this.#streams.get(stream)?.isOver === true && !isLeft) this.#streams.delete(stream);
    }
    while (this.#streams.size > streamsMax) {
      const [oldest = ""] = this.#streams.keys();
      this.#streams.delete(oldest);
    }
  }
}

const isAnswer = (message: JSONRPCMessage): boolean => "result" in message || "error" in message;

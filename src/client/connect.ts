/**
 * The API for programs in TypeScript: one method per action, with the types of the table, and the two streams that no
 * action carries. It starts no daemon: a library that leaves a process behind would surprise whoever imports it.
 */
import { setMaxListeners } from "node:events";
import { type Actions, capabilities } from "../capabilities/registry.ts";
import { Failure } from "../errors.ts";
import type { EventRecord } from "../events.ts";
import { isNotListening } from "../rpc/answers.ts";
import { type StreamOptions, createClient } from "../rpc/client.ts";
import { locate, otherDaemonHint } from "../rpc/endpoint.ts";
import { awayMsMax as awayMsUsual } from "../rpc/patience.ts";
import { follow } from "./follow.ts";

/** Which daemon is meant; what is not given is taken from COVEN_HOME, COVEN_URL and COVEN_TOKEN, as `coven` does. */
export interface ConnectOptions {
  /** The folder whose daemon is meant; `~/.coven` where neither this nor COVEN_HOME is given. */
  readonly home?: string;
  /** `http://host:port` or `unix:///path/to/coven.sock`. */
  readonly url?: string;
  /** The owner's token over `http`, or that of a run. */
  readonly token?: string;
  /** Who asks, for the log of what was done. */
  readonly origin?: string;
}

export interface CallOptions {
  /** Gives the call up; it rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** What is asked again under one id within a day is done once: a call may be repeated after a lost connection. */
  readonly intentId?: string;
  /** What a harness that is launched sees of your environment; nothing, unless given. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface EventsOptions {
  /** All that there are and will be, unless some are named. */
  readonly sessions?: readonly string[];
  /** Only what comes after this place, as run, watch and status answer it. */
  readonly cursor?: string;
  /** The same by an event's seq; `latest`: only what happens from now on. Not with a cursor. */
  readonly afterSeq?: number | "latest";
  /** Ends the iteration. */
  readonly signal?: AbortSignal;
  /** How long the daemon may be away before the iteration fails with `runtime_unavailable`, ms (30 000). */
  readonly awayMsMax?: number;
}

export interface OutputOptions {
  /** Only what was printed after this seq. */
  readonly afterSeq?: number;
  readonly signal?: AbortSignal;
}

export type ActionName = keyof Actions;
export type ActionInput<N extends ActionName> = Actions[N]["input"];
export type ActionOutput<N extends ActionName> = Actions[N]["output"];

/** Whether there is nothing that must be given; of what takes nothing at all, everything else is never. */
type IsOptional<I> = Partial<I> extends I ? true : I extends Record<string, never> ? true : false;

/** The arguments behind an action's name: its input may be left out where nothing in it is needed. */
type Arguments<N extends ActionName, More = unknown> =
  IsOptional<ActionInput<N>> extends true
    ? [input?: ActionInput<N> & More, options?: CallOptions]
    : [input: ActionInput<N> & More, options?: CallOptions];

/** Actions that answer one thing `if` an argument is so, and `otherwise` what has the member that is named. */
interface Variants {
  readonly run: { if: { lanes: object[] }; otherwise: { lanes?: undefined }; has: { id: string } };
  readonly status: { if: { session: string }; otherwise: { session?: undefined }; has: { live: number } };
  readonly list: {
    if: { detail: "brief" };
    otherwise: { detail?: "full" | undefined };
    has: { sessions: { project_root: string }[] };
  };
  readonly harness_capabilities: {
    if: { harness: string };
    otherwise: { harness?: undefined };
    has: { harness_capabilities: object[] };
  };
}

type Method<N extends ActionName> = (...given: Arguments<N>) => Promise<ActionOutput<N>>;

type VariantMethod<N extends ActionName, V extends Variants[keyof Variants]> = {
  (input: ActionInput<N> & V["if"], options?: CallOptions): Promise<Exclude<ActionOutput<N>, V["has"]>>;
  (...given: Arguments<N, V["otherwise"]>): Promise<Extract<ActionOutput<N>, V["has"]>>;
  (...given: Arguments<N>): Promise<ActionOutput<N>>;
};

/** Every action by its name, but for two whose names the streams have: `call` reaches those as well. */
export type ActionMethods = {
  readonly [N in keyof Actions as Exclude<N, "events" | "output">]: N extends keyof Variants
    ? VariantMethod<N, Variants[N]>
    : Method<N>;
};

export interface Coven extends ActionMethods {
  /** Any action by its name. Rejects with a `Failure`. */
  readonly call: <N extends ActionName>(name: N, ...given: Arguments<N>) => Promise<ActionOutput<N>>;
  /**
   * Events as they come, in the order of the log, from the first one unless told otherwise. Goes on by itself after a
   * lost connection or a restart of the daemon: nothing is lost and nothing comes twice. Ends with the signal, or when
   * every named session was sacrificed. (The action `events`, a page at a time, is `call("events", …)`.)
   */
  readonly events: (options?: EventsOptions) => AsyncGenerator<EventRecord, void>;
  /** The raw bytes a session has printed so far. (The action `output`, in base64, is `call("output", …)`.) */
  readonly output: (session: string, options?: OutputOptions) => AsyncGenerator<Uint8Array, void>;
  /** Ends every iteration over events and gives up every call. Sessions and the daemon are left as they are. */
  readonly close: () => void;
}

/** Finds the daemon and agrees with it on the contract. Rejects with a `Failure` that says what to do. */
export async function connect(options: ConnectOptions = {}): Promise<Coven> {
  const { endpoint, isOwn } = locate(options, process.env);
  const client = createClient(endpoint, options.origin ?? "client");
  const closing = new AbortController();
  // Every call that waits listens to it.
  setMaxListeners(0, closing.signal);

  /** With the failure that means something to whoever asked. */
  const told = (error: unknown, signal?: AbortSignal): unknown => {
    if (signal?.aborted === true) return signal.reason;
    if (closing.signal.aborted) return closing.signal.reason;
    return isOwn || !isNotListening(error) ? error : elsewhere(error);
  };
  const untilLeft = (signal: AbortSignal | undefined): AbortSignal =>
    signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal]);

  const call: Call = async (name, input = {}, { signal, ...more } = {}) => {
    try {
      closing.signal.throwIfAborted();
      return await client.call(name, input, { ...more, signal: untilLeft(signal) });
    } catch (error) {
      throw told(error, signal);
    }
  };

  async function* output(session: string, { signal, ...from }: OutputOptions = {}) {
    try {
      yield* client.output(session, { ...from, signal: untilLeft(signal) });
    } catch (error) {
      throw told(error, signal);
    }
  }

  async function* events(options: EventsOptions = {}) {
    const { sessions, signal, awayMsMax = awayMsUsual } = options;
    try {
      const from = startOf(options);
      yield* follow(client, { sessions, from, awayMsMax, signal: untilLeft(signal) });
    } catch (error) {
      throw told(error, signal);
    }
  }

  try {
    await client.health();
  } catch (error) {
    throw told(error);
  }
  return Object.freeze({
    ...methodsOf(call),
    events,
    output,
    close: () => {
      closing.abort(closed());
      client.close();
    },
  });
}

type Call = (name: string, input?: object, options?: CallOptions) => Promise<unknown>;

/** What the daemon answers is checked there, against the table that the types are made from. */
function methodsOf(call: Call): ActionMethods & Pick<Coven, "call">;
function methodsOf(call: Call): object {
  const method = (name: string) => (input?: object, options?: CallOptions) => call(name, input, options);
  const methods = [...capabilities.keys()].map((name) => [name, method(name)] as const);
  return { ...Object.fromEntries(methods), call };
}

/** Throws `invalid_request` for what would be understood in another way than it was meant. */
function startOf({ sessions, cursor, afterSeq }: EventsOptions): StreamOptions["from"] {
  if (sessions?.length === 0) {
    throw new Failure("invalid_request", "events: sessions names none", {
      hint: "Leave it out to follow all sessions.",
    });
  }
  if (cursor === undefined) return { afterSeq: afterSeq ?? 0 };
  if (afterSeq === undefined) return { cursor };
  throw new Failure("invalid_request", "events: cursor and afterSeq exclude each other", {
    hint: "Either says where the events begin; without both they begin with the first.",
    details: { cursor, afterSeq },
  });
}

/** A daemon that was named by an address is nothing that `coven daemon start` would start. */
const elsewhere = (cause: unknown): unknown =>
  cause instanceof Failure
    ? new Failure(cause.code, cause.message, { hint: otherDaemonHint, details: cause.details ?? {}, cause })
    : cause;

const closed = (): Failure =>
  new Failure("invalid_request", "this client was closed", { hint: "Call connect() for another one." });

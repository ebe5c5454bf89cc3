/** What the socket needs of the daemon; the composition root hands it in. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Identity, Invoke } from "../capabilities/capability.ts";

/** An event's record as JSON text, with what a stream says beside it. */
export interface SentEvent {
  readonly seq: number;
  readonly kind: string;
  readonly json: Buffer;
}

/** Where a page begins, and how many events it has at most. */
export interface EventsFrom {
  readonly afterSeq?: number | undefined;
  readonly afterEventId?: string | undefined;
  readonly limit?: number | undefined;
}

/** The data plane: terminal bytes and growing logs do not pass through the actions. */
export interface DataPlane {
  /** Of the named sessions, or of all. */
  readonly follow: (
    sessions: readonly string[] | undefined,
    afterSeq: number,
    signal: AbortSignal,
  ) => AsyncGenerator<SentEvent[]>;
  /** Which sessions grow, and by what kinds of events; of a run those of its own project. */
  readonly changes: (
    afterSeq: number,
    signal: AbortSignal,
  ) => AsyncGenerator<readonly { readonly seq: number; readonly session: string; readonly kind: string }[]>;
  /** The end of the log. */
  readonly lastSeq: () => number;
  /** A place in the log as text that names its store, and back. Throws `invalid_request` for one of another store. */
  readonly cursorAt: (seq: number) => string;
  readonly seqOf: (cursor: string) => number;
  /** A page of events as the action `events` answers it, as JSON text. */
  readonly eventsPage: (session: string, from: EventsFrom) => Buffer;
  readonly output: (session: string, afterSeq: number) => Generator<Buffer, number>;
  /** Throws `session_not_found`. */
  readonly requireSession: (session: string) => void;
  /** Throws `session_not_found` or `session_not_live`. */
  readonly requireLive: (session: string) => void;
  /** Throws `session_not_found`. `told` hears who is at the keys, at once and whenever that changes. */
  readonly attach: (
    session: string,
    wanted: WantedControl,
    told: (control: Control) => void,
  ) => AttachedTerminal;
}

/** The keys if nobody has them, the keys in any case, or only to look on. */
export type WantedControl = "control" | "take" | "view";

/** Who is at the keys: this terminal, another one, or nobody. */
export interface Control {
  readonly held: boolean;
  readonly elsewhere: boolean;
}

/** One person's view of a terminal. Whoever is not at the keys is refused input and resize with `terminal_taken`. */
export interface AttachedTerminal {
  readonly output: (
    afterSeq: number,
    signal: AbortSignal,
  ) => AsyncGenerator<{
    readonly bytes: Buffer;
    /** Everything up to here was given; undefined where that is between two rows. */
    readonly seq: number | undefined;
  }>;
  readonly input: (bytes: Buffer) => Promise<void>;
  readonly resize: (columns: number, rows: number) => Promise<void>;
  readonly detach: () => Promise<void>;
}

export interface StoppedSession {
  readonly id: string;
  readonly title: string;
  readonly harness: string;
}

export interface Stopped {
  readonly ended: readonly StoppedSession[];
  readonly survived: readonly StoppedSession[];
}

/** Serves the clients that speak MCP over HTTP. */
export interface McpEndpoint {
  /** Answers a request whose body was not read yet. */
  readonly handle: (request: IncomingMessage, response: ServerResponse, identity: Identity) => Promise<void>;
  readonly close: () => Promise<void>;
}

export interface Services {
  readonly invoke: Invoke;
  /** Who shows this token; without one, whoever could open the socket: its owner. Throws `unauthenticated`. */
  readonly identify: (token: string | undefined) => Identity;
  /** As far as it is open to the caller. */
  readonly data: (identity: Identity) => DataPlane;
  readonly mcp: McpEndpoint;
  /** Ends the live sessions, or leaves them to their host, and then the daemon. */
  readonly stop: (options: { readonly keep: boolean }) => Promise<Stopped>;
}

/** What the socket needs of the daemon; the composition root hands it in. */
import type { EventRecord } from "../events.ts";
import type { Caller, Invoke } from "../capabilities/capability.ts";

/** The data plane: terminal bytes and growing logs do not pass through the actions. */
export interface DataPlane {
  /** Of the named sessions, or of all. */
  readonly follow: (
    sessions: readonly string[] | undefined,
    afterSeq: number,
    signal: AbortSignal,
  ) => AsyncGenerator<EventRecord[]>;
  /** The end of the log. */
  readonly lastSeq: () => number;
  readonly output: (session: string, afterSeq: number) => Generator<Buffer, number>;
  /** Throws `session_not_found`. */
  readonly requireSession: (session: string) => void;
  readonly attach: (session: string) => AttachedTerminal;
}

/** One person's view of a live terminal. */
export interface AttachedTerminal {
  readonly output: (afterSeq: number, signal: AbortSignal) => AsyncGenerator<Buffer>;
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

export interface Services {
  readonly invoke: Invoke;
  readonly caller: (signal: AbortSignal, env: Caller["env"]) => Caller;
  readonly data: DataPlane;
  /** Ends the live sessions, or leaves them to their host, and then the daemon. */
  readonly stop: (options: { readonly keep: boolean }) => Promise<Stopped>;
}

/** A harness process as the host holds it, whether in a pty or on pipes. */
import type { OutputStream } from "../../store/events.ts";

export interface ChildSpec {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Pipes only: written to standard input, which is then closed unless it stays open for more. */
  readonly stdin: string | undefined;
  readonly inputStaysOpen: boolean;
}

export interface ChildEnd {
  readonly exitCode: number | null;
  readonly signal: string | null;
}

export interface ChildListener {
  /** The bytes are the listener's only during the call. `stream` is null for a pty. */
  readonly output: (stream: OutputStream | null, bytes: Buffer) => void;
  /** Called once, after the last `output`. */
  readonly ended: (end: ChildEnd) => void;
}

export interface Child {
  readonly pid: number;
  /** Begins to deliver; what was printed before is kept until then. To be called once. */
  readonly listen: (listener: ChildListener) => void;
  /** False when the harness has left too much unread already. */
  readonly write: (bytes: Buffer) => boolean;
  /** Pipes only: closes standard input behind what was written. */
  readonly endInput: () => void;
  readonly resize: (columns: number, rows: number) => void;
  /** Stops and goes on reading, which slows the harness down instead of losing what it prints. */
  readonly pause: () => void;
  readonly resume: () => void;
}

/** Input a harness may leave unread before more is refused, bytes. */
export const unreadInputBytesMax = 1024 * 1024;

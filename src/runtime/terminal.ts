/** People at the terminals of sessions: what a session prints from a cursor on, keys and window size to it. */
import { Failure } from "../errors.ts";
import { isLive } from "../events.ts";
import type { Growth } from "./growth.ts";
import type { LogReader } from "./reading.ts";
import type { LiveSessions } from "./sessions.ts";

export class Terminals {
  readonly #sessions: LiveSessions;
  readonly #reader: LogReader;
  readonly #growth: Growth;
  readonly #attachedCounts = new Map<string, number>();

  constructor(sessions: LiveSessions, reader: LogReader, growth: Growth) {
    this.#sessions = sessions;
    this.#reader = reader;
    this.#growth = growth;
  }

  /** Throws `session_not_found`. */
  attach(session: string) {
    this.#sessions.get(session);
    void this.#count(session, 1);
    return {
      output: (afterSeq: number, signal: AbortSignal) => this.#output(session, afterSeq, signal),
      input: (bytes: Buffer) => this.#sessions.input(session, { text: undefined, keys: bytes, end: false }),
      resize: (columns: number, rows: number) =>
        this.#sessions.resize(session, columns, rows).catch(ignoreEnded),
      detach: () => this.#count(session, -1),
    };
  }

  /** Ends when the session has ended and everything it printed was given. */
  async *#output(session: string, afterSeq: number, signal: AbortSignal): AsyncGenerator<Buffer> {
    const wakeups = this.#growth.wakeups(session, signal);
    try {
      let seq = afterSeq;
      while (!signal.aborted) {
        const wasLive = isLive(this.#sessions.get(session).status);
        seq = yield* this.#reader.output(session, seq);
        if (!wasLive) return;
        await wakeups.next();
      }
    } finally {
      wakeups.stop();
    }
  }

  async #count(session: string, change: 1 | -1): Promise<void> {
    const attached = (this.#attachedCounts.get(session) ?? 0) + change;
    if (attached === 0) this.#attachedCounts.delete(session);
    else this.#attachedCounts.set(session, attached);
    await this.#sessions.attached(session, attached).catch(ignoreEnded);
  }
}

/** The window of a session that has just ended, or whose host is just lost, is of no more interest. */
function ignoreEnded(error: unknown): void {
  const codes: readonly string[] = ["session_not_live", "session_not_found", "runtime_unavailable"];
  if (error instanceof Failure && codes.includes(error.code)) return;
  throw error;
}

/** A person at a session's terminal: what it prints from a cursor on, keys and window size to it. */
import { Failure } from "../errors.ts";
import { isLive } from "../events.ts";
import type { Growth } from "./growth.ts";
import type { LogReader } from "./reading.ts";
import type { LiveSessions } from "./sessions.ts";

interface TerminalContext {
  readonly sessions: LiveSessions;
  readonly reader: LogReader;
  readonly growth: Growth;
}

/** How many are attached to each session. */
const attachedCounts = new Map<string, number>();

/** Throws `session_not_found`. */
export function attachTerminal(session: string, { sessions, reader, growth }: TerminalContext) {
  sessions.get(session);
  void count(1);

  async function count(change: 1 | -1): Promise<void> {
    const attached = (attachedCounts.get(session) ?? 0) + change;
    if (attached === 0) attachedCounts.delete(session);
    else attachedCounts.set(session, attached);
    await sessions.attached(session, attached).catch(ignoreEnded);
  }

  return {
    /** Ends when the session has ended and everything it printed was given. */
    async *output(afterSeq: number, signal: AbortSignal): AsyncGenerator<Buffer> {
      const wakeups = growth.wakeups(session, signal);
      try {
        let seq = afterSeq;
        while (!signal.aborted) {
          const wasLive = isLive(sessions.get(session).status);
          seq = yield* reader.output(session, seq);
          if (!wasLive) return;
          await wakeups.next();
        }
      } finally {
        wakeups.stop();
      }
    },
    input: (bytes: Buffer): Promise<void> => sessions.input(session, bytes),
    resize: (columns: number, rows: number): Promise<void> =>
      sessions.resize(session, columns, rows).catch(ignoreEnded),
    detach: (): Promise<void> => count(-1),
  };
}

/** The window of a session that has just ended is of no more interest. */
function ignoreEnded(error: unknown): void {
  if (error instanceof Failure && (error.code === "session_not_live" || error.code === "session_not_found"))
    return;
  throw error;
}

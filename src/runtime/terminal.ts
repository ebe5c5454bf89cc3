/**
 * People at the terminals of sessions: what a session prints from a cursor on, keys and window size to it.
 *
 * One of them at a time is at the keys: the first who asks, until it leaves or another takes them; the others look on.
 * What the harness asks its terminal is answered once, by the terminal at the keys, or by the host while there is
 * none. So a query reaches a person's terminal only when it was printed while that terminal was at the keys: in what
 * is replayed, and for those who look on, it is left out, and would else be answered into the harness as typed text.
 */
import { Failure } from "../errors.ts";
import { isLive } from "../events.ts";
import { createQuerySplitter } from "../text/terminal-queries.ts";
import type { Growth } from "./growth.ts";
import type { LogReader } from "./reading.ts";
import type { LiveSessions } from "./sessions.ts";

/** Rows a terminal is given at once, up to 128 KB: it is all that is kept for one that takes nothing. */
const rowsAtOnce = 8;

type WantedControl = "control" | "take" | "view";

/** One attached terminal. */
interface Viewer {
  readonly told: (control: { held: boolean; elsewhere: boolean }) => void;
  /** The place in the log after which queries are this terminal's to answer. */
  queriesAfter: Promise<number>;
}

interface Stage {
  readonly viewers: Set<Viewer>;
  controller: Viewer | undefined;
  /** When a key was pressed last, by this process's own clock, ms. */
  typedAt: number | undefined;
}

const never = Promise.resolve(Number.POSITIVE_INFINITY);

export class Terminals {
  readonly #sessions: LiveSessions;
  readonly #reader: LogReader;
  readonly #growth: Growth;
  readonly #stages = new Map<string, Stage>();

  constructor(sessions: LiveSessions, reader: LogReader, growth: Growth) {
    this.#sessions = sessions;
    this.#reader = reader;
    this.#growth = growth;
  }

  /** Throws `session_not_found`. `told` hears who is at the keys, at once and whenever that changes. */
  attach(session: string, wanted: WantedControl, told: Viewer["told"]) {
    this.#sessions.get(session);
    const stage = this.#stages.get(session) ?? {
      viewers: new Set(),
      controller: undefined,
      typedAt: undefined,
    };
    this.#stages.set(session, stage);
    const viewer: Viewer = { told, queriesAfter: never };
    stage.viewers.add(viewer);
    if (wanted === "take" || (wanted === "control" && stage.controller === undefined))
      void this.#giveKeys(session, stage, viewer);
    else told({ held: false, elsewhere: stage.controller !== undefined });
    const requireKeys = (): void => {
      if (stage.controller !== viewer) throw notAtTheKeys(session, stage);
    };
    return {
      output: (afterSeq: number, signal: AbortSignal) => this.#output(session, viewer, afterSeq, signal),
      input: async (bytes: Buffer) => {
        requireKeys();
        if (isTyped(bytes)) stage.typedAt = performance.now();
        await this.#sessions.input(session, { text: undefined, keys: bytes, end: false });
      },
      resize: async (columns: number, rows: number) => {
        requireKeys();
        await this.#sessions.resize(session, columns, rows).catch(ignoreEnded);
      },
      detach: async () => {
        stage.viewers.delete(viewer);
        if (stage.viewers.size === 0) this.#stages.delete(session);
        if (stage.controller === viewer) await this.#giveKeys(session, stage, undefined);
      },
    };
  }

  /** How long ago somebody who is still at the terminal pressed a key, ms; undefined where nobody is or did. */
  quietForMs(session: string): number | undefined {
    const typedAt = this.#stages.get(session)?.typedAt;
    return typedAt === undefined ? undefined : performance.now() - typedAt;
  }

  /** Resolves when the host knows. */
  async #giveKeys(session: string, stage: Stage, viewer: Viewer | undefined): Promise<void> {
    if (stage.controller !== undefined) stage.controller.queriesAfter = never;
    stage.controller = viewer;
    // A host that cannot be told goes on as before; that it is lost, or the session over, the log says.
    const known = this.#sessions.attached(session, viewer !== undefined).catch(() => undefined);
    if (viewer !== undefined) viewer.queriesAfter = known.then((seq) => seq ?? this.#reader.lastSeq());
    for (const each of stage.viewers)
      each.told({ held: each === viewer, elsewhere: each !== viewer && viewer !== undefined });
    await known;
  }

  /**
   * Ends when the session has ended and everything it printed was given. Where another run has begun meanwhile it ends
   * before: that one has a terminal of its own, of whose keys and size its host knows nothing until somebody attaches.
   */
  async *#output(session: string, viewer: Viewer, afterSeq: number, signal: AbortSignal) {
    const wakeups = this.#growth.wakeups([session], signal);
    const splitter = createQuerySplitter();
    const run = this.#sessions.newestRun(session)?.id;
    try {
      let seq = afterSeq;
      while (!signal.aborted) {
        const wasLive = isLive(this.#sessions.get(session).status);
        const queriesAfter = await viewer.queriesAfter;
        if (this.#sessions.newestRun(session)?.id !== run) break;
        const rows = this.#reader.outputRows(session, seq, rowsAtOnce);
        const last = rows.at(-1);
        if (last === undefined) {
          if (!wasLive) break;
          await wakeups.next();
          continue;
        }
        seq = last.seq;
        const shown = rows.flatMap((row) =>
          row.seq > queriesAfter ? [splitter.flush(), row.bytes] : [splitter.push(row.bytes).others],
        );
        yield { bytes: Buffer.concat(shown), seq: splitter.isHolding() ? undefined : seq };
      }
      yield { bytes: splitter.flush(), seq: undefined };
    } finally {
      wakeups.stop();
    }
  }
}

/**
 * What a terminal says by itself: a report (of its caret, its kind, a mode, that its window is looked at, of the mouse),
 * or an answer that ends with a string terminator.
 */
const ownWords =
  /\x1b\[[?>]?[\d;]*(?:R|c|n|\$y|I|O)|\x1b\[<[\d;]*[Mm]|\x1b[\]P_^][^\x07\x1b]*(?:\x07|\x1b\\)/g;

/** Whether a person pressed a key: the terminal at the keys also answers what the harness asks it. */
const isTyped = (bytes: Buffer): boolean => bytes.toString("latin1").replace(ownWords, "") !== "";

const notAtTheKeys = (session: string, { controller }: Stage): Failure =>
  new Failure(
    "terminal_taken",
    controller === undefined
      ? `this terminal only looks on at session ${session}`
      : `another terminal is at the keys of session ${session}`,
    {
      hint: "Attach with take=true (CLI: coven rejoin --take) to take the keys.",
      details: { sessionId: session },
    },
  );

/** The window of a session that has just ended, or whose host is just lost, is of no more interest. */
function ignoreEnded(error: unknown): undefined {
  const codes: readonly string[] = ["session_not_live", "session_not_found", "runtime_unavailable"];
  if (error instanceof Failure && codes.includes(error.code)) return undefined;
  throw error;
}

/**
 * The terminals of sessions as a person would see them, drawn from the log when somebody asks.
 *
 * What has been drawn is kept for a while at the place in the log it shows. The next call goes on from there; one for
 * an earlier place goes on from what is kept nearest before it, and else draws its run from the beginning.
 */
import { Failure } from "../errors.ts";
import { eventPayloads } from "../events.ts";
import type { TerminalRow } from "../store/events.ts";
import type { SessionRecord } from "../store/sessions.ts";
import type { Store } from "../store/store.ts";
import { tailOf } from "../text/clean.ts";
import type { ScreenView } from "../text/screen.ts";
import { formatCursor } from "./cursor.ts";
import type { LogReader } from "./reading.ts";
import { type ScreenStep, ScreenWorker } from "./screen-worker.ts";
import type { LiveSessions } from "./sessions.ts";
import { WorkLimit } from "./work-limit.ts";

/** Screens kept drawn: the live sessions that are read while they print. At 80 × 24 each takes some 0.2 MB. */
const keptMax = 128;
/** Of one session: now, and two earlier places, so that looking back does not cost the others theirs. */
const keptOfOneMax = 3;
/** Cells of all that are kept, 12 bytes each in two buffers: windows may be as large as 1000 × 1000. */
const keptCellsMax = 2_000_000;
/** Sessions drawn at once, in turns in one thread: below `keptMax`, so that one that is not in use can always go. */
const drawnAtOnceMax = 4;
/** Rows of the log handed over at once, up to 256 KB: about 10 ms of drawing, which others wait for. */
const rowsAtOnce = 16;
/** How long the thread is kept without a call, ms: a supervisor that looks on asks more often. */
const idleMs = 60_000;
/** Lines of a session that has no terminal: as many as a terminal shows. */
const transcriptLines = 24;

interface Kept {
  readonly screen: number;
  readonly session: string;
  /** Where its run began: each has a terminal of its own. */
  readonly runStart: number;
  /** How much had been pruned of the session: a picture must not outlive what it was drawn from. */
  readonly removed: number;
  /** What has been drawn is up to here. */
  place: number;
  cells: number;
  isInUse: boolean;
}

type Show<T> = (screen: number) => Promise<{ readonly shown: T; readonly cells: number }>;

export interface ScreenAsked {
  readonly seq: number | undefined;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

export interface ScreensOptions {
  readonly store: Store;
  readonly sessions: Pick<LiveSessions, "get">;
  readonly reader: Pick<LogReader, "tail">;
  /** The program of the worker, as built. */
  readonly workerFile: string;
  readonly idleMs?: number;
}

export class Screens {
  readonly #options: ScreensOptions;
  readonly #worker: ScreenWorker;
  /** The one used last comes last. */
  #kept: Kept[] = [];
  readonly #turns = new Map<string, Promise<unknown>>();
  readonly #drawing = new WorkLimit(drawnAtOnceMax);
  #count = 0;

  constructor(options: ScreensOptions) {
    this.#options = options;
    this.#worker = new ScreenWorker({
      file: options.workerFile,
      idleMs: options.idleMs ?? idleMs,
      ended: () => (this.#kept = []),
    });
  }

  /** The session as it looked at a place in the log, by default now. */
  async look(session: string, { seq: wanted, maxBytes, signal }: ScreenAsked) {
    const { store, sessions, reader } = this.#options;
    const record = sessions.get(session);
    const seq = this.#placeOf(session, wanted);
    const place = { seq, cursor: formatCursor(store.storeId, seq) };
    if (!this.#hasTerminal(record))
      return {
        kind: "transcript" as const,
        ...reader.tail(session, { lines: transcriptLines, maxBytes, until: seq }),
        ...place,
      };
    const { text, title, ...picture } = await this.#inTurn(session, () =>
      this.#drawn(session, seq, signal, async (screen) => {
        const shown = await this.#worker.show(screen);
        return { shown, cells: shown.rows * shown.columns };
      }),
    );
    return {
      kind: "terminal" as const,
      ...tailOf(text, { lines: picture.rows, maxBytes }),
      ...picture,
      ...(title === undefined ? {} : { title }),
      ...(store.pruning.removedFrom(session) > 0 ? { pruned: true as const } : {}),
      ...place,
    };
  }

  /** The session's terminal as it is drawn now; undefined where it has none. */
  async read(session: string, signal: AbortSignal): Promise<ScreenView | undefined> {
    const { store, sessions } = this.#options;
    if (!this.#hasTerminal(sessions.get(session))) return undefined;
    return this.#inTurn(session, () =>
      this.#drawn(session, store.events.lastSeq(), signal, async (screen) => {
        const shown = await this.#worker.view(screen);
        return { shown, cells: shown.lines.length * shown.columns };
      }),
    );
  }

  /** Ends the thread, if there is one. */
  close = (): Promise<void> => this.#worker.end();

  /** Throws `invalid_request` for a place where the session was not yet, or the log is not yet. */
  #placeOf(session: string, wanted: number | undefined): number {
    const { events } = this.#options.store;
    const last = events.lastSeq();
    if (wanted === undefined) return last;
    const first = events.firstSeq(session);
    if (wanted >= first && wanted <= last) return wanted;
    const why = wanted > last ? `the log ends at ${last}` : `the session begins at ${first}`;
    throw new Failure("invalid_request", `screen: nothing to show at seq ${wanted}: ${why}`, {
      hint: "Pass the seq of one of its events, or leave seq out for the screen as it is now.",
      details: { sessionId: session, seq: wanted, firstSeq: first, lastSeq: last },
    });
  }

  /** What has printed nothing yet has one if a person is to use it. */
  #hasTerminal({ id, launch_mode: mode }: SessionRecord): boolean {
    const printsTo = this.#options.store.events.printsTo(id);
    return printsTo === undefined ? mode === "interactive" : printsTo === "terminal";
  }

  /** One call of a session after the other, since each goes on from what the last one drew. */
  async #inTurn<T>(session: string, draw: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(session);
    const turn = (async () => {
      await before?.catch(() => undefined); // told to the one that asked for it
      return this.#drawing.run(draw);
    })();
    this.#turns.set(session, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(session) === turn) this.#turns.delete(session);
    }
  }

  /** What `show` tells of the screen once it is drawn up to the place. */
  async #drawn<T>(session: string, seq: number, signal: AbortSignal, show: Show<T>): Promise<T> {
    requireWanted(signal);
    const kept = this.#nearest(session, seq);
    kept.isInUse = true;
    try {
      await this.#drawUpTo(kept, seq, signal);
      const { shown, cells } = await show(kept.screen);
      kept.cells = cells;
      return shown;
    } finally {
      kept.isInUse = false;
      this.#drop();
    }
  }

  /** Rows are read while those before them are drawn: two helpings are under way at most. */
  async #drawUpTo(kept: Kept, seq: number, signal: AbortSignal): Promise<void> {
    let drawing = Promise.resolve();
    for (let isMore = true; isMore;) {
      const rows = this.#options.store.events.terminal(kept.session, kept.place, seq, rowsAtOnce);
      requireWanted(signal);
      isMore = rows.length === rowsAtOnce;
      const last = drawing;
      if (rows.length > 0) drawing = this.#worker.draw(kept.screen, stepsOf(rows));
      drawing.catch(() => undefined); // told where it is awaited
      kept.place = isMore ? (rows.at(-1)?.seq ?? seq) : seq;
      await last;
    }
    await drawing;
  }

  /** What is kept nearest before the place in the same run, or a new screen. */
  #nearest(session: string, seq: number): Kept {
    const { store } = this.#options;
    const runStart = store.events.lastMove(session, (status) => status === "running", seq)?.seq ?? 0;
    const removed = store.pruning.removedFrom(session);
    const found = this.#kept
      .filter((kept) => kept.session === session && kept.runStart === runStart)
      .filter((kept) => kept.removed === removed && kept.place <= seq)
      .reduce<Kept | undefined>((one, other) => (one && one.place > other.place ? one : other), undefined);
    const kept = found ?? {
      screen: (this.#count += 1),
      session,
      runStart,
      removed,
      place: runStart,
      cells: 0,
      isInUse: false,
    };
    this.#kept = [...this.#kept.filter((other) => other !== kept), kept];
    return kept;
  }

  /** Lets go of what is too much, what was used least recently first, and of what shows what is gone. */
  #drop(): void {
    const { store } = this.#options;
    const ofOne = new Map<string, number>();
    let count = 0;
    let cells = 0;
    for (const kept of [...this.#kept].reverse()) {
      const own = (ofOne.get(kept.session) ?? 0) + 1;
      const isTooMuch =
        count >= keptMax || own > keptOfOneMax || (count > 0 && cells + kept.cells > keptCellsMax);
      const isGone =
        store.sessions.find(kept.session) === undefined ||
        store.pruning.removedFrom(kept.session) !== kept.removed;
      if (!kept.isInUse && (isTooMuch || isGone)) {
        this.#kept = this.#kept.filter((other) => other !== kept);
        void this.#worker.close(kept.screen).catch(() => undefined); // gone with its thread
        continue;
      }
      ofOne.set(kept.session, own);
      count += 1;
      cells += kept.cells;
    }
  }
}

function requireWanted(signal: AbortSignal): void {
  if (signal.aborted) throw new Failure("runtime_unavailable", "nobody waits for this screen any more");
}

/** What was printed in a row is one step: the terminal lets a timer go by for each. */
function stepsOf(rows: readonly TerminalRow[]): ScreenStep[] {
  const steps: ScreenStep[] = [];
  let printed: Buffer[] = [];
  const print = (): void => {
    if (printed.length > 0) steps.push({ bytes: Buffer.concat(printed) });
    printed = [];
  };
  for (const { payload, bytes } of rows) {
    if (bytes !== null) {
      printed.push(bytes);
      continue;
    }
    print();
    steps.push(eventPayloads.resize.parse(JSON.parse(payload ?? "{}")));
  }
  print();
  return steps;
}

/**
 * Gives live sessions what their queue holds: a message where the session speaks in messages, a paste and Enter where
 * it has a terminal. What a harness is asked in a dialog is no place for a message, and neither is what a person has
 * half typed; then it waits, and is looked at again.
 *
 * A wake is written down with the run before anything of it is typed, and moved when it is known to have been sent. In
 * between only the host knows how far it came, and is asked.
 */
import { Failure } from "../errors.ts";
import type { Log } from "../log.ts";
import type { RunRecord } from "../store/runs.ts";
import type { SessionRecord } from "../store/sessions.ts";
import type { Store } from "../store/store.ts";
import type { WakeRecord } from "../store/wakes.ts";
import type { Activities } from "./activities.ts";
import type { Growth } from "./growth.ts";
import type { InputLeases } from "./input-leases.ts";
import { type Said, sayPasted } from "./pasted-message.ts";
import type { SessionLooks } from "./session-looks.ts";
import type { LiveSessions } from "./sessions.ts";
import type { Terminals } from "./terminal.ts";
import type { LiveDelivery } from "./wake-queue.ts";

/** How long somebody at the keys is left alone after the last one, ms: the pause of a person who thinks. */
const personQuietMs = 10_000;

/**
 * How long a session may be told to wait for a prompt although it was just given one, ms: what is known of it lags
 * behind.
 */
const heardMs = 5000;

/** When a terminal that had no place for a message is looked at again, ms: a draft that goes tells nobody. */
const lookAgainMs = 2000;

export interface LiveWakesOptions {
  readonly store: Store;
  readonly growth: Growth;
  readonly sessions: LiveSessions;
  readonly looks: SessionLooks;
  readonly leases: InputLeases;
  readonly terminals: Pick<Terminals, "quietForMs">;
  readonly activities: Pick<Activities, "of">;
  /** Has the session's queue looked at again. */
  readonly again: (session: string) => void;
  readonly log: Log;
}

export class LiveWakes implements LiveDelivery {
  readonly #options: LiveWakesOptions;
  readonly #timers = new Map<string, NodeJS.Timeout>();
  /** When each was said something last. */
  readonly #saidAt = new Map<string, number>();
  readonly #closing = new AbortController();
  /** The wake that could not be typed last. */
  #troubled: string | undefined;

  constructor(options: LiveWakesOptions) {
    this.#options = options;
  }

  /** Leaves what is under way where it is: the store and the host know enough to go on with it. */
  close(): void {
    this.#closing.abort();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  deliver = async (session: SessionRecord, run: RunRecord, queue: readonly WakeRecord[]): Promise<void> => {
    const wake = nextOf(this.#asAllowed(session, queue), run);
    if (wake === undefined || this.#isClosing()) return;
    try {
      const said = await this.#say(session, run, wake);
      if (said !== undefined) await this.#settle(run, wake, said);
    } catch (err) {
      if (this.#isClosing()) return;
      await this.#onTrouble(run, wake, err);
    }
  };

  /**
   * Nobody knows what a line does to a program whose screens are not known: there only who may type with input, the
   * owner and whoever launched the session, is heard at once. All others wait for its end.
   */
  #asAllowed(session: SessionRecord, queue: readonly WakeRecord[]): readonly WakeRecord[] {
    const { looks, sessions } = this.#options;
    if (session.launch_mode !== "interactive" || looks.patternsOf(session) !== undefined) return queue;
    const mayType = ({ from_session: from }: WakeRecord): boolean =>
      from === null || sessions.isDescendant(session.id, from);
    return queue.map((wake) => (mayType(wake) ? wake : { ...wake, urgency: "idle" }));
  }

  #isClosing = (): boolean => this.#closing.signal.aborted;

  /** Undefined where it waits for something that tells by itself. */
  async #say(session: SessionRecord, run: RunRecord, wake: WakeRecord): Promise<Said | undefined> {
    const { sessions, looks, leases } = this.#options;
    const text = textOf(wake);
    if (session.launch_mode === "nonInteractive") return undefined;
    if (text.trim() === "") return { outcome: "failed", reason: "nothing_to_say: it holds no text" };
    const isBegun = wake.run_id === run.id;
    if (!isBegun && !this.#isTimely(wake)) return undefined;
    if (!isBegun && this.#isUnheard(wake)) return { outcome: "untouched" };
    if (session.launch_mode === "stream") {
      return this.#sayAtOnce(run, wake, () =>
        sessions.input(session.id, { text, keys: Buffer.alloc(0), end: false }, wake.id),
      );
    }
    if (looks.patternsOf(session) === undefined) {
      // Nobody knows when such a program waits.
      if (!isBegun && wake.urgency === "idle") return undefined;
      if (!isBegun && this.#isPersonTyping(session)) return { outcome: "untouched" };
      return this.#sayAtOnce(run, wake, () => sessions.type(run, `${text}\r`, wake.id));
    }
    // Without that, whoever goes on after a crash could not know what was typed.
    if (!sessions.tellsTaken(run)) return undefined;
    const { signal } = this.#closing;
    return sayPasted(
      { session, run, text, key: wake.id },
      {
        sessions,
        looks,
        leases,
        signal,
        mark: () => this.#mark(run, wake),
        isWelcome: () => this.#isWelcome(session, wake),
      },
    );
  }

  async #sayAtOnce(run: RunRecord, wake: WakeRecord, say: () => Promise<void>): Promise<Said> {
    if (!(await this.#mark(run, wake))) return { outcome: "untouched" };
    await say();
    return { outcome: "submitted" };
  }

  /** For what waits for its turn, whether that has come. */
  #isTimely({ urgency, session_id }: WakeRecord): boolean {
    return urgency === "now" || this.#options.activities.of(session_id)?.state === "waiting";
  }

  /** Whether what is known of the session may be older than what it was told last. */
  #isUnheard({ urgency, session_id }: WakeRecord): boolean {
    const saidAt = this.#saidAt.get(session_id);
    if (urgency === "now" || saidAt === undefined || Date.now() - saidAt > heardMs) return false;
    return Date.parse(this.#options.activities.of(session_id)?.since ?? "") <= saidAt;
  }

  /** Whether the composer is there and empty, and for what waits for its turn, whether that has come. */
  async #isWelcome(session: SessionRecord, wake: WakeRecord): Promise<boolean> {
    if (this.#isPersonTyping(session) || !this.#isTimely(wake)) return false;
    const look = await this.#options.looks.now(session, this.#closing.signal);
    if (look?.reading?.kind !== "composer" || look.reading.draft !== "") return false;
    return wake.urgency === "now" || !look.reading.isBusy;
  }

  #isPersonTyping({ id }: SessionRecord): boolean {
    const quietMs = this.#options.terminals.quietForMs(id);
    return quietMs !== undefined && quietMs < personQuietMs;
  }

  /** False where it was taken back meanwhile, or is another run's. */
  async #mark(run: RunRecord, { id }: WakeRecord): Promise<boolean> {
    const { wakes, sessions, writeDurably } = this.#options.store;
    return writeDurably(() => {
      const wake = wakes.find(id);
      if (wake?.state !== "queued" || (wake.run_id ?? run.id) !== run.id) return false;
      if (sessions.statusOf(run.session_id) !== "running") return false;
      if (wake.run_id === null) wakes.setRun(id, run.id);
      return true;
    });
  }

  async #settle(run: RunRecord, wake: WakeRecord, said: Said): Promise<void> {
    const { log } = this.#options;
    const fields = { session: run.session_id, wake: wake.id };
    switch (said.outcome) {
      case "untouched":
        await this.#unmark(wake);
        return this.#later(run.session_id);
      case "interrupted":
        log.info(fields, "a wake was pasted, and waits for its Enter until the composer is seen again");
        return this.#later(run.session_id);
      case "submitted":
        await this.#move(run, wake, (now) => {
          this.#options.store.wakes.enter(now, "delivered");
          this.#options.store.runs.setChain(run.id, now.chain);
        });
        log.info(fields, "a wake was said to a live session");
        this.#remember(run.session_id);
        return this.#goOn(run.session_id);
      case "failed":
        await this.#move(run, wake, (now) =>
          this.#options.store.wakes.enter(now, "failed", { reason: said.reason }),
        );
        log.warn(fields, said.reason);
        return this.#goOn(run.session_id);
    }
  }

  async #move(run: RunRecord, { id }: WakeRecord, move: (now: WakeRecord) => void): Promise<void> {
    const { store, growth } = this.#options;
    await store.writeWhenFree(() => {
      const now = store.wakes.find(id);
      // Its run may have ended, and told what it knew of it.
      if (now?.state === "queued") move(now);
    });
    growth.tell([run.session_id]);
  }

  async #unmark({ id }: WakeRecord): Promise<void> {
    const { store } = this.#options;
    if (store.wakes.find(id)?.run_id === null) return;
    await store.writeWhenFree(() => store.wakes.clearRun(id));
  }

  /** What the host refuses it has not typed; of what it gave no answer to, it is asked next time. */
  async #onTrouble(run: RunRecord, wake: WakeRecord, err: unknown): Promise<void> {
    const { log } = this.#options;
    const code = err instanceof Failure ? err.code : undefined;
    // It may be tried for as long as the session lives.
    const level = this.#troubled === wake.id ? "debug" : "warn";
    this.#troubled = wake.id;
    log[level]({ err, session: run.session_id, wake: wake.id, code }, "a wake could not be typed now");
    const isRefused = code === "input_not_accepted";
    // A paste that was taken stays what it is, also where its Enter was refused.
    if (isRefused && !(await this.#isTaken(run, wake))) await this.#unmark(wake);
    if (code !== "session_not_live") this.#later(run.session_id);
  }

  async #isTaken(run: RunRecord, { id }: WakeRecord): Promise<boolean> {
    const { sessions } = this.#options;
    if (!sessions.tellsTaken(run)) return false;
    return sessions.hasTaken(run, id).catch(() => true); // it is asked again next time
  }

  #remember(session: string): void {
    for (const [other, at] of this.#saidAt) if (Date.now() - at > heardMs) this.#saidAt.delete(other);
    this.#saidAt.set(session, Date.now());
  }

  /** Others may be waiting behind it. */
  #goOn(session: string): void {
    if (this.#options.store.wakes.counts(session).queued === 0) return;
    this.#options.again(session);
    this.#later(session);
  }

  #later(session: string): void {
    if (this.#isClosing() || this.#timers.has(session)) return;
    const look = (): void => {
      this.#timers.delete(session);
      this.#options.again(session);
    };
    this.#timers.set(session, setTimeout(look, lookAgainMs));
  }
}

/** What was begun is brought to its end first; what is wanted now does not wait behind what waits for its turn. */
function nextOf(queue: readonly WakeRecord[], run: RunRecord): WakeRecord | undefined {
  const open = queue.filter(({ id, run_id }) => id !== run.wake_id && (run_id ?? run.id) === run.id);
  return (
    open.find(({ run_id }) => run_id === run.id) ?? open.find(({ urgency }) => urgency === "now") ?? open[0]
  );
}

/** The text as it is typed. */
const textOf = ({ message }: WakeRecord): string =>
  (message ?? "")
    .replace(/\r\n?/g, "\n")
    .replace(/[\0-\x08\x0b-\x1f\x7f-\x9f]/g, "")
    .trimEnd();

/** Looks at the terminals of live sessions, as often as it takes to see something, and for so long at most. */
import { setTimeout as pause } from "node:timers/promises";
import type { SessionRecord } from "../store/sessions.ts";
import type { Growth } from "./growth.ts";
import type { HarnessCatalog } from "./harness-catalog.ts";
import type { ScreenPatterns } from "./harness/screen-patterns.ts";
import { type ScreenReading, readScreen } from "./harness/screen-reading.ts";
import type { ScreenView } from "../text/screen.ts";
import type { Screens } from "./screens.ts";

/** Between two looks at a session that prints all the time, ms. */
const lookPauseMs = 25;

export interface Look {
  readonly patterns: ScreenPatterns;
  readonly view: ScreenView;
  /** Undefined where the screen is not known. */
  readonly reading: ScreenReading | undefined;
}

export interface SessionLooksOptions {
  readonly screens: Screens;
  readonly harnesses: HarnessCatalog;
  readonly growth: Growth;
}

export class SessionLooks {
  readonly #options: SessionLooksOptions;

  constructor(options: SessionLooksOptions) {
    this.#options = options;
  }

  /** Undefined where nobody has said how the harness's screens look. */
  patternsOf({ harness, launch_mode }: SessionRecord): ScreenPatterns | undefined {
    const known = this.#options.harnesses.all().find(({ id }) => id === harness);
    return launch_mode === "interactive" ? known?.screens : undefined;
  }

  /** The session's screen now. Undefined where it cannot be read. */
  async now(session: SessionRecord, signal: AbortSignal): Promise<Look | undefined> {
    const patterns = this.patternsOf(session);
    if (patterns === undefined) return undefined;
    const view = await this.#options.screens.read(session.id, signal);
    return view && { patterns, view, reading: readScreen(patterns, view) };
  }

  /** What `found` finds, looking whenever the session has printed; undefined when the time is over, or the session. */
  async until<T>(
    session: SessionRecord,
    { found, withinMs, signal }: Search<T>,
  ): Promise<{ readonly found: T | undefined; readonly last: Look | undefined }> {
    const over = AbortSignal.any([signal, AbortSignal.timeout(withinMs)]);
    const wakeups = this.#options.growth.wakeups([session.id], over);
    try {
      for (;;) {
        const isLast = over.aborted;
        const last = await this.now(session, signal);
        const value = last && found(last);
        if (value !== undefined || isLast) return { found: value, last };
        await wakeups.next();
        await pause(lookPauseMs);
      }
    } finally {
      wakeups.stop();
    }
  }
}

export interface Search<T> {
  readonly found: (look: Look) => T | undefined;
  readonly withinMs: number;
  /** Looking is given up with it, with a failure. */
  readonly signal: AbortSignal;
}

/**
 * Who waits for the log to grow, in this process. A listener is told only that its session has new rows; it reads
 * them itself, from its own cursor, so a slow one costs nothing and misses nothing.
 */
export type Unsubscribe = () => void;

export class Growth {
  readonly #bySession = new Map<string, Set<() => void>>();
  readonly #ofAll = new Set<() => void>();

  tell(sessions: readonly string[]): void {
    for (const listener of [...this.#ofAll]) listener();
    for (const session of sessions) {
      // A copy: a listener may leave, or another come, while they are told.
      for (const listener of [...(this.#bySession.get(session) ?? [])]) listener();
    }
  }

  /**
   * For a reader that looks, finds nothing, and waits: `next` resolves when one of the sessions (undefined: any at all)
   * has grown since the last `next`, or when the signal aborts. Made before the first look, so that nothing falls
   * between.
   */
  wakeups(
    sessions: readonly string[] | undefined,
    signal: AbortSignal,
  ): { next: () => Promise<void>; stop: () => void } {
    let hasGrown = false;
    let wake: () => void = () => undefined;
    const tell = (): void => {
      hasGrown = true;
      wake();
    };
    const unsubscribes =
      sessions === undefined
        ? [this.#subscribeToAll(tell)]
        : sessions.map((session) => this.subscribe(session, tell));
    signal.addEventListener("abort", tell);
    return {
      next: async () => {
        if (!hasGrown && !signal.aborted) await new Promise<void>((resolve) => (wake = resolve));
        hasGrown = false;
      },
      stop: () => {
        for (const unsubscribe of unsubscribes) unsubscribe();
        signal.removeEventListener("abort", tell);
      },
    };
  }

  #subscribeToAll(listener: () => void): Unsubscribe {
    this.#ofAll.add(listener);
    return () => this.#ofAll.delete(listener);
  }

  subscribe(session: string, listener: () => void): Unsubscribe {
    const listeners = this.#bySession.get(session) ?? new Set();
    this.#bySession.set(session, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.#bySession.delete(session);
    };
  }
}

/**
 * Whose turn it is to type into a session: what has to stand together in a terminal is typed under a lease, and whoever
 * else types meanwhile waits for its end. Nothing is lost by that, and nothing is mixed.
 */
export class InputLeases {
  readonly #held = new Map<string, Promise<unknown>>();

  /** One after the other. The work has to have an end of its own, of few seconds: a person may be waiting for it. */
  async hold<T>(session: string, work: () => Promise<T>): Promise<T> {
    while (this.#held.has(session)) await this.free(session);
    const done = work();
    const turn = done
      .catch(() => undefined) // told to the one that holds it
      .finally(() => this.#held.delete(session));
    this.#held.set(session, turn);
    return done;
  }

  /** Resolves when nobody holds it. */
  async free(session: string): Promise<void> {
    await this.#held.get(session);
  }
}

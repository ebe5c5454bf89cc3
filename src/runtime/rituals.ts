/** The rituals: archive hides an ended session, summon brings it back, sacrifice deletes all that is known of it. */
import type { SessionRecord } from "../store/sessions.ts";
import type { Store } from "../store/store.ts";
import type { Growth } from "./growth.ts";
import type { LiveSessions, Remember } from "./sessions.ts";

export class Rituals {
  readonly #store: Store;
  readonly #growth: Growth;
  readonly #sessions: LiveSessions;

  constructor(store: Store, growth: Growth, sessions: LiveSessions) {
    this.#store = store;
    this.#growth = growth;
    this.#sessions = sessions;
  }

  archive(id: string, remember: Remember = ignore): Promise<SessionRecord> {
    return this.#setArchived(id, true, "archived", remember);
  }

  summon(id: string, remember: Remember = ignore): Promise<SessionRecord> {
    return this.#setArchived(id, false, "summoned", remember);
  }

  /** Deletes the session and all that is known of it, for good. */
  async sacrifice(id: string, remember: Remember = ignore): Promise<void> {
    await this.#store.writeWhenFree(() => {
      this.#sessions.requireEnded(id, "sacrificed");
      this.#store.intents.forgetResults(id);
      this.#store.sessions.remove(id);
      remember(id);
    });
    this.#growth.tell([id]);
    await this.scrub();
  }

  /** Makes unreadable what was deleted. Whoever reads the store meanwhile keeps it from that. */
  scrub(): Promise<void> {
    return this.#store.scrub();
  }

  async #setArchived(
    id: string,
    archived: boolean,
    what: string,
    remember: Remember,
  ): Promise<SessionRecord> {
    const session = await this.#store.writeWhenFree(() => {
      const isArchived = this.#sessions.requireEnded(id, what).archived_at !== null;
      if (isArchived !== archived) this.#store.sessions.setArchived(id, archived);
      remember(id);
      return this.#sessions.get(id);
    });
    // Whatever waits for a turn of it is to know.
    this.#growth.tell([id]);
    return session;
  }
}

const ignore = (): void => undefined;

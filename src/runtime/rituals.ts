/** The rituals: archive hides an ended session, summon brings it back, sacrifice deletes all that is known of it. */
import type { SessionRecord } from "../store/sessions.ts";
import type { Store } from "../store/store.ts";
import type { Growth } from "./growth.ts";
import type { ProjectStates } from "./project-states.ts";
import type { SessionWorktrees } from "./session-worktrees.ts";
import type { LiveSessions, Remember } from "./sessions.ts";

export interface RitualsOptions {
  readonly store: Store;
  readonly growth: Growth;
  readonly sessions: LiveSessions;
  readonly worktrees: SessionWorktrees;
  readonly states: ProjectStates;
}

export class Rituals {
  readonly #store: Store;
  readonly #growth: Growth;
  readonly #sessions: LiveSessions;
  readonly #worktrees: SessionWorktrees;
  readonly #states: ProjectStates;

  constructor({ store, growth, sessions, worktrees, states }: RitualsOptions) {
    this.#store = store;
    this.#growth = growth;
    this.#sessions = sessions;
    this.#worktrees = worktrees;
    this.#states = states;
  }

  archive(id: string, remember: Remember = ignore): Promise<SessionRecord> {
    return this.#setArchived(id, true, "archived", remember);
  }

  summon(id: string, remember: Remember = ignore): Promise<SessionRecord> {
    return this.#setArchived(id, false, "summoned", remember);
  }

  /**
   * Deletes the session and all that is known of it, for good, its worktree first. Answers a branch that is still there.
   * Throws `worktree_not_clean` where work would be lost with it that is not `force`d.
   */
  async sacrifice(id: string, force: boolean, remember: Remember = ignore): Promise<string | undefined> {
    const session = this.#sessions.requireEnded(id, "sacrificed");
    // A look that is under way would come back to what is deleted.
    await this.#states.settle(id);
    const directories = this.#store.runs.directories(id);
    this.#sessions.requireEnded(id, "sacrificed");
    const branch = await this.#worktrees.removeWith(session, force, () =>
      this.#store.writeWhenFree(() => {
        this.#sessions.requireEnded(id, "sacrificed");
        this.#store.intents.forgetResults(id);
        this.#store.sessions.remove(id);
        remember(id);
      }),
    );
    this.#growth.tell([id]);
    await this.#states.tidy(directories);
    await this.scrub();
    return branch;
  }

  /** In words, what of the user's work would be lost with the session, were it forced; empty where nothing would. */
  lostWith(id: string): Promise<string> {
    return this.#worktrees.lostWith(this.#sessions.get(id));
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

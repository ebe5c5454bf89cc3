/**
 * Sessions that run outside Coven and are only registered with it. They have a record and a log but no run: nothing
 * here can feed or end them, their ending is what their owner tells, and neither a stop of the daemon nor the loss of
 * a host touches them.
 */
import { Failure } from "../errors.ts";
import { isLive } from "../events.ts";
import type { SessionRecord } from "../store/sessions.ts";
import type { Store } from "../store/store.ts";
import { redactText } from "../text/redact.ts";
import { cockpitId } from "./casts.ts";
import type { Growth } from "./growth.ts";

const titleWithout = "External session";

export interface Registration {
  readonly id: string;
  readonly projectRoot: string;
  readonly harness: string;
  readonly title?: string | undefined;
  readonly transcriptPath?: string | undefined;
  readonly labels: readonly string[];
}

export class ExternalSessions {
  readonly #store: Store;
  readonly #growth: Growth;

  constructor(store: Store, growth: Growth) {
    this.#store = store;
    this.#growth = growth;
  }

  /** Registers it once; asked again for the same id, answers the record as it is. Throws `session_id_conflict`. */
  async register(input: Registration, remember: (session: string) => void) {
    const { id } = input;
    const registered = await this.#store.writeWhenFree(() => {
      remember(id);
      const known = this.#store.sessions.find(id);
      if (known?.external === false || id === cockpitId) throw ownedByCoven(id);
      if (known) return { session: known, isNew: false };
      const { projectRoot, harness, title, labels, transcriptPath } = input;
      const session = {
        id,
        project_root: projectRoot,
        cwd: projectRoot,
        harness,
        title: redactText(title ?? titleWithout),
        launch_mode: "external",
        labels,
        transcript_path: transcriptPath ?? null,
        external: true,
      };
      this.#store.sessions.create(session, null, "running");
      return { session: this.#get(id), isNew: true };
    });
    this.#growth.tell([id]);
    return registered;
  }

  /** Ends it as its owner says. One that has ended stays as it ended. Throws `not_external_session`. */
  async complete(
    id: string,
    exitCode: number | null,
    remember: (session: string) => void,
  ): Promise<SessionRecord> {
    const completed = await this.#store.writeWhenFree(() => {
      const session = this.#get(id);
      if (!session.external) {
        throw new Failure(
          "not_external_session",
          `session ${id} is run by Coven, which sees its end itself`,
          {
            hint: "Kill it to end it.",
            details: { sessionId: id },
          },
        );
      }
      remember(id);
      if (!isLive(session.status)) return session;
      const status = exitCode === null || exitCode === 0 ? "completed" : "failed";
      this.#store.sessions.move({ session: id, run: null, to: status, exitCode });
      this.#store.events.append(id, null, "exit", { status, exitCode });
      return this.#get(id);
    });
    this.#growth.tell([id]);
    return completed;
  }

  #get(id: string): SessionRecord {
    const session = this.#store.sessions.find(id);
    if (session) return session;
    throw new Failure("session_not_found", `there is no session ${id}`, { details: { sessionId: id } });
  }
}

/** Throws for a live session that Coven does not run. */
export function requireOwn({ id, external, status }: SessionRecord): void {
  if (!external || !isLive(status)) return;
  throw new Failure(
    "external_session_not_killable",
    `session ${id} runs outside Coven, which cannot end it`,
    {
      hint: "End it where it runs, then complete it here.",
      details: { sessionId: id },
    },
  );
}

const ownedByCoven = (id: string): Failure =>
  new Failure("session_id_conflict", `the id ${id} belongs to a session that Coven runs`, {
    hint: "Register it under another id.",
    details: { sessionId: id },
  });

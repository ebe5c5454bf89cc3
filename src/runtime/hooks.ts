/** What the hooks of live harnesses tell: their conversation's id is kept, and what they do is handed on. */
import type { Log } from "../log.ts";
import type { SessionRecord } from "../store/sessions.ts";
import type { Store } from "../store/store.ts";
import { redactText } from "../text/redact.ts";
import type { Growth } from "./growth.ts";
import type { HarnessCatalog } from "./harness-catalog.ts";
import type { ActivitySign } from "./harness/activity-sign.ts";
import type { HookSign } from "./harness/harness.ts";

export type SignListener = (session: string, run: string, sign: HookSign) => void;

export interface HooksOptions {
  readonly store: Store;
  readonly growth: Growth;
  readonly harnesses: HarnessCatalog;
  readonly log: Log;
  readonly listener: SignListener;
}

export class Hooks {
  readonly #options: HooksOptions;

  constructor(options: HooksOptions) {
    this.#options = options;
  }

  /** Resolves when what it tells is kept. An event that tells nothing, or of a harness unknown by now, is none. */
  async hooked(run: string, event: unknown): Promise<void> {
    const { store, harnesses, log, listener } = this.#options;
    const session = store.runs.find(run)?.session_id;
    const record = session === undefined ? undefined : store.sessions.find(session);
    if (session === undefined || record === undefined) return;
    const harness = harnesses.all().find(({ id }) => id === record.harness);
    const told = harness?.signOfHook?.(event);
    if (told === undefined) return;
    if (told.conversation !== undefined && told.conversation !== record.harness_session_id)
      await this.#keep(record, run, told.conversation);
    if (told.sign === undefined) return;
    const { state, evidence } = told.sign;
    log.info({ session, run, state, evidence }, "hook called");
    listener(session, run, withoutSecrets(told, told.sign));
  }

  /**
   * A later wake goes on with what is kept here, and whatever runs inside of a session may call a hook. So only a
   * terminal's run tells it so, where a person may change the conversation and no structured output says which it is;
   * and never is it one that a session of another project has.
   */
  async #keep(session: SessionRecord, run: string, harnessSessionId: string): Promise<void> {
    const { store, growth, log } = this.#options;
    if (session.launch_mode !== "interactive") return;
    const isKept = await store.writeWhenFree(() => {
      // The exit is the last event of a run.
      if (store.runs.find(run)?.ended_at !== null) return true;
      if (store.sessions.isConversationElsewhere(session, harnessSessionId)) return false;
      store.sessions.setHarnessSession(session.id, harnessSessionId);
      store.events.append(session.id, run, "conversation", { harnessSessionId });
      return true;
    });
    if (isKept) growth.tell([session.id]);
    else log.warn({ session: session.id, run }, "a hook told the conversation of another project's session");
  }
}

/** A command that is asked about may hold one. */
function withoutSecrets(told: HookSign, { question, ...sign }: ActivitySign): HookSign {
  if (question === undefined) return told;
  return { ...told, sign: { ...sign, question: { ...question, text: redactText(question.text) } } };
}

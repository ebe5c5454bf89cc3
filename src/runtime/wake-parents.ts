/** Telling a session that what it launched has ended, where it asked for that: once for each run, whatever happens meanwhile. */
import { randomUUID } from "node:crypto";
import { Failure } from "../errors.ts";
import { isLive } from "../events.ts";
import type { Log } from "../log.ts";
import type { RunRecord } from "../store/runs.ts";
import type { SessionRecord } from "../store/sessions.ts";
import type { Store } from "../store/store.ts";
import { formatCursor } from "./cursor.ts";
import type { Growth, Unsubscribe } from "./growth.ts";
import type { LaunchLimits } from "./lineage.ts";
import { requireEndOfChain } from "./wake-chain.ts";
import { endingOf, previewOf } from "./wake-message.ts";
import type { WakeQueue } from "./wake-queue.ts";

/** Pause after the store took no writes, ms. */
const retryMs = 1000;

export interface WakeParentsOptions {
  readonly store: Store;
  readonly growth: Growth;
  readonly queue: WakeQueue;
  readonly limits: () => LaunchLimits;
  readonly log: Log;
}

export class WakeParents {
  readonly #store: Store;
  readonly #options: WakeParentsOptions;
  readonly #followed = new Map<string, Unsubscribe>();
  readonly #underWay = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #isOpen = true;

  constructor(options: WakeParentsOptions) {
    this.#store = options.store;
    this.#options = options;
  }

  /** Tells what has ended while no daemon was there, and follows what goes on. */
  start(): void {
    for (const session of new Set(this.#store.runs.toTell().map(({ session_id }) => session_id)))
      this.follow(session);
  }

  /** Tells nobody anything more; resolves when what was under way is done. */
  async close(): Promise<void> {
    this.#isOpen = false;
    clearTimeout(this.#timer);
    for (const unsubscribe of this.#followed.values()) unsubscribe();
    this.#followed.clear();
    await Promise.all(this.#underWay);
  }

  /** Waits for the end of the session's newest run. */
  follow(session: string): void {
    if (this.#followed.has(session) || !this.#isOpen) return;
    this.#followed.set(
      session,
      this.#options.growth.subscribe(session, () => this.#look(session)),
    );
    this.#look(session);
  }

  #look(session: string): void {
    const status = this.#store.sessions.statusOf(session);
    if (status !== undefined && isLive(status)) return;
    this.#unfollow(session);
    for (const run of this.#store.runs.toTell())
      if (run.session_id === session && run.ended_at !== null) {
        const telling = this.#tell(run).finally(() => this.#underWay.delete(telling));
        this.#underWay.add(telling);
      }
  }

  #unfollow(session: string): void {
    this.#followed.get(session)?.();
    this.#followed.delete(session);
  }

  async #tell(run: RunRecord): Promise<void> {
    const { growth, queue, log } = this.#options;
    try {
      const parent = await this.#store.writeDurably(() => this.#write(run));
      if (parent === undefined) return;
      growth.tell([parent]);
      queue.advance(parent);
    } catch (err) {
      if (!this.#isOpen) return;
      log.warn({ err, session: run.session_id, run: run.id }, "a parent could not be told; trying again");
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.start();
      }, retryMs);
    }
  }

  /** Answers the parent; undefined where there is nobody to tell, or it was told. */
  #write(run: RunRecord): string | undefined {
    const { sessions, runs, wakes, events, storeId } = this.#store;
    const child = sessions.find(run.session_id);
    const parent = child?.parent_id == null ? undefined : sessions.find(child.parent_id);
    if (child === undefined || runs.find(run.id)?.tells_parent !== true) return undefined;
    runs.setTold(run.id);
    if (parent === undefined || !child.wake_parent) return undefined;
    const message = endingOf(
      child,
      run,
      this.#outcomeOf(child, run),
      formatCursor(storeId, events.lastSeq()),
    );
    const id = randomUUID();
    const chain = run.chain + 1;
    wakes.create({
      id,
      session_id: parent.id,
      state: "queued",
      message,
      preview: previewOf(message),
      urgency: "idle",
      due_at: new Date().toISOString(),
      expires_at: null,
      model: null,
      revive: false,
      from_session: child.id,
      chain,
      intent: null,
      releases_run: null,
    });
    const wake = wakes.find(id);
    const refusal = this.#whyNot(parent.id, run, chain);
    if (wake !== undefined && refusal !== undefined) wakes.enter(wake, "failed", { reason: refusal });
    return parent.id;
  }

  #outcomeOf({ id, status }: SessionRecord, run: RunRecord): string {
    const code = run.exit_code === null ? "" : `, exit code ${run.exit_code}`;
    // Woken again since, it says nothing of that run any more.
    const isNewest = this.#store.runs.newest(id)?.id === run.id;
    return `${isNewest ? status : run.exit_code === 0 ? "completed" : "failed"}${code}`;
  }

  #whyNot(session: string, asker: RunRecord, chain: number): string | undefined {
    try {
      requireEndOfChain(this.#store, this.#options.limits(), { session, asker, chain });
      return undefined;
    } catch (error) {
      if (error instanceof Failure) return `${error.code}: ${error.message}`;
      throw error;
    }
  }
}

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
import type { WakeQueue } from "./wake-queue.ts";
import { previewOf } from "./wakes.ts";

/** What is told of a last message, characters: the parent reads on from the cursor if it wants more. */
const messageCharactersMax = 1000;
const titleCharactersMax = 80;

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

  constructor(options: WakeParentsOptions) {
    this.#store = options.store;
    this.#options = options;
  }

  /** Tells what has ended while no daemon was there, and follows what goes on. */
  start(): void {
    for (const { session_id } of this.#store.runs.toTell()) this.follow(session_id);
  }

  close(): void {
    for (const unsubscribe of this.#followed.values()) unsubscribe();
    this.#followed.clear();
  }

  /** Waits for the end of the session's newest run. */
  follow(session: string): void {
    if (this.#followed.has(session)) return;
    this.#followed.set(
      session,
      this.#options.growth.subscribe(session, () => this.#look(session)),
    );
    this.#look(session);
  }

  #look(session: string): void {
    const status = this.#store.sessions.statusOf(session);
    if (status !== undefined && isLive(status)) return;
    this.#followed.get(session)?.();
    this.#followed.delete(session);
    for (const run of this.#store.runs.toTell())
      if (run.session_id === session && run.ended_at !== null) void this.#tell(run);
  }

  async #tell(run: RunRecord): Promise<void> {
    const { growth, queue, log } = this.#options;
    try {
      const parent = await this.#store.writeDurably(() => this.#write(run));
      if (parent === undefined) return;
      growth.tell([parent]);
      queue.advance(parent);
    } catch (err) {
      log.error({ err, session: run.session_id, run: run.id }, "a parent could not be told of an end");
    }
  }

  /** Answers the parent; undefined where there is nobody to tell, or it was told. */
  #write(run: RunRecord): string | undefined {
    const { sessions, runs, wakes, events, storeId } = this.#store;
    const child = sessions.find(run.session_id);
    const parent = child?.parent_id == null ? undefined : sessions.find(child.parent_id);
    if (child === undefined || runs.find(run.id)?.tells_parent !== true) return undefined;
    runs.setTold(run.id);
    if (parent === undefined) return undefined;
    const message = toldOf(child, run, formatCursor(storeId, events.lastSeq()));
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

function toldOf({ id, title, status, exit_code }: SessionRecord, run: RunRecord, cursor: string): string {
  const last = run.last_message ?? run.result?.text;
  const said = last === undefined ? "It said nothing." : `Its last message:\n${shorten(last)}`;
  const code = exit_code === null ? "" : `, exit code ${exit_code}`;
  const error = run.result?.error === undefined ? "" : `\nError: ${shorten(run.result.error)}`;
  return `[Coven] Session ${id} (${title.slice(0, titleCharactersMax)}), which you launched, has ended: ${status}${code}.${error}
${said}
More of it: status or tail of ${id}. Cursor: ${cursor}`;
}

const shorten = (text: string): string =>
  text.length <= messageCharactersMax ? text : `${text.slice(0, messageCharactersMax)}…`;

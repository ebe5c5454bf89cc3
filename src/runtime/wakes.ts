/** Follow-ups to sessions: asking for one, taking it back, and how each stands. Delivering them is the queue's. */
import { randomUUID } from "node:crypto";
import { Failure } from "../errors.ts";
import { isLive } from "../events.ts";
import type { SessionRecord } from "../store/sessions.ts";
import type { Store } from "../store/store.ts";
import type { Urgency, WakeFilter, WakeRecord } from "../store/wakes.ts";
import type { Environments } from "./environment.ts";
import type { Growth } from "./growth.ts";
import type { HarnessCatalog } from "./harness-catalog.ts";
import { requireResumes, resumable } from "./launch-preparation.ts";
import type { LaunchLimits } from "./lineage.ts";
import type { LiveSessions, Remember } from "./sessions.ts";
import { requireEndOfChain } from "./wake-chain.ts";
import { type Hold, holdOf } from "./wake-hold.ts";
import { noCommand, previewOf, saidBy } from "./wake-message.ts";
import type { WakeQueue } from "./wake-queue.ts";

/** Wakes that wait, of one session and in all: far above what a supervisor plans, and the end of a loop that asks. */
const openOfSessionMax = 1000;
const openMax = 100_000;

/**
 * What the waiting ones of a session say together, bytes: twenty of the longest messages, or a thousand long ones. A
 * queue is read whole whenever it is looked at.
 */
const openBytesMax = 10_000_000;

export interface WakeInput {
  readonly session: string;
  readonly message: string;
  /** The same with what goes in front of it. */
  readonly carried?: string | undefined;
  /** When it is wanted; undefined for as soon as may be. */
  readonly dueAt: Date | undefined;
  readonly expiresAt: Date | undefined;
  readonly urgency: Urgency;
  readonly model: string | undefined;
  /** Whether it also wakes a session that was killed or lost. */
  readonly revive: boolean;
}

export interface WakeAsker {
  /** The run that asks; undefined for the owner. */
  readonly run: string | undefined;
  readonly env: Readonly<Record<string, string>> | undefined;
  readonly intentKey: string | undefined;
  readonly remember: Remember | undefined;
}

/** A wake, and why it does not go on by itself. */
export interface ListedWake extends WakeRecord {
  readonly hold: Hold | undefined;
}

export interface WakesOptions {
  readonly store: Store;
  readonly growth: Growth;
  readonly sessions: LiveSessions;
  readonly harnesses: HarnessCatalog;
  readonly environments: Environments;
  readonly queue: WakeQueue;
  readonly limits: () => LaunchLimits;
}

export class Wakes {
  readonly #store: Store;
  readonly #options: WakesOptions;

  constructor(options: WakesOptions) {
    this.#store = options.store;
    this.#options = options;
  }

  /** Throws what says that the session cannot be woken, or not so: nothing has happened then. */
  async wake(input: WakeInput, asker: WakeAsker): Promise<WakeRecord> {
    const { growth, queue, environments } = this.#options;
    const id = randomUUID();
    await this.#store.writeDurably(() => {
      this.#write(id, input, asker);
      asker.remember?.(input.session);
    });
    if (asker.run === undefined) environments.remember(input.session, asker.env);
    growth.tell([input.session]);
    queue.arm();
    queue.advance(input.session);
    return this.get(id);
  }

  /** What an earlier call under the same intent has asked for. */
  asked(intentKey: string): WakeRecord | undefined {
    return this.#store.wakes.findByIntent(intentKey);
  }

  /** Throws `wake_not_found`. */
  get(id: string): WakeRecord {
    const wake = this.#store.wakes.find(id);
    if (wake) return wake;
    throw new Failure("wake_not_found", `there is no wake ${id}`, {
      hint: "List those of a session with wakes.",
      details: { wakeId: id },
    });
  }

  /** Takes one back that still waits. Throws `wake_not_found` or `wake_over`. */
  async unwake(id: string, remember: (session: string) => void): Promise<WakeRecord> {
    const { session_id } = this.get(id);
    await this.#store.writeDurably(() => {
      const wake = this.get(id);
      requireWaiting(wake);
      remember(session_id);
      this.#store.wakes.enter(wake, "cancelled", { reason: "unwake" });
    });
    this.#options.growth.tell([session_id]);
    this.#options.queue.advance(session_id);
    return this.get(id);
  }

  /** Newest first. */
  list(filter: WakeFilter): ListedWake[] {
    const holds = new Map<string, Hold | undefined>();
    return this.#store.wakes.list(filter).map((wake) => {
      if (wake.state !== "queued") return { ...wake, hold: undefined };
      if (!holds.has(wake.session_id)) holds.set(wake.session_id, this.holdOf(wake.session_id));
      return { ...wake, hold: holds.get(wake.session_id) };
    });
  }

  counts(session: string): { pending: number; queued: number; hold: Hold | undefined } {
    const counts = this.#store.wakes.counts(session);
    return { ...counts, hold: counts.queued > 0 ? this.holdOf(session) : undefined };
  }

  holdNow = ({ state, session_id }: WakeRecord): Hold | undefined =>
    state === "queued" ? this.holdOf(session_id) : undefined;

  /** Why the session's queue stands still. */
  holdOf(id: string): Hold | undefined {
    const session = this.#store.sessions.find(id);
    if (session === undefined) return undefined;
    return holdOf(session, this.#store.runs.newest(id), this.#store.wakes.queued(id));
  }

  #write(id: string, input: WakeInput, asker: WakeAsker): void {
    const { sessions, limits } = this.#options;
    const session = sessions.get(input.session);
    const run = this.#store.runs.newest(session.id);
    const askingRun = asker.run === undefined ? undefined : this.#store.runs.find(asker.run);
    const chain = askingRun === undefined ? 0 : askingRun.chain + 1;
    this.#requireWakeable(session, input);
    this.#requireRoom(session.id, Buffer.byteLength(input.message));
    requireEndOfChain(this.#store, limits(), { session: session.id, asker: askingRun, chain });
    const from = askingRun?.session_id ?? null;
    this.#store.wakes.create({
      id,
      session_id: session.id,
      state: input.dueAt === undefined ? "queued" : "pending",
      message: this.#said(input.carried ?? input.message, from, session.id),
      preview: previewOf(input.message),
      urgency: input.urgency,
      due_at: (input.dueAt ?? new Date()).toISOString(),
      expires_at: input.expiresAt?.toISOString() ?? null,
      model: input.model ?? null,
      revive: input.revive,
      from_session: from,
      chain,
      intent: asker.intentKey ?? null,
      releases_run: isLive(session.status) ? null : (run?.id ?? null),
    });
  }

  /** The harness sees who speaks, where that is another session. */
  #said(message: string, from: string | null, to: string): string {
    if (from === null) return message;
    if (from === to) return noCommand(message);
    return saidBy({ id: from, title: this.#store.sessions.find(from)?.title ?? "" }, message);
  }

  #requireWakeable(session: SessionRecord, { revive, message, carried = message, model }: WakeInput): void {
    const { id, status, archived_at } = session;
    const details = { sessionId: id, status };
    if (archived_at !== null) {
      throw new Failure("session_archived", `session ${id} is archived`, {
        hint: "Summon it first.",
        details,
      });
    }
    if ((status === "killed" || status === "orphaned") && !revive) {
      const why = status === "killed" ? "was killed" : "was lost with its host";
      throw new Failure("revive_required", `session ${id} ${why}, and is not woken by accident`, {
        hint: "Pass revive: true (CLI: --revive) if it is to go on all the same.",
        details,
      });
    }
    const { harnesses } = this.#options;
    if (!session.external && isLive(session.status)) requireResumes(session, harnesses);
    else {
      const { launchMode, conversation } = resumable(session, harnesses);
      harnesses.get(session.harness).plan({
        mode: launchMode,
        prompt: carried,
        model,
        permission: undefined,
        addDirs: [],
        conversation: { kind: "resume", id: conversation },
        toolServer: undefined,
        hook: undefined,
      });
    }
  }

  #requireRoom(session: string, bytes: number): void {
    const { pending, queued } = this.#store.wakes.counts(session);
    const refuse = (what: string): never => {
      throw new Failure("limit_exceeded", what, {
        hint: "Take some back with unwake.",
        details: { sessionId: session, openOfSessionMax, openBytesMax, openMax },
      });
    };
    if (pending + queued >= openOfSessionMax)
      refuse(`${pending + queued} wakes of session ${session} wait already`);
    if (this.#store.wakes.openBytes(session) + bytes > openBytesMax)
      refuse(`what waits for session ${session} would be more than ${openBytesMax} bytes`);
    if (this.#store.wakes.openCount() >= openMax) refuse(`${openMax} wakes wait already`);
  }
}

function requireWaiting({ id, state, run_id }: WakeRecord): void {
  if (state === "pending" || (state === "queued" && run_id === null)) return;
  const how =
    state === "queued" ? "is being delivered" : state === "delivered" ? "was delivered" : `is ${state}`;
  throw new Failure("wake_over", `wake ${id} ${how}`, {
    hint: "Only one that still waits can be taken back.",
    details: { wakeId: id, state },
  });
}

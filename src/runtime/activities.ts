/**
 * What live sessions do. Of each that gives signs the newest is kept here, and what follows from all of them in the
 * store, with an event for each change; whoever wants to know after a restart finds the last that was known there, and
 * the sessions are looked at once.
 *
 * A screen is looked at when a hook has said something, and when it has been quiet for a moment: not that it is quiet
 * tells anything, but what it shows. One that is never quiet is looked at now and then.
 */
import { isLive } from "../events.ts";
import type { Log } from "../log.ts";
import type { Activity, SessionRecord } from "../store/sessions.ts";
import type { Store } from "../store/store.ts";
import {
  type Known,
  type Sign,
  fuse,
  isSameActivity,
  nothingKnown,
  settleMs,
  signOfScreen,
} from "./activity-fusing.ts";
import { type AskedQuestion, askedBefore, askedNow, isShown, shownQuestion } from "./asked-question.ts";
import type { Growth, Unsubscribe } from "./growth.ts";
import type { ActivitySign } from "./harness/activity-sign.ts";
import type { ScreenReading } from "./harness/screen-reading.ts";
import type { Sights } from "./sights.ts";

/** A screen that has not changed for so long is looked at, ms: below what a person notices, above a step of drawing. */
const quietMs = 300;
/** Between two looks at a screen that is never quiet, ms: longer each time that it shows nothing new. */
const printingPauseMs = { first: 1000, most: 4000 } as const;
/** Of the time, what looks at screens that are not quiet may take: one part in so many. */
const printingShare = 5;
/** How long an empty composer stands before what was given at the launch shows in it, ms: on a crowded machine, seconds. */
const firstPromptMs = 5000;
/** Longest evidence, characters. */
const evidenceCharactersMax = 200;

export interface ActivitiesOptions {
  readonly store: Store;
  readonly growth: Growth;
  readonly sights: Sights;
  readonly log: Log;
}

/** What has an end of its own works until then; what is spoken to in turns, until its first result. */
const structured = { state: "busy", evidence: "structured output" } as const;

interface Followed {
  readonly session: string;
  readonly run: string;
  readonly unsubscribe: Unsubscribe;
  /** It has begun with what it was given at its launch. */
  hasWorked: boolean;
  known: Known;
  /** As the store has it. */
  told: Sign | undefined;
  asked: AskedQuestion | undefined;
  grownAtMs: number;
  lookedAtMs: number;
  pauseMs: number;
  /** When it is to be looked at although nothing happens. */
  recheckAtMs: number;
  /** What the last look saw, and since when looks have seen the same. */
  seen: { readonly sign: Sign | undefined; readonly sinceMs: number };
  timer: NodeJS.Timeout | undefined;
  timerAtMs: number;
  writing: Promise<void> | undefined;
  isTelling: boolean;
}

export class Activities {
  readonly #store: Store;
  readonly #options: ActivitiesOptions;
  readonly #followed = new Map<string, Followed>();
  readonly #listeners = new Set<(session: string) => void>();
  #printingFreeAtMs = 0;
  #isClosed = false;

  constructor(options: ActivitiesOptions) {
    this.#store = options.store;
    this.#options = options;
  }

  /** Goes on with what lives. */
  start(): void {
    for (const { id } of this.#store.sessions.live()) this.follow(id);
  }

  close(): void {
    this.#isClosed = true;
    for (const followed of [...this.#followed.values()]) this.#leave(followed);
  }

  /** Told after each change, when it is in the log. */
  onChange(listener: (session: string) => void): void {
    this.#listeners.add(listener);
  }

  /** Of a session that lives. */
  of(session: string): Activity | null {
    const record = this.#store.sessions.find(session);
    return record === undefined ? null : this.shown(record);
  }

  /** The same of a record; null of one that does not live: what a lost host has left there is nothing any more. */
  shown(record: SessionRecord): Activity | null {
    const { status, activity, launch_mode, updated_at } = record;
    if (!isLive(status)) return null;
    if (activity !== null) return activity;
    const since = updated_at;
    const isStructured = launch_mode !== "interactive" && this.#options.sights.givesSigns(record);
    if (isStructured) return { ...structured, since };
    return { state: "unknown", evidence: "no sign of it yet", since };
  }

  /** The open question of a session, with what is pressed for its choices as the screen showed them last. */
  questionOf(session: string): AskedQuestion | undefined {
    const asked = this.#followed.get(session)?.asked;
    return asked && isShown(asked) ? asked : undefined;
  }

  /** Follows the newest run of a session from now on, if it gives signs. */
  follow(session: string): void {
    const before = this.#followed.get(session);
    if (before) this.#leave(before);
    const record = this.#store.sessions.find(session);
    const run = this.#store.runs.newest(session);
    if (this.#isClosed || record === undefined || run === undefined || record.external) return;
    const isStream = record.launch_mode === "stream";
    const isInteractive = record.launch_mode === "interactive" && this.#options.sights.givesSigns(record);
    if (!isLive(record.status) || !(isStream || isInteractive)) return;
    const nowMs = performance.now();
    const followed: Followed = {
      session,
      run: run.id,
      unsubscribe: this.#options.growth.subscribe(session, () => {
        if (followed.isTelling) return;
        if (isStream) return this.#read(followed);
        followed.grownAtMs = performance.now();
        this.#arm(followed);
      }),
      ...fromRecord(record),
      grownAtMs: nowMs,
      lookedAtMs: nowMs,
      pauseMs: printingPauseMs.first,
      recheckAtMs: Number.POSITIVE_INFINITY,
      seen: { sign: undefined, sinceMs: nowMs },
      timer: undefined,
      timerAtMs: Number.POSITIVE_INFINITY,
      writing: undefined,
      isTelling: false,
    };
    this.#followed.set(session, followed);
    if (isStream) this.#read(followed);
    else this.#arm(followed);
  }

  /** Looks at the session's screen now and lets its state follow what it shows; undefined where that is not known. */
  async look(session: string): Promise<ScreenReading | undefined> {
    const followed = this.#followed.get(session);
    if (followed === undefined) return undefined;
    const reading = await this.#look(followed);
    await followed.writing;
    return reading;
  }

  /** Takes a sign that a hook gave. `about`: what was asked about or is answered, so that it ends only that question. */
  heard(session: string, run: string, sign: ActivitySign, about?: string): void {
    const followed = this.#followed.get(session);
    if (followed?.run !== run) return;
    const atMs = performance.now();
    followed.recheckAtMs = Math.min(followed.recheckAtMs, atMs + settleMs);
    followed.pauseMs = printingPauseMs.first;
    this.#take(followed, { ...sign, source: "hook", atMs, about });
    this.#arm(followed);
    void this.#look(followed);
  }

  /** A timer for the next look, if there is to be one. */
  #arm(followed: Followed): void {
    const atMs = this.#nextLookMs(followed);
    if (this.#isClosed || atMs >= followed.timerAtMs) return;
    clearTimeout(followed.timer);
    followed.timerAtMs = atMs;
    followed.timer = setTimeout(
      () => {
        followed.timerAtMs = Number.POSITIVE_INFINITY;
        void this.#tick(followed);
      },
      Math.max(1, atMs - performance.now()),
    );
  }

  #nextLookMs({ grownAtMs, lookedAtMs, pauseMs, recheckAtMs }: Followed): number {
    const quietAtMs = grownAtMs + quietMs;
    if (lookedAtMs >= quietAtMs) return recheckAtMs;
    return Math.min(recheckAtMs, quietAtMs, Math.max(lookedAtMs + pauseMs, this.#printingFreeAtMs));
  }

  async #tick(followed: Followed): Promise<void> {
    if (!this.#isCurrent(followed)) return this.#leave(followed);
    const nowMs = performance.now();
    if (nowMs >= this.#nextLookMs(followed)) {
      const isPrinting = nowMs < Math.min(followed.grownAtMs + quietMs, followed.recheckAtMs);
      if (followed.recheckAtMs <= nowMs) followed.recheckAtMs = Number.POSITIVE_INFINITY;
      if (isPrinting) await this.#lookWhilePrinting(followed, nowMs);
      else await this.#look(followed);
    }
    if (this.#isCurrent(followed)) this.#arm(followed);
  }

  async #lookWhilePrinting(followed: Followed, nowMs: number): Promise<void> {
    const before = followed.known.standing?.state;
    // One after the other.
    this.#printingFreeAtMs = nowMs + printingPauseMs.first;
    await this.#look(followed);
    const endedAtMs = performance.now();
    this.#printingFreeAtMs = endedAtMs + (endedAtMs - nowMs) * (printingShare - 1);
    const isNew = before !== followed.known.standing?.state;
    followed.pauseMs = isNew ? printingPauseMs.first : Math.min(followed.pauseMs * 2, printingPauseMs.most);
  }

  async #look(followed: Followed): Promise<ScreenReading | undefined> {
    const { sights, log } = this.#options;
    const atMs = performance.now();
    followed.lookedAtMs = atMs;
    const { grownAtMs } = followed;
    let reading: ScreenReading | undefined;
    let sign: ActivitySign | undefined;
    try {
      reading = await sights.screen(followed.session);
      sign = reading === undefined ? await sights.statusFile(followed.session) : signOfScreen(reading);
    } catch (err) {
      if (this.#isCurrent(followed)) log.warn({ err, session: followed.session }, "a screen was not read");
      return undefined;
    }
    if (!this.#isCurrent(followed)) return reading;
    const source = reading === undefined ? "statusFile" : "screen";
    const seen: Sign | undefined = sign && { ...sign, source, atMs };
    if (!isSameActivity(followed.seen.sign, seen)) followed.seen = { sign: seen, sinceMs: atMs };
    const isQuiet = atMs - grownAtMs >= quietMs && grownAtMs === followed.grownAtMs;
    if (seen) this.#take(followed, { ...seen, isSteady: this.#isSteady(followed, atMs, isQuiet) });
    else this.#tell(followed);
    return reading;
  }

  #isSteady(followed: Followed, atMs: number, isQuiet: boolean): boolean {
    const { seen, hasWorked, session } = followed;
    if (hasWorked || seen.sign?.state !== "waiting" || !this.#options.sights.hasPrompt(session))
      return isQuiet || atMs - seen.sinceMs >= printingPauseMs.first;
    const steadyAtMs = seen.sinceMs + firstPromptMs;
    if (atMs >= steadyAtMs) return true;
    followed.recheckAtMs = Math.min(followed.recheckAtMs, steadyAtMs);
    this.#arm(followed);
    return false;
  }

  #read(followed: Followed): void {
    if (!this.#isCurrent(followed)) return this.#leave(followed);
    const sign = this.#options.sights.structured(followed.session, 0);
    if (sign) this.#take(followed, { ...sign, source: "output", atMs: performance.now() });
  }

  #take(followed: Followed, sign: Sign): void {
    if (sign.state === "busy") followed.hasWorked = true;
    followed.known = fuse(followed.known, sign);
    followed.asked = askedNow(followed.asked, followed.known.standing?.question, followed.run);
    this.#tell(followed);
  }

  /** Writes what has changed, unless the screen is about to tell more of it. */
  #tell(followed: Followed): void {
    const { standing } = followed.known;
    if (isSameActivity(standing, followed.told)) return;
    if (isHeld(standing)) {
      followed.recheckAtMs = Math.min(followed.recheckAtMs, (standing?.atMs ?? 0) + settleMs);
      return this.#arm(followed);
    }
    followed.writing ??= this.#write(followed).finally(() => {
      followed.writing = undefined;
    });
  }

  async #write(followed: Followed): Promise<void> {
    const { growth, log } = this.#options;
    const { session, run } = followed;
    try {
      for (let { standing } = followed.known; standing !== undefined; { standing } = followed.known) {
        if (isSameActivity(standing, followed.told) || isHeld(standing)) return;
        const { asked } = followed;
        const { state, evidence } = standing;
        const isWritten = await this.#store.writeWhenFree(() => {
          // The exit is the last event of a run.
          if (!this.#isCurrent(followed)) return false;
          this.#store.sessions.setActivity(session, run, {
            state,
            evidence: evidence.slice(0, evidenceCharactersMax),
            ...(state === "attention" && asked !== undefined ? { question: shownQuestion(asked) } : {}),
          });
          return true;
        });
        if (!isWritten) return this.#leave(followed);
        followed.told = standing;
        log.debug({ session, run, state, evidence }, "activity");
        followed.isTelling = true;
        growth.tell([session]);
        followed.isTelling = false;
        for (const listener of this.#listeners) listener(session);
      }
    } catch (err) {
      log.warn({ err, session }, "what a session does could not be written down");
    }
  }

  #isCurrent({ session, run }: Followed): boolean {
    const status = this.#isClosed ? undefined : this.#store.sessions.statusOf(session);
    return status !== undefined && isLive(status) && this.#followed.get(session)?.run === run;
  }

  #leave(followed: Followed): void {
    clearTimeout(followed.timer);
    followed.unsubscribe();
    if (this.#followed.get(followed.session) === followed) this.#followed.delete(followed.session);
  }
}

/** A question of which only a hook told is held back for a moment, until the screen has told its choices. */
const isHeld = (sign: Sign | undefined): boolean =>
  sign?.state === "attention" && sign.source !== "screen" && performance.now() - sign.atMs < settleMs;

function fromRecord({
  activity,
  launch_mode,
}: SessionRecord): Pick<Followed, "known" | "told" | "asked" | "hasWorked"> {
  if (activity === null || activity.state === "unknown") {
    const told = launch_mode === "stream" ? { ...structured, source: "output" as const, atMs: 0 } : undefined;
    return { hasWorked: false, known: nothingKnown, told, asked: undefined };
  }
  const { state, evidence, question } = activity;
  const asked = question && askedBefore(question);
  const source = evidence.startsWith("screen") ? "screen" : "hook";
  const sign: Sign = { state, evidence, source, atMs: 0, ...(asked ? { question: asked.question } : {}) };
  return {
    hasWorked: true,
    known: { standing: sign, hook: undefined },
    told: sign,
    asked,
  };
}

/**
 * The life of sessions as the daemon decides it: launch, input, kill and the rituals. Processes belong to the hosts
 * (`host/`), states and rows to the store; here stands what must be true before either is asked.
 */
import { randomUUID } from "node:crypto";
import { Failure } from "../errors.ts";
import { isLive, type LeftProcess } from "../events.ts";
import type { Log } from "../log.ts";
import type { LeftBehind, RunRecord } from "../store/runs.ts";
import type { SessionRecord } from "../store/sessions.ts";
import type { Store } from "../store/store.ts";
import { redactText } from "../text/redact.ts";
import type { Environment, Environments } from "./environment.ts";
import type { Growth } from "./growth.ts";
import type { HarnessCatalog } from "./harness-catalog.ts";
import type { LaunchMode, Permission } from "./harness/harness.ts";
import type { EndsAs } from "./host/run.ts";
import { stillLiving } from "./host/processes.ts";
import type { HostPool } from "./host-pool.ts";
import { type SessionInput, inputFor } from "./input.ts";
import { requireOwn } from "./external.ts";
import { canonicalDirectory, resolvePlace } from "./project-root.ts";

/** Longest title, characters: what a list can show. Less of a prompt serves as one when the caller gives none. */
const titleCharactersMax = { given: 500, prompt: 200 } as const;

/** No process has it: of a run that was never started only its marker can be looked for. */
const noPid = 2 ** 31 - 1;

export interface LaunchInput {
  readonly harness: string;
  readonly projectRoot: string;
  readonly prompt: string;
  readonly cwd?: string | undefined;
  readonly title?: string | undefined;
  readonly model?: string | undefined;
  readonly launchMode: LaunchMode;
  readonly permission?: Permission | undefined;
  readonly addDirs: readonly string[];
  readonly labels: readonly string[];
  readonly conversationId?: string | undefined;
  readonly familiarId?: string | undefined;
  readonly callerFamiliarId?: string | undefined;
  /** The harness's own conversation: the one to resume, or the id a new one is to get. */
  readonly harnessSessionId?: string | undefined;
  readonly resume?: boolean | undefined;
}

export interface Launched {
  readonly session: SessionRecord;
  readonly runId: string;
  /** The seq before the session's first event: a watch from here misses nothing. */
  readonly cursorSeq: number;
}

/** Called inside the transaction that does what was asked, for what is to be remembered with it. */
export type Remember = (session: string) => void;

export interface SessionsOptions {
  readonly store: Store;
  readonly growth: Growth;
  readonly hosts: HostPool;
  readonly harnesses: HarnessCatalog;
  readonly environments: Environments;
  readonly home: string;
  readonly log: Log;
}

export class LiveSessions {
  readonly #store: Store;
  readonly #options: SessionsOptions;
  readonly #reaps = new Set<Promise<void>>();
  readonly #launches = new Set<Promise<void>>();
  #isClosed = false;

  constructor(options: SessionsOptions) {
    this.#store = options.store;
    this.#options = options;
  }

  /** From now on nothing is launched: the daemon is stopping. */
  close(): void {
    this.#isClosed = true;
  }

  find(id: string): SessionRecord | undefined {
    return this.#store.sessions.find(id);
  }

  /** Throws `session_not_found`. */
  get(id: string): SessionRecord {
    const session = this.#store.sessions.find(id);
    if (session) return session;
    throw new Failure("session_not_found", `there is no session ${id}`, {
      hint: "List the sessions; archived ones are shown with includeArchived.",
      details: { sessionId: id },
    });
  }

  newestRun(id: string): RunRecord | undefined {
    return this.#store.runs.newest(id);
  }

  /** Checks everything that can be known before, writes the record, then has a host spawn the harness. */
  launch(
    input: LaunchInput,
    callersEnv: Environment | undefined,
    remember: Remember = ignore,
  ): Promise<Launched> {
    const launch = this.#launch(input, callersEnv, remember);
    const settled = launch.then(ignore, ignore).finally(() => this.#launches.delete(settled));
    this.#launches.add(settled);
    return launch;
  }

  /** What an earlier launch of the session answered, for a caller that did not get its answer. */
  launched(id: string): Launched {
    const session = this.get(id);
    const { events, runs } = this.#store;
    return { session, runId: runs.newest(id)?.id ?? "", cursorSeq: events.firstSeq(id) - 1 };
  }

  async #launch(
    input: LaunchInput,
    callersEnv: Environment | undefined,
    remember: Remember,
  ): Promise<Launched> {
    const { harnesses, environments, hosts } = this.#options;
    const place = resolvePlace(input.projectRoot, input.cwd);
    const addDirs = [...new Set(input.addDirs.map((dir) => canonicalDirectory("addDirs", dir)))];
    const permission =
      input.permission ?? (input.launchMode === "interactive" ? undefined : "workspace-write");
    const plan = harnesses.get(input.harness).plan({
      mode: input.launchMode,
      prompt: input.prompt,
      model: input.model,
      permission,
      addDirs,
      conversation: {
        kind: input.resume === true ? "resume" : "new",
        id: input.harnessSessionId ?? randomUUID(),
      },
    });
    const env = await environments.forCaller(callersEnv);
    const { file, version } = await harnesses.find(input.harness, env);
    const host = await hosts.current();

    if (hosts.storeState() === "store_full") throw storeFull(this.#options.home);

    const sessionId = randomUUID();
    const runId = randomUUID();
    const cursorSeq = this.#store.events.lastSeq();
    await this.#store.writeWhenFree(() => {
      if (this.#isClosed)
        throw new Failure("runtime_unavailable", "the daemon is stopping", { hint: "Start it again." });
      remember(sessionId);
      this.#store.sessions.create(
        {
          id: sessionId,
          project_root: place.projectRoot,
          cwd: place.cwd,
          harness: input.harness,
          title: redactText(titleOf(input)),
          launch_mode: input.launchMode,
          permission: permission ?? null,
          model: input.model ?? null,
          add_dirs: addDirs,
          labels: input.labels,
          conversation_id: input.conversationId ?? null,
          familiar_id: input.familiarId ?? null,
          caller_familiar_id: input.callerFamiliarId ?? null,
        },
        runId,
      );
      this.#store.runs.create(runId, sessionId);
      this.#store.runs.giveTo(runId, host.pid);
    });
    this.#options.growth.tell([sessionId]);

    await host.call("launch", {
      runId,
      sessionId,
      harness: input.harness,
      file,
      args: [...plan.args],
      cwd: place.cwd,
      env: { ...env, ...this.#runEnvironment(sessionId, runId, plan.transport) },
      transport: plan.transport,
      format: plan.format,
      stdin: plan.stdin,
      prompt: input.prompt,
      harnessSessionId: plan.harnessSessionId,
      version,
      launchMode: input.launchMode,
      permission: permission ?? null,
      model: input.model ?? null,
      endsIdle: input.conversationId !== undefined,
    });
    return { session: this.get(sessionId), runId, cursorSeq };
  }

  /**
   * What comes again under the same key is not typed again. Throws `input_not_accepted` for what the session's mode
   * does not take.
   */
  async input(id: string, input: SessionInput, inputKey?: string): Promise<void> {
    const { session, run, host } = this.#live(id);
    const messageOf = (text: string) => this.#options.harnesses.get(session.harness).message?.(text);
    await host.call("input", { runId: run.id, ...inputFor(session, input, messageOf), inputKey });
  }

  /** Throws `session_not_found` or `session_not_live`. */
  requireLive(id: string): void {
    this.#live(id);
  }

  async resize(id: string, columns: number, rows: number): Promise<void> {
    const { run, host } = this.#live(id);
    await host.call("resize", { runId: run.id, columns, rows });
  }

  /**
   * Whether somebody is at the keys of the session's terminal now. Answers the place in the log from which on the
   * terminal's queries are theirs to answer, undefined where no process asks any.
   */
  async attached(id: string, isAttached: boolean): Promise<number | undefined> {
    const run = this.#store.runs.newest(id);
    const host = this.#options.hosts.get(run?.host_pid ?? null);
    const answer = await host?.call("attached", { runId: run?.id ?? "", count: isAttached ? 1 : 0 });
    return answer?.seq;
  }

  /** Ends the whole process tree. Throws `kill_failed` naming what survived; the session stays live then. */
  async kill(id: string, graceMs: number, endsAs: EndsAs = "killed"): Promise<SessionRecord> {
    if (this.leftBehind(id).length > 0) return this.#endLeftBehind(id, graceMs);
    requireOwn(this.get(id));
    const { run, host } = this.#live(id);
    const { survivors, status } = await host.call("kill", { runId: run.id, graceMs, as: endsAs });
    requireNone(id, survivors);
    const session = this.get(id);
    // A full disk or a held store keeps the ending from the log for now; the processes are gone all the same.
    return isLive(session.status) ? { ...session, status: status ?? endsAs, exit_code: null } : session;
  }

  /** What the newest run of an ended session left running and still runs. */
  leftBehind(id: string): readonly LeftBehind[] {
    const run = this.#store.runs.newest(id);
    if (run === undefined || run.ended_at === null || run.left_behind.length === 0) return [];
    const living = new Set(stillLiving(run.left_behind).map(({ pid }) => pid));
    return run.left_behind.filter(({ pid }) => living.has(pid));
  }

  async #endLeftBehind(id: string, graceMs: number): Promise<SessionRecord> {
    const run = this.#store.runs.newest(id);
    if (run !== undefined) {
      const known = this.leftBehind(id).map(({ pid, startTime }) => ({ pid, startTime }));
      const host = await this.#options.hosts.current();
      const { survivors } = await host.call("reap", { ...leftoverOf(run), known, graceMs });
      requireNone(id, survivors);
    }
    return this.get(id);
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
      this.requireEnded(id, "sacrificed");
      this.#store.sessions.remove(id);
      this.#store.intents.forgetResults(id);
      remember(id);
    });
    await this.#store.scrub();
    this.#options.growth.tell([id]);
  }

  /** Ends every live session, as the daemon stops. Answers those that were ended and those that were not. */
  async orphanAll(graceMs: number): Promise<{ ended: SessionRecord[]; survived: SessionRecord[] }> {
    await Promise.all(this.#launches);
    const ended: SessionRecord[] = [];
    const survived: SessionRecord[] = [];
    const endOne = async (session: SessionRecord): Promise<void> => {
      try {
        ended.push(await this.kill(session.id, graceMs, "orphaned"));
      } catch (err) {
        // It may have ended by itself meanwhile, which is what was wanted.
        if (!isLive(this.get(session.id).status)) return;
        this.#options.log.error({ err, session: session.id }, "a session could not be ended");
        survived.push(session);
      }
    };
    await Promise.all([...this.#store.sessions.live().map(endOne), ...this.#reaps]);
    return { ended, survived };
  }

  /** What lost hosts held is over: the sessions become `orphaned`, and their leftover processes are ended. */
  orphanLostRuns(isLost: (run: RunRecord) => boolean): void {
    const { log } = this.#options;
    const lost = this.#store.runs.open().filter(isLost);
    const reason = "the host that held the process is gone";
    for (const run of lost) {
      try {
        if (!this.#recordLost(run, reason)) continue;
      } catch (err) {
        log.error({ err, session: run.session_id }, "a lost session could not be marked");
        continue;
      }
      this.#options.growth.tell([run.session_id]);
      log.warn({ session: run.session_id, pid: run.pid, code: "orphaned" }, reason);
      const reap = this.#reap(run).finally(() => this.#reaps.delete(reap));
      this.#reaps.add(reap);
    }
  }

  /** False when its host has told the ending after all. */
  #recordLost(run: RunRecord, reason: string): boolean {
    return this.#store.write(() => {
      if (this.#store.runs.find(run.id)?.ended_at !== null) return false;
      this.#store.runs.ended({ id: run.id, exitCode: null, signal: null, reason });
      this.#store.sessions.move({ session: run.session_id, run: run.id, to: "orphaned", reason });
      this.#store.events.append(run.session_id, run.id, "exit", {
        status: "orphaned",
        exitCode: null,
        reason,
      });
      return true;
    });
  }

  async #reap(run: RunRecord): Promise<void> {
    const { hosts, log } = this.#options;
    try {
      const { survivors } = await (await hosts.current()).call("reap", leftoverOf(run));
      if (survivors.length === 0) return;
      log.error({ session: run.session_id, survivors, code: "kill_failed" }, "leftover processes survive");
    } catch (err) {
      log.error({ err, session: run.session_id, pid: run.pid }, "leftover processes could not be looked for");
    }
  }

  #live(id: string) {
    const session = this.get(id);
    const run = this.#store.runs.newest(id);
    const host = this.#options.hosts.get(run?.host_pid ?? null);
    if (isLive(session.status) && run && host) return { session, run, host };
    if (isLive(session.status) && this.#options.hosts.isOutOfReach(run?.host_pid ?? null)) {
      throw new Failure(
        "runtime_unavailable",
        `session ${id} is held by a host that this daemon cannot speak to`,
        {
          hint: "It goes on. Start the Coven that launched it, a newer one perhaps, to reach it.",
          details: { sessionId: id, hostPid: run?.host_pid },
        },
      );
    }
    throw new Failure("session_not_live", `session ${id} is not live (${session.status})`, {
      hint: "Look at its status and output, or launch a new session.",
      details: { sessionId: id, status: session.status },
    });
  }

  /** Throws `session_live`, saying what cannot be done to it (a participle). */
  requireEnded(id: string, what: string): SessionRecord {
    const session = this.get(id);
    if (!isLive(session.status)) return session;
    throw new Failure("session_live", `session ${id} is live and cannot be ${what}`, {
      hint: "Kill it or wait for its end first.",
      details: { sessionId: id, status: session.status },
    });
  }

  #setArchived(id: string, archived: boolean, what: string, remember: Remember): Promise<SessionRecord> {
    return this.#store.writeWhenFree(() => {
      const isArchived = this.requireEnded(id, what).archived_at !== null;
      if (isArchived !== archived) this.#store.sessions.setArchived(id, archived);
      remember(id);
      return this.get(id);
    });
  }

  #runEnvironment(sessionId: string, runId: string, transport: "pty" | "pipes"): Environment {
    return {
      COVEN_HOME: this.#options.home,
      COVEN_SESSION_ID: sessionId,
      COVEN_RUN_ID: runId,
      ...(transport === "pty" ? { TERM: "xterm-256color" } : {}),
    };
  }
}

const storeFull = (home: string, cause?: unknown): Failure =>
  new Failure("store_full", `the disk that holds ${home} is full`, {
    hint: "Free some space and launch again; live sessions are paused meanwhile and go on by themselves.",
    details: { home },
    cause,
  });

const leftoverOf = (run: RunRecord) => ({
  runId: run.id,
  pid: run.pid ?? noPid,
  startTime: run.pid_started_at ?? "",
});

/** Throws `kill_failed` naming what survived. */
function requireNone(id: string, survivors: readonly LeftProcess[]): void {
  if (survivors.length === 0) return;
  const named = survivors.map(({ pid, command }) => `${pid} (${command})`).join(", ");
  throw new Failure("kill_failed", `of session ${id} these processes could not be ended: ${named}`, {
    hint: "End them by hand, then kill the session again.",
    details: { sessionId: id, survivors },
  });
}

const ignore = (): void => undefined;

const titleOf = ({ title, prompt }: LaunchInput): string =>
  title === undefined
    ? shorten(prompt.trim(), titleCharactersMax.prompt)
    : shorten(title, titleCharactersMax.given);

const shorten = (text: string, charactersMax: number): string =>
  text.length <= charactersMax ? text : `${text.slice(0, charactersMax)}…`;

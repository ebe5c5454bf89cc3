/** Launching: what must be true before a harness is started, the record that is written first, and the spawn. */
import { randomUUID } from "node:crypto";
import { Failure } from "../errors.ts";
import type { SessionRecord } from "../store/sessions.ts";
import type { Store } from "../store/store.ts";
import { redactText } from "../text/redact.ts";
import type { Environment, Environments } from "./environment.ts";
import type { Growth } from "./growth.ts";
import type { HarnessCatalog } from "./harness-catalog.ts";
import type { LaunchMode, Permission } from "./harness/harness.ts";
import type { HostLink } from "./host/link.ts";
import type { LaunchSpec } from "./host/protocol.ts";
import type { HostPool } from "./host-pool.ts";
import type { Leftovers } from "./leftovers.ts";
import { canonicalDirectory, resolvePlace } from "./project-root.ts";
import type { LiveSessions, Remember } from "./sessions.ts";

/** Longest title, characters: what a list can show. Less of a prompt serves as one when the caller gives none. */
const titleCharactersMax = { given: 500, prompt: 200 } as const;

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

export interface LaunchesOptions {
  readonly store: Store;
  readonly growth: Growth;
  readonly hosts: HostPool;
  readonly harnesses: HarnessCatalog;
  readonly environments: Environments;
  readonly sessions: LiveSessions;
  readonly leftovers: Leftovers;
  readonly home: string;
}

export class Launches {
  readonly #options: LaunchesOptions;
  readonly #underWay = new Set<Promise<void>>();
  #isClosed = false;

  constructor(options: LaunchesOptions) {
    this.#options = options;
  }

  /** From now on nothing is launched: the daemon is stopping. Resolves when what was under way is done. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#underWay);
  }

  /** Checks everything that can be known before, writes the record, then has a host spawn the harness. */
  launch(
    input: LaunchInput,
    callersEnv: Environment | undefined,
    remember: Remember = ignore,
  ): Promise<Launched> {
    const launch = this.#launch(input, callersEnv, remember);
    const settled = launch.then(ignore, ignore).finally(() => this.#underWay.delete(settled));
    this.#underWay.add(settled);
    return launch;
  }

  /** What an earlier launch of the session answered, for a caller that did not get its answer. */
  launched(id: string): Launched {
    const session = this.#options.sessions.get(id);
    const { events, runs } = this.#options.store;
    return { session, runId: runs.newest(id)?.id ?? "", cursorSeq: events.firstSeq(id) - 1 };
  }

  async #launch(
    input: LaunchInput,
    callersEnv: Environment | undefined,
    remember: Remember,
  ): Promise<Launched> {
    const { harnesses, environments, hosts, store, sessions } = this.#options;
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
    const cursorSeq = store.events.lastSeq();
    await store.writeWhenFree(() => {
      if (this.#isClosed)
        throw new Failure("runtime_unavailable", "the daemon is stopping", { hint: "Start it again." });
      remember(sessionId);
      store.sessions.create(
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
      store.runs.create(runId, sessionId);
      store.runs.giveTo(runId, host.pid);
    });
    this.#options.growth.tell([sessionId]);

    const spec: LaunchSpec = {
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
    };
    await host.call("launch", spec).catch((error: unknown) => this.#settle(runId, host, error));
    return { session: sessions.get(sessionId), runId, cursorSeq };
  }

  /**
   * A host that lives and gave no answer has the run all the same: it is launched as far as anybody knows, its log says
   * what comes of it, and told as failed it would be launched again. Throws what went wrong otherwise.
   */
  async #settle(runId: string, host: HostLink, error: unknown): Promise<void> {
    const { hosts, leftovers } = this.#options;
    const code = error instanceof Failure ? error.code : "internal_error";
    if (code === "runtime_unavailable" && hosts.lives(host.pid)) return;
    // The host has told the log of a launch that failed there; nobody else would tell of any other.
    if (code !== "launch_failed")
      await leftovers.orphanLostRuns(({ id }) => id === runId, "it could not be handed to a host");
    throw error;
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

const storeFull = (home: string): Failure =>
  new Failure("store_full", `the disk that holds ${home} is full`, {
    hint: "Free some space and launch again; live sessions are paused meanwhile and go on by themselves.",
    details: { home },
  });

const ignore = (): void => undefined;

const titleOf = ({ title, prompt }: LaunchInput): string =>
  title === undefined
    ? shorten(prompt.trim(), titleCharactersMax.prompt)
    : shorten(title, titleCharactersMax.given);

const shorten = (text: string, charactersMax: number): string =>
  text.length <= charactersMax ? text : `${text.slice(0, charactersMax)}…`;

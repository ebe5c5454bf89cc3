/**
 * The environment of a harness: the daemon's own first, gaps filled from the user's login shell (a daemon started by
 * a desktop or a service knows little of it), then what the caller runs with. What belongs to an agent session around
 * the caller is left out. It is made for every launch and never stored.
 */
import { shellEnv } from "shell-env";
import { withoutAgentVariables } from "../text/agent-environment.ts";

export type Environment = Readonly<Record<string, string>>;

/** Sessions whose callers' environments are kept at most: those that are likely to be woken, at some 10 KB each. */
const rememberedMax = 500;

/** How long the login shell may take, ms; a profile that hangs must not keep sessions from starting. */
const loginShellMsMax = 3000;

export class Environments {
  /** The daemon's own, without what belongs to an agent session around it. */
  readonly own: Environment;
  #login: Promise<Environment> | undefined;
  /** By session, the one remembered last at the end. */
  readonly #callers = new Map<string, Environment>();

  constructor(own: NodeJS.ProcessEnv) {
    this.own = withoutAgentVariables(defined(own));
  }

  /** Asks the login shell ahead of the first launch, which would else wait for it. */
  prepare(): void {
    this.#login ??= loginEnvironment();
  }

  /** What a session was launched with is kept in memory only, for its later runs; the first that is given counts. */
  remember(session: string, callers: Environment | undefined): void {
    if (callers === undefined || this.#callers.has(session)) return;
    this.#callers.set(session, callers);
    for (const oldest of this.#callers.keys()) {
      if (this.#callers.size <= rememberedMax) break;
      this.#callers.delete(oldest);
    }
  }

  /** What a later run of the session is given: as at its launch, as far as this daemon was there. */
  forSession = (session: string): Promise<Environment> => this.forCaller(this.#callers.get(session));

  async forCaller(callers: Environment | undefined): Promise<Environment> {
    this.#login ??= loginEnvironment();
    return { ...(await this.#login), ...this.own, ...withoutAgentVariables(callers ?? {}) };
  }
}

async function loginEnvironment(): Promise<Environment> {
  const timeout = new Promise<Environment>((resolve) => setTimeout(resolve, loginShellMsMax, {}).unref());
  // A broken profile costs the gaps it would have filled, nothing else.
  const asked = shellEnv().then(defined, () => ({}));
  return withoutAgentVariables(await Promise.race([asked, timeout]));
}

function defined(env: NodeJS.ProcessEnv): Environment {
  const entries = Object.entries(env).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  );
  return Object.fromEntries(entries);
}

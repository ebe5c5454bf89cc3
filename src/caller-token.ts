/**
 * Which run a program belongs to that wants to speak to Coven. It knows by its own environment, or by that of the
 * programs that started it: harnesses hand on less than they have, and Codex gives its MCP servers and shells hardly
 * anything. What belongs to a run and cannot find its token must not be taken for the owner.
 *
 * Where the environments of other processes cannot be read (outside Linux), only its own counts.
 */
import { readFileSync, realpathSync } from "node:fs";
import { Failure } from "./errors.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** More programs than lie between a harness and what its tools start; a loop of parents is impossible anyway. */
const ancestorsMax = 32;

/**
 * The token to show to the Coven of this home; undefined for the owner. A run of another Coven is nobody's here. Throws
 * `not_permitted` inside of a run whose token is not to be found.
 */
export function callersToken(env: Environment, home: string, pid = process.ppid): string | undefined {
  let marker: string | undefined;
  for (const each of [env, ...ancestorsOf(pid)]) {
    const { COVEN_TOKEN: token, COVEN_RUN_ID: run, COVEN_HOME: itsHome } = each;
    if (run && itsHome && canonical(itsHome) !== canonical(home)) continue;
    if (token) return token;
    // What stands between may have been given less: Codex keeps from its shells what is called a token.
    if (run) marker ??= run;
  }
  if (marker !== undefined) throw withoutToken(marker);
  return undefined;
}

/** Whether a token is a run's (`runtime/run-tokens.ts`), and not the owner's. */
export const isRunToken = (token: string): boolean => token.startsWith("coven_run_");

/** The environments of the processes from this one upwards, as they were started with. */
function* ancestorsOf(pid: number): Generator<Environment> {
  let next = pid;
  for (let seen = 0; next > 1 && seen < ancestorsMax; seen += 1) {
    const [environment, status] = [read(`/proc/${next}/environ`), read(`/proc/${next}/stat`)];
    if (environment === undefined || status === undefined) return;
    yield variablesOf(environment);
    // The name, in parentheses, may hold anything; after it come the state and the parent.
    next = Number(status.slice(status.lastIndexOf(")") + 2).split(" ")[1]);
  }
}

/** A home may be named by a link, or with a slash behind it. */
function canonical(home: string): string {
  try {
    return realpathSync(home);
  } catch {
    return home; // it is not there, and so no other name of one that is
  }
}

/** Undefined for what has ended, belongs to somebody else, or is not told by this system. */
function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

function variablesOf(environment: string): Environment {
  const wanted = environment.split("\0").flatMap((line) => {
    const [, name, value] = /^(COVEN_TOKEN|COVEN_RUN_ID|COVEN_HOME)=([^]*)$/.exec(line) ?? [];
    return name === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(wanted);
}

const withoutToken = (run: string): Failure =>
  new Failure("not_permitted", `this program belongs to the Coven run ${run}, and was not given its token`, {
    hint: "Have its environment handed on: COVEN_TOKEN (and COVEN_HOME). Without it a run could pass for the owner.",
    details: { runId: run },
  });

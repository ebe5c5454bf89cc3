/**
 * The token of each run: it stands in the environment of the run's process, so that a call made there is known to be
 * that run's. The store keeps its hash alone, and it is of use only while the run lives.
 */
import { createHash, randomBytes } from "node:crypto";
import { Failure } from "../errors.ts";
import type { RunRecord } from "../store/runs.ts";
import type { Store } from "../store/store.ts";

/** Not to be guessed, bytes. */
const tokenBytes = 32;

export interface RunToken {
  readonly token: string;
  readonly hash: string;
}

/** Its beginning lets the redaction know it, should a harness print its environment. */
export function newRunToken(): RunToken {
  const token = `coven_run_${randomBytes(tokenBytes).toString("base64url")}`;
  return { token, hash: hashOf(token) };
}

const hashOf = (token: string): string => createHash("sha256").update(token).digest("hex");

/** The run whose token it is, and its session. Throws `unauthenticated`. */
export function runOfToken({ runs }: Pick<Store, "runs">, token: string): { run: string; session: string } {
  const run = runs.findByToken(hashOf(token));
  if (run === undefined) {
    const why = token === "" ? "authorization holds no bearer token" : "the token is not known here";
    throw new Failure("unauthenticated", why, {
      hint: "It may belong to another COVEN_HOME, or to a session that was sacrificed. A run finds its own in COVEN_TOKEN.",
    });
  }
  requireUnended(run);
  return { run: run.id, session: run.session_id };
}

/** Throws `unauthenticated` where the run has ended, or is gone with its session. */
export function requireUnended(run: Pick<RunRecord, "session_id" | "ended_at"> | undefined): void {
  if (run?.ended_at === null) return;
  const whose = run === undefined ? "" : ` (session ${run.session_id})`;
  throw new Failure("unauthenticated", `the run of this token has ended${whose}`, {
    hint: "A token lives as long as its run. Whoever goes on asks with a token of their own, or as the owner without one.",
    ...(run === undefined ? {} : { details: { sessionId: run.session_id } }),
  });
}

/** One daemon a home: no other may hold its lock, and nobody else its socket. */
import { closeSync, openSync, rmSync } from "node:fs";
import { flockSync } from "fs-ext";
import { Failure } from "./errors.ts";
import type { Home } from "./home.ts";
import { isNotListening } from "./rpc/answers.ts";
import { createClient } from "./rpc/client.ts";

/** The lock goes with the process, however that ends. Throws `daemon_running`. */
export function lockHome(home: Home): () => void {
  const fd = openSync(home.lock, "a", 0o600);
  try {
    flockSync(fd, "exnb");
  } catch (cause) {
    closeSync(fd);
    throw new Failure("daemon_running", `another daemon already serves ${home.root}`, {
      hint: "coven daemon status shows it; coven daemon restart replaces it.",
      details: { home: home.root },
      cause,
    });
  }
  return () => closeSync(fd);
}

/** How long a stranger on our socket may take to say who it is, ms. */
const foreignAnswerMsMax = 2000;

/** With the lock ours, whoever answers on the socket is no daemon of ours: it is named and left alone. */
export async function requireFreeSocket(home: Home): Promise<void> {
  const client = createClient({ kind: "socket", path: home.socket }, "daemon");
  const answer = await client.health(AbortSignal.timeout(foreignAnswerMsMax)).catch((error: unknown) => {
    if (isNotListening(error)) return undefined;
    throw foreign(home, error instanceof Error ? error.message : String(error));
  });
  if (answer !== undefined) throw foreign(home, `it answers ${JSON.stringify(answer).slice(0, 300)}`);
  rmSync(home.socket, { force: true });
}

const foreign = (home: Home, what: string): Failure =>
  new Failure(
    "foreign_daemon",
    `another program, perhaps the published Coven daemon, serves ${home.socket}: ${what}`,
    {
      hint: "Stop it first, or set COVEN_HOME to another folder. It was left alone.",
      details: { socket: home.socket },
    },
  );

/** Staying with one session while the daemon is away, with a person who may leave. */
import { Failure } from "../errors.ts";
import { type Waiting, awayMsMax, isAway } from "../rpc/patience.ts";
import { shortId } from "./ids.ts";

/** Stays with a session over restarts; undefined when they left. Patience that ends says how to come back. */
export async function stayingWith<T>(
  session: string,
  leaving: AbortSignal,
  stay: (waiting: Waiting) => Promise<T>,
): Promise<T | undefined> {
  const keys = process.stdin.isTTY && process.stdout.isTTY ? ", ctrl-] leaves" : "";
  const away = (): void => {
    process.stderr.write(`\ncoven: the daemon is away; waiting for it${keys}\n`);
  };
  try {
    return await stay({ leaving, away });
  } catch (error) {
    if (leaving.aborted) return undefined;
    if (!isAway(error)) throw error;
    const seconds = Math.round(awayMsMax / 1000);
    throw new Failure("runtime_unavailable", `the daemon stayed away for ${seconds} s; the session goes on`, {
      hint: `coven rejoin ${shortId(session)} comes back to it once the daemon runs.`,
      details: { session },
      cause: error,
    });
  }
}

/** The daemon, as a bridge calls it: found again when it was restarted, started when it is needed and may be. */
import { setTimeout as pause } from "node:timers/promises";
import * as z from "zod";
import { capabilities } from "../capabilities/registry.ts";
import { Failure } from "../errors.ts";
import { isNotListening } from "../rpc/answers.ts";
import { createClient } from "../rpc/client.ts";
import { type Endpoint } from "../rpc/endpoint.ts";
import type { McpOptions } from "./server.ts";

export interface BridgeStart {
  readonly endpoint: Endpoint;
  /** Undefined where the daemon is not ours to start. */
  readonly startDaemon: (() => Promise<unknown>) | undefined;
  /** What a harness that is launched here gets. */
  readonly env: Readonly<Record<string, string>>;
}

export interface Bridge extends Pick<McpOptions, "invoke" | "changes"> {
  /** Whether a daemon is there now. */
  readonly isServing: () => Promise<boolean>;
}

/** Between two looks for a daemon whose events are followed, ms. */
const lookAgainMs = 1000;

/** The actions by which a harness is launched, which is given what the bridge runs with. */
const launching: ReadonlySet<string> = new Set(["run", "cast"]);

export function createBridge({ endpoint, startDaemon, env }: BridgeStart): Bridge {
  const client = createClient(endpoint, "mcp");

  /** Calls that find no daemon at once wait for one start. */
  let starting: Promise<unknown> | undefined;
  const start = (begin: () => Promise<unknown>): Promise<unknown> =>
    (starting ??= begin().finally(() => (starting = undefined)));

  return {
    async invoke(name, input, { signal, intentId }) {
      const call = (): Promise<unknown> =>
        client.call(name, argumentsOf.parse(input), {
          signal,
          ...(intentId === undefined ? {} : { intentId }),
          ...(launching.has(name) ? { env } : {}),
        });
      try {
        return await call();
      } catch (error) {
        if (signal.aborted) throw error;
        if (isNotListening(error)) {
          if (startDaemon === undefined) throw error;
          await start(startDaemon);
        } else if (!isLost(error) || !isRead(name)) throw error;
        return call();
      }
    },

    async *changes(signal) {
      while (!signal.aborted) {
        try {
          yield* client.changes(signal);
        } catch (error) {
          if (!(error instanceof Failure) || error.code !== "runtime_unavailable") throw error;
        }
        await pause(lookAgainMs, undefined, { signal, ref: false }).catch(() => undefined);
      }
    },

    isServing: () =>
      client.health().then(
        () => true,
        () => false,
      ),
  };
}

const argumentsOf = z.record(z.string(), z.unknown());

/** The daemon went away while the call was on its way; what it has done of it is not known. */
const isLost = (error: unknown): boolean =>
  error instanceof Failure &&
  error.code === "runtime_unavailable" &&
  error.cause instanceof Error &&
  "code" in error.cause &&
  (error.cause.code === "ECONNRESET" || error.cause.code === "EPIPE");

const isRead = (name: string): boolean => capabilities.get(name)?.effect === "read";

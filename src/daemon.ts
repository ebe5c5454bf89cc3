/**
 * The daemon of one home, from its lock to its end; `compose.ts` makes what it consists of.
 *
 * The order matters: the home is made safe, the lock taken, the store opened and the hosts reached before the socket
 * is bound, so that whoever can connect finds a daemon that knows its sessions.
 */
import { rmSync } from "node:fs";
import type { FastifyInstance } from "fastify";
import * as z from "zod";
import { dataPlaneFor } from "./capabilities/data-plane.ts";
import type { Invoke } from "./capabilities/capability.ts";
import { createInvoke } from "./capabilities/invoke.ts";
import { Failure } from "./errors.ts";
import { type Home, prepareHome } from "./home.ts";
import { type Log, openLog } from "./log.ts";
import { type LoopbackAddress, addressText } from "./loopback-address.ts";
import { ensureOwnerToken, isOwnerToken } from "./owner-token.ts";
import { createMcpEndpoint } from "./mcp/endpoint.ts";
import { createClient } from "./rpc/client.ts";
import { listen } from "./rpc/listener.ts";
import { listenOnLoopback } from "./rpc/loopback.ts";
import type { Services, Stopped } from "./rpc/services.ts";
import { compose } from "./compose.ts";
import { lockHome, requireFreeSocket } from "./sole-daemon.ts";
import { runOfToken } from "./runtime/run-tokens.ts";
import { openStore } from "./store/store.ts";

/** Time for requests that were cut off to end, ms. */
const lettingGoMs = 20;

export interface Daemon {
  readonly pid: number;
  readonly socket: string;
  /** Where it also serves on TCP, if anywhere. */
  readonly tcp: string | undefined;
  /** For who has the daemon in the own process. */
  readonly invoke: Invoke;
  /** Resolves when the daemon has been stopped. */
  readonly stopped: Promise<void>;
  /** Leaves the live sessions to their host and stops. */
  readonly leave: () => Promise<void>;
}

export interface DaemonStart {
  readonly home: Home;
  readonly version: string;
  /** What is run again, with `host`, as its host. */
  readonly program: string;
  /** Where the API is to be served on TCP as well. */
  readonly tcp: LoopbackAddress | undefined;
}

/** Starts the daemon of a home. */
export async function startDaemon({ home, version, program, tcp }: DaemonStart): Promise<Daemon> {
  prepareHome(home);
  const log = await openLog(home.logs, "daemon");
  try {
    if (tcp !== undefined) ensureOwnerToken(home);
    const unlock = lockHome(home);
    await requireFreeSocket(home);
    const store = openStore(home.ledger);
    log.info({ path: home.ledger, storeId: store.storeId }, "store open");

    const daemon: { pid: number; startedAt: string; socket: string; tcp?: string } = {
      pid: process.pid,
      startedAt: new Date().toISOString(),
      socket: home.socket,
    };
    const { runtime, terminals, recover, begin, end, close } = compose({
      home,
      store,
      log,
      version,
      program,
      daemon,
    });
    await recover();

    let tellStopped: () => void = () => undefined;
    const stopped = new Promise<void>((resolve) => (tellStopped = resolve));
    const letGo = async (keep: boolean): Promise<void> => {
      await Promise.all((await listening).map((app) => app.close()));
      // Those who waited have just been hung up on; they let go of the store in the turns that follow.
      await new Promise((resolve) => setTimeout(resolve, lettingGoMs));
      await close(keep);
      store.close();
      rmSync(home.socket, { force: true });
      unlock();
      tellStopped();
    };
    let stopping: Promise<Stopped> | undefined;
    const stop = async (keep: boolean): Promise<Stopped> => {
      const result = await end(keep);
      log.info({ keep, ended: result.ended.map(({ id }) => id) }, "stopping");
      setImmediate(() => void letGo(keep));
      return result;
    };
    const isOwners = ownerTokenCheck(home, log);
    const invoke = createInvoke(runtime, log);
    const services: Services = {
      invoke,
      identify: (token) =>
        token === undefined || isOwners(token)
          ? { kind: "owner" }
          : { kind: "run", ...runOfToken(store, token) },
      data: (identity) =>
        dataPlaneFor(identity, { reader: runtime.reader, sessions: runtime.sessions, terminals }),
      mcp: createMcpEndpoint({
        version,
        invoke,
        changes: async function* (identity, signal) {
          const data = dataPlaneFor(identity, {
            reader: runtime.reader,
            sessions: runtime.sessions,
            terminals,
          });
          for await (const rows of data.changes(data.lastSeq(), signal)) yield* rows;
        },
        trouble: (err) => log.debug({ err }, "an MCP client's request failed"),
      }),
      stop: ({ keep }) => (stopping ??= stop(keep)),
    };
    const bind = async (): Promise<FastifyInstance[]> => {
      if (tcp === undefined) return [await listen(home.socket, services, log)];
      // The port first, which somebody else may have: a daemon that cannot serve there does not serve at all.
      const loopback = await listenOnLoopback({ address: tcp, services, isOwnerToken: isOwners, log });
      daemon.tcp = addressText(loopback.address);
      return [loopback.app, await listen(home.socket, services, log)];
    };
    const listening = bind();
    await listening.catch(async (error: unknown) => {
      await close(true);
      store.close();
      unlock();
      throw error;
    });
    log.info({ ...daemon, version }, "socket bound");
    const served = healthAnswer.parse(
      await createClient({ kind: "socket", path: home.socket }, "daemon").health(),
    );
    log.info(served, "health served");
    begin();

    return {
      pid: process.pid,
      socket: home.socket,
      tcp: daemon.tcp,
      invoke,
      stopped,
      leave: async () => {
        await (stopping ??= stop(true));
      },
    };
  } catch (error) {
    const code = error instanceof Failure ? error.code : "internal_error";
    log.error({ err: error, code }, "the daemon could not start");
    throw error;
  }
}

/** A token file that is not the owner's alone makes nobody an owner; strangers are not told why. */
const ownerTokenCheck =
  (home: Home, log: Log) =>
  (token: string): boolean => {
    try {
      return isOwnerToken(home, token);
    } catch (err) {
      log.warn({ err, code: "home_unsafe" }, "the owner's token does not count");
      return false;
    }
  };

/** What the log keeps of the first answer. */
const healthAnswer = z.object({ ok: z.boolean(), apiVersion: z.string(), covenVersion: z.string() });

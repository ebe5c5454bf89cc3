/**
 * The composition root of the daemon: the only place that constructs things and hands them on.
 *
 * The order matters: the home is made safe, the lock taken, the store opened and the hosts reached before the socket
 * is bound, so that whoever can connect finds a daemon that knows its sessions.
 */
import { closeSync, openSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { FastifyInstance } from "fastify";
import { flockSync } from "fs-ext";
import * as z from "zod";
import { dataPlaneFor } from "./capabilities/data-plane.ts";
import type { Invoke } from "./capabilities/capability.ts";
import { createInvoke } from "./capabilities/invoke.ts";
import { loadConfig } from "./config.ts";
import { Failure } from "./errors.ts";
import { type Home, prepareHome } from "./home.ts";
import { type Log, openLog } from "./log.ts";
import { type LoopbackAddress, addressText } from "./loopback-address.ts";
import { ensureOwnerToken, isOwnerToken } from "./owner-token.ts";
import { createMcpEndpoint } from "./mcp/endpoint.ts";
import { isNotListening } from "./rpc/answers.ts";
import { createClient } from "./rpc/client.ts";
import { listen } from "./rpc/listener.ts";
import { listenOnLoopback } from "./rpc/loopback.ts";
import type { Services, Stopped } from "./rpc/services.ts";
import { Activities } from "./runtime/activities.ts";
import { Answers } from "./runtime/answers.ts";
import { Casts } from "./runtime/casts.ts";
import { Environments } from "./runtime/environment.ts";
import { ExternalSessions } from "./runtime/external.ts";
import { Familiars } from "./runtime/familiars.ts";
import { Growth } from "./runtime/growth.ts";
import { Handoffs } from "./runtime/handoffs.ts";
import { Hooks } from "./runtime/hooks.ts";
import { HarnessCatalog } from "./runtime/harness-catalog.ts";
import { scanHarness } from "./runtime/harness-scan.ts";
import { HostPool } from "./runtime/host-pool.ts";
import { InputLeases } from "./runtime/input-leases.ts";
import { Launches } from "./runtime/launches.ts";
import { Leftovers } from "./runtime/leftovers.ts";
import { LiveWakes } from "./runtime/live-delivery.ts";
import { LogReader } from "./runtime/reading.ts";
import { type Bounds, Retention } from "./runtime/retention.ts";
import { runOfToken } from "./runtime/run-tokens.ts";
import { Rituals } from "./runtime/rituals.ts";
import type { Runtime } from "./runtime/runtime.ts";
import { Screens } from "./runtime/screens.ts";
import { Settling } from "./runtime/settling.ts";
import { createSights } from "./runtime/sights.ts";
import { SessionLooks } from "./runtime/session-looks.ts";
import { LiveSessions } from "./runtime/sessions.ts";
import { WakeParents } from "./runtime/wake-parents.ts";
import { WakeQueue } from "./runtime/wake-queue.ts";
import { Wakes } from "./runtime/wakes.ts";
import { Terminals } from "./runtime/terminal.ts";
import { Watches } from "./runtime/watch.ts";
import { refusalOf } from "./store/database.ts";
import type { RunRecord } from "./store/runs.ts";
import { openStore } from "./store/store.ts";

/** Time for requests that were cut off to end, ms. */
const lettingGoMs = 20;

/** Grace of each session when the daemon is stopped, ms. */
const stopGraceMs = 2000;

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
    const unlock = lock(home);
    await requireFreeSocket(home);
    const store = openStore(home.ledger);
    log.info({ path: home.ledger, storeId: store.storeId }, "store open");

    const growth = new Growth();
    const limits = () => loadConfig(home).config.limits;
    const harnesses = new HarnessCatalog(home.adapters);
    const familiars = new Familiars(home.familiars, harnesses);
    const environments = new Environments(process.env);
    environments.prepare();
    for (const problem of harnesses.problems) log.warn({ code: "manifest_problem" }, problem);
    for (const problem of familiars.all().problems) log.warn({ code: "familiars_problem" }, problem);
    const hosts = new HostPool({
      home,
      store,
      log,
      program,
      env: environments.own,
      grown: (sessions) => growth.tell(sessions),
      lost: (pid) => void leftovers.orphanLostRuns((run) => run.host_pid === pid),
    });
    const leftovers = new Leftovers({ store, growth, hosts, log });
    const leases = new InputLeases();
    const sessions = new LiveSessions({ store, hosts, harnesses, leftovers, leases, log });
    const launches = new Launches({
      store,
      growth,
      hosts,
      harnesses,
      familiars,
      environments,
      sessions,
      leftovers,
      home: home.root,
      bin: join(dirname(program), "../bin/coven"),
      limits,
      tells: (session) => parents.follow(session),
      launched: (session) => activities.follow(session),
    });
    const reader = new LogReader(store, growth);
    const workerFile = join(dirname(program), "serve-screens.js");
    const screens = new Screens({ store, sessions, reader, workerFile });
    const sights = createSights({ store, harnesses, environments, screens });
    const activities = new Activities({ store, growth, sights, log });
    const terminals = new Terminals(sessions, reader, growth);
    const looks = new SessionLooks({ screens, harnesses, growth });
    const live = new LiveWakes({
      store,
      growth,
      sessions,
      leases,
      looks,
      terminals,
      activities,
      again: (session) => queue.advance(session),
      log,
    });
    const queue = new WakeQueue({ store, growth, launches, leftovers, live, limits, log });
    activities.onChange((session) => queue.advance(session));
    const settling = new Settling(store, (session, run, waiting) => queue.holdOf(session, run, waiting));
    const parents = new WakeParents({ store, growth, queue, limits, log });
    const wakes = new Wakes({ store, growth, sessions, harnesses, environments, queue, limits });
    for (const problem of loadConfig(home).problems) log.warn({ code: "config_problem" }, problem);
    const retention = new Retention({ store, log, bounds: () => boundsOf(home) });
    const daemon: { pid: number; startedAt: string; socket: string; tcp?: string } = {
      pid: process.pid,
      startedAt: new Date().toISOString(),
      socket: home.socket,
    };
    const runtime: Runtime = {
      version,
      daemon,
      harnesses,
      familiars,
      environments,
      sessions,
      launches,
      rituals: new Rituals(store, growth, sessions),
      leftovers,
      external: new ExternalSessions(store, growth),
      casts: new Casts(store, growth),
      watches: new Watches({ store, growth, sessions, settling }),
      wakes,
      answers: new Answers({ sessions, looks, leases, activities }),
      reader,
      handoffs: new Handoffs({ store, sessions, reader }),
      screens,
      growth,
      activities,
      hooks: new Hooks({
        store,
        growth,
        harnesses,
        log,
        listener: (session, run, { sign, about }) => {
          if (sign) activities.heard(session, run, sign, about);
        },
      }),
      intents: store.intents,
      storeRefusal: refusalOf,
      retention,
      scanHarness: (id) => scanHarness(id, environments.own),
      listSessions: store.sessions.list,
      liveCount: store.sessions.liveCount,
      storeState: () => hosts.storeState(),
    };
    await hosts.open();
    const held = await hosts.held();
    // Of the run of a wake that its host does not hold, or gave back when it left, nothing has happened yet.
    const isUnlaunched = (run: RunRecord): boolean =>
      run.wake_id !== null &&
      run.pid === null &&
      !held(run) &&
      (run.host_pid === null || hosts.get(run.host_pid) !== undefined);
    await leftovers.orphanLostRuns((run) => !held(run) && !isUnlaunched(run));

    let tellStopped: () => void = () => undefined;
    const stopped = new Promise<void>((resolve) => (tellStopped = resolve));
    const close = async (keep: boolean): Promise<void> => {
      await Promise.all((await listening).map((app) => app.close()));
      // Those who waited have just been hung up on; they let go of the store in the turns that follow.
      await new Promise((resolve) => setTimeout(resolve, lettingGoMs));
      if (!keep) await hosts.dismiss();
      await screens.close();
      await hosts.close();
      store.close();
      rmSync(home.socket, { force: true });
      unlock();
      tellStopped();
    };
    let stopping: Promise<Stopped> | undefined;
    const stop = async (keep: boolean): Promise<Stopped> => {
      await parents.close();
      activities.close();
      live.close();
      await queue.close();
      const launched = launches.close();
      await retention.close();
      if (!keep) await launched;
      const result = keep ? { ended: [], survived: [] } : await sessions.orphanAll(stopGraceMs);
      if (!keep) await leftovers.settled();
      log.info({ keep, ended: result.ended.map(({ id }) => id) }, "stopping");
      setImmediate(() => void close(keep));
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
      data: (identity) => dataPlaneFor(identity, { reader, sessions, terminals }),
      mcp: createMcpEndpoint({
        version,
        invoke,
        changes: async function* (identity, signal) {
          const data = dataPlaneFor(identity, { reader, sessions, terminals });
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
      await hosts.close();
      store.close();
      unlock();
      throw error;
    });
    log.info({ ...daemon, version }, "socket bound");
    const served = healthAnswer.parse(
      await createClient({ kind: "socket", path: home.socket }, "daemon").health(),
    );
    log.info(served, "health served");
    retention.start();
    parents.start();
    queue.start(isUnlaunched);
    activities.start();

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

const dayMs = 24 * 60 * 60 * 1000;

/** As the owner's settings say now. What cannot be read of config.json may have been meant to keep everything: nothing is removed then. */
function boundsOf(home: Home): Bounds {
  const { config, isWhole, problems } = loadConfig(home);
  if (!isWhole) {
    throw new Failure("invalid_request", `how much is kept is not certain: ${problems.join("; ")}`, {
      hint: "Mend it (coven config shows what holds), or say both bounds: --older-than and --max-size.",
      details: { problems },
    });
  }
  const { maxAgeDays, maxMegabytes } = config.retention;
  return {
    maxAgeMs: maxAgeDays === null ? null : maxAgeDays * dayMs,
    maxBytes: maxMegabytes === null ? null : maxMegabytes * 1_000_000,
  };
}

/** One daemon a home: the lock goes with the process, however that ends. */
function lock(home: Home): () => void {
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

/** What the log keeps of the first answer. */
const healthAnswer = z.object({ ok: z.boolean(), apiVersion: z.string(), covenVersion: z.string() });

/** How long a stranger on our socket may take to say who it is, ms. */
const foreignAnswerMsMax = 2000;

/** With the lock ours, whoever answers on the socket is no daemon of ours: it is named and left alone. */
async function requireFreeSocket(home: Home): Promise<void> {
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

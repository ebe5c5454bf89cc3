/**
 * The host process: owns the harness processes of one home and writes what they do to the log.
 *
 * It is small and rarely changed, because it outlives the daemon: sessions go on while a daemon crashes, restarts or
 * is upgraded. It leaves when it holds no run and the daemon says that it stops, or none has been connected for long.
 */
import { rmSync } from "node:fs";
import { type Server, type Socket, createServer } from "node:net";
import { Failure } from "../../errors.ts";
import { type Home, hostSocketPath, makePrivate } from "../../home.ts";
import type { Log } from "../../log.ts";
import { openStore } from "../../store/store.ts";
import { Journal } from "./journal.ts";
import { DaemonConnection } from "./connection.ts";
import { endTree } from "./end-tree.ts";
import { identify } from "./processes.ts";
import {
  type Method,
  type Result,
  isMethod,
  type Params,
  paramsOf,
  protocolVersion,
  request,
} from "./protocol.ts";
import { openReserve } from "./reserve.ts";
import { Run, killDeadlineMs } from "./run.ts";
import { TreeWatch } from "./tree-watch.ts";

/** How long a host without runs and without a daemon waits for one, ms: a daemon restart takes about one second. */
const lonelyMs = 10_000;

/** Grace for what a lost host left behind: nobody waits for its answer any more. */
const reapGraceMs = 500;

type Handlers = {
  readonly [M in Method]: (params: Params<M>) => Promise<Result<M>>;
};

/** Starts serving; resolves with what a daemon needs to find this host. */
export async function startHost(home: Home, log: Log): Promise<{ pid: number; socket: string }> {
  const store = openStore(home.ledger);
  const runs = new Map<string, Run>();
  const launches = new Map<string, Promise<{ pid: number }>>();
  const daemons = new Set<DaemonConnection>();
  const trees = new TreeWatch();
  let reaping = 0;
  const isHolding = (): boolean => runs.size > 0 || reaping > 0;
  const journal = new Journal(store, log, openReserve(home.reserve), {
    grown: (seq, sessions) => {
      for (const daemon of daemons) daemon.grown(seq, sessions);
    },
    pressure: (isHigh) => {
      for (const run of runs.values()) run.slowDown(isHigh);
    },
    storeChanged: () => {
      for (const daemon of daemons) daemon.storeChanged(journal.state, store.events.lastSeq());
    },
  });
  let lonely: NodeJS.Timeout | undefined;

  const handlers: Handlers = {
    launch: (spec) => {
      // A launch is known by its run id: asked twice, it is answered twice and done once.
      const known = launches.get(spec.runId);
      if (known) return known;
      const begun = alreadyBegun(spec.runId);
      if (begun) return begun;
      const run = new Run(spec, { store, journal, hostPid: process.pid }, trees);
      runs.set(spec.runId, run);
      void run.ended.then(() => forget(spec.runId));
      const launch = run.start();
      launches.set(spec.runId, launch);
      launch.then(
        ({ pid }) =>
          log.info({ session: spec.sessionId, run: spec.runId, pid, file: spec.file }, "harness started"),
        (err: unknown) =>
          log.warn({ session: spec.sessionId, code: "launch_failed", err }, "harness spawn failed"),
      );
      return launch;
    },
    input: async ({ runId, dataBase64, said, end, inputKey }) => {
      await held(runId).input({ bytes: Buffer.from(dataBase64, "base64"), said, end }, inputKey);
      return {};
    },
    resize: async ({ runId, columns, rows }) => {
      held(runId).resize(columns, rows);
      return {};
    },
    attached: async ({ runId, count }) => {
      const run = runs.get(runId);
      run?.attached(count);
      // A full disk must not keep a person from a terminal that can still be seen and ended.
      return run === undefined || journal.state === "store_full" ? {} : { seq: await run.place() };
    },
    // A run that is still being started is killed once it is.
    kill: async ({ runId, graceMs, as }) => {
      await runs.get(runId)?.spawned;
      const { survivors, status } = await held(runId).kill(graceMs, as);
      return { survivors: [...survivors], status };
    },
    reap: async ({ runId, pid, startTime, known = [], graceMs = reapGraceMs }) => {
      reaping += 1;
      try {
        const leftover = { runId, pid, startTime, known };
        const { survivors } = await endTree(leftover, { graceMs, deadlineMs: killDeadlineMs });
        return { survivors: [...survivors] };
      } finally {
        reaping -= 1;
        leaveWhenLonely();
      }
    },
    // A run whose ending is not in the log yet is among them.
    runs: async () => ({ runIds: [...runs.keys()], store: journal.state }),
    leave: async () => {
      if (!isHolding()) setImmediate(() => void leave());
      return {};
    },
  };

  /** A run is begun once, also where this host has forgotten that it had it, or it was given to another one since. */
  function alreadyBegun(runId: string): Promise<{ pid: number }> | undefined {
    const run = store.runs.find(runId);
    if (run?.ended_at === null && run.pid === null && run.host_pid === process.pid) return undefined;
    if (run?.pid != null) return Promise.resolve({ pid: run.pid });
    return Promise.reject(new Failure("launch_failed", `run ${runId} is not this host's to begin`));
  }

  function held(runId: string): Run {
    const run = runs.get(runId);
    if (run) return run;
    throw new Failure("session_not_live", `run ${runId} has no live process here`);
  }

  /** Once its ending is in the log: until then the run is held here, whatever the store does. */
  async function forget(runId: string): Promise<void> {
    await journal.settled();
    runs.delete(runId);
    launches.delete(runId);
    leaveWhenLonely();
  }

  function leaveWhenLonely(): void {
    clearTimeout(lonely);
    if (isHolding() || daemons.size > 0) return;
    lonely = setTimeout(() => {
      if (daemons.size === 0) void leave();
    }, lonelyMs);
  }

  async function leave(): Promise<void> {
    if (isHolding()) return;
    log.info("nothing to hold; leaving");
    await journal.settled();
    store.writePatiently(() => {
      store.runs.giveBack(process.pid);
      store.hosts.remove(process.pid);
    });
    rmSync(socket, { force: true });
    store.close();
    process.exit(0);
  }

  function serve(socket: Socket): void {
    clearTimeout(lonely);
    const daemon = new DaemonConnection(socket, {
      asked: answer,
      failed: (err) => log.debug({ err }, "daemon connection failed"),
      closed: () => {
        daemons.delete(daemon);
        // Whoever was attached was so through that daemon.
        if (daemons.size === 0) for (const run of runs.values()) run.attached(0);
        leaveWhenLonely();
      },
    });
    daemons.add(daemon);
  }

  async function answer(line: string): Promise<object | undefined> {
    const asked = request.safeParse(parsed(line));
    if (!asked.success) {
      log.error({ line: line.slice(0, 200) }, "the daemon sent what is no request");
      return undefined;
    }
    const { id, method, params } = asked.data;
    try {
      if (!isMethod(method)) throw new Failure("internal_error", `the host knows no method ${method}`);
      return { id, result: await call(handlers, method, params) };
    } catch (error) {
      if (!(error instanceof Failure)) log.error({ err: error, method }, "host method failed");
      return { id, failure: toWire(error) };
    }
  }

  const socket = hostSocketPath(home, process.pid);
  rmSync(socket, { force: true });
  await listen(createServer(serve), socket);
  makePrivate(socket);
  const startedAt = identify(process.pid)?.startTime ?? "";
  await store.writeWhenFree(() =>
    store.hosts.add({ pid: process.pid, started_at: startedAt, socket, protocol: protocolVersion }),
  );
  log.info({ pid: process.pid, socket }, "host ready");
  leaveWhenLonely();
  setImmediate(() => journal.keepRoom());
  return { pid: process.pid, socket };
}

const call = <M extends Method>(handlers: Handlers, method: M, params: unknown): Promise<Result<M>> =>
  handlers[method](paramsOf[method].parse(params));

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined; // no request either
  }
}

const toWire = (error: unknown): object =>
  error instanceof Failure
    ? { code: error.code, message: error.message, hint: error.hint, details: error.details }
    : { code: "internal_error", message: error instanceof Error ? error.message : String(error) };

const listen = (server: Server, path: string): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });

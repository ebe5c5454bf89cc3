/**
 * The hosts of this home: the one that gets new runs, and older ones that still hold some.
 *
 * A host is lost when its process is gone, not when a connection breaks. What a lost host held is told to the owner
 * of the pool, which marks the sessions and has their leftover processes ended by a living host.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "../errors.ts";
import type { Home } from "../home.ts";
import type { Log } from "../log.ts";
import type { HostRecord } from "../store/hosts.ts";
import type { RunRecord } from "../store/runs.ts";
import type { Store } from "../store/store.ts";
import type { Environment } from "./environment.ts";
import { HostLink } from "./host/link.ts";
import { stillLiving } from "./host/processes.ts";
import { protocolVersion, type StoreState } from "./host/protocol.ts";

/** How often, and how long apart in ms, a host that lives is tried to be reached. */
const reachTriesMax = 20;
const reachPauseMs = 100;

/** How long a new host may take to listen, ms. */
const startMsMax = 10_000;

export interface HostPoolOptions {
  readonly home: Home;
  readonly store: Store;
  readonly log: Log;
  /** The program that becomes a host when it is run with `host` as its only argument. */
  readonly program: string;
  /** What a host runs in; each launch brings its harness's own. */
  readonly env: Environment;
  readonly grown: (sessions: string[]) => void;
  readonly lost: (hostPid: number) => void;
}

export class HostPool {
  readonly #options: HostPoolOptions;
  readonly #links = new Map<number, HostLink>();
  /** Those of an older version. They get no new runs, and are sent away once they hold none. */
  readonly #older = new Set<number>();
  /** Hosts that live and that this daemon cannot speak to. What they hold goes on without it. */
  readonly #unreachable = new Set<number>();
  #current: Promise<HostLink> | undefined;
  #isClosed = false;

  constructor(options: HostPoolOptions) {
    this.#options = options;
  }

  /** Connects to the hosts that live, tells of those that do not, and has one ready for the next launch. */
  async open(): Promise<void> {
    for (const record of this.#options.store.hosts.all()) await this.#reachOrForget(record);
    this.current().catch((err: unknown) => this.#options.log.error({ err }, "no host could be started"));
  }

  /** The host that gets new runs; started when there is none. */
  current(): Promise<HostLink> {
    for (const pid of this.#older) void this.#links.get(pid)?.dismiss();
    this.#current ??= this.#start().catch((error: unknown) => {
      this.#current = undefined;
      throw error;
    });
    return this.#current;
  }

  /** `store_full` while a host cannot write to the log for want of space. */
  storeState(): StoreState {
    return this.all().some(({ storeState }) => storeState === "store_full") ? "store_full" : "ok";
  }

  /** Whether that host lives and cannot be spoken to. */
  isOutOfReach(pid: number | null): boolean {
    return pid !== null && this.#unreachable.has(pid);
  }

  /** The host with that pid, if it lives. */
  get(pid: number | null): HostLink | undefined {
    return pid === null ? undefined : this.#links.get(pid);
  }

  /** Whether that host speaks this daemon's version of the protocol. */
  isCurrent(pid: number | null): boolean {
    return pid !== null && this.#links.has(pid) && !this.#older.has(pid);
  }

  /** Whether its process lives, whether it answers or not. */
  lives(pid: number): boolean {
    return this.#options.store.hosts.all().some((record) => record.pid === pid && isAlive(record));
  }

  all(): HostLink[] {
    return [...this.#links.values()];
  }

  /** Sends away the hosts that hold nothing; resolves when they have left. */
  async dismiss(): Promise<void> {
    this.#isClosed = true;
    await this.#started();
    await Promise.all(this.all().map((link) => link.dismiss()));
  }

  /** Asks the living hosts what they hold. One that gives no answer is taken to hold all that was given to it. */
  async held(): Promise<(run: RunRecord) => boolean> {
    const held = new Map<number, ReadonlySet<string> | undefined>();
    for (const pid of this.#unreachable) held.set(pid, undefined);
    const ask = async (link: HostLink): Promise<void> => {
      const runIds = await link.runs().catch((err: unknown) => {
        this.#options.log.error({ err, host: link.pid }, "a host does not say what it holds");
        return undefined;
      });
      held.set(link.pid, runIds && new Set(runIds));
    };
    await Promise.all(this.all().map(ask));
    return ({ id, host_pid }) =>
      host_pid !== null && held.has(host_pid) && held.get(host_pid)?.has(id) !== false;
  }

  /** Hangs up; the hosts go on with what they hold. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#started();
    for (const link of this.#links.values()) link.close();
  }

  /** A host that is just being started would else be connected to after all were hung up on. */
  async #started(): Promise<void> {
    await this.#current?.catch(() => undefined); // a host that did not start needs no farewell
  }

  async #reachOrForget(record: HostRecord): Promise<void> {
    const link = record.protocol > protocolVersion ? undefined : await this.#reach(record);
    if (link !== undefined) {
      if (record.protocol === protocolVersion) this.#current ??= Promise.resolve(link);
      else this.#older.add(record.pid);
    } else if (isAlive(record)) {
      this.#unreachable.add(record.pid);
      this.#options.log.error(
        { host: record.pid, protocol: record.protocol, knownProtocol: protocolVersion },
        record.protocol > protocolVersion
          ? "a host of a newer Coven lives; its sessions go on, out of reach of this one"
          : "a host lives but does not answer; its sessions are out of reach",
      );
    } else this.#forget(record);
  }

  /** A host that lives may be too busy to take a connection at once; only one that is gone is lost. */
  async #reach(record: HostRecord): Promise<HostLink | undefined> {
    for (let tries = 0; tries < reachTriesMax && isAlive(record); tries += 1) {
      try {
        return await this.#connect(record.pid, record.socket);
      } catch (err) {
        this.#options.log.warn({ err, host: record.pid }, "a host could not be reached");
        await new Promise((resolve) => setTimeout(resolve, reachPauseMs));
      }
    }
    return undefined;
  }

  async #connect(pid: number, socket: string): Promise<HostLink> {
    const link = await HostLink.connect(pid, socket, {
      grown: (sessions) => this.#options.grown(sessions),
      lost: () =>
        void this.#onDisconnect(pid).catch((err: unknown) =>
          this.#options.log.error({ err, host: pid }, "a lost host could not be seen to"),
        ),
    });
    this.#links.set(pid, link);
    return link;
  }

  async #onDisconnect(pid: number): Promise<void> {
    const link = this.#links.get(pid);
    this.#links.delete(pid);
    this.#older.delete(pid);
    if (this.#isClosed) return;
    if (link !== undefined && (await this.#current?.catch(() => undefined)) === link)
      this.#current = undefined;
    const record = this.#options.store.hosts.all().find((host) => host.pid === pid);
    if (record) await this.#reachOrForget(record);
  }

  #forget({ pid, socket }: HostRecord): void {
    this.#options.log.warn({ host: pid }, "host lost");
    this.#options.store.hosts.remove(pid);
    rmSync(socket, { force: true });
    this.#options.lost(pid);
  }

  async #start(): Promise<HostLink> {
    const { home, program, env, log } = this.#options;
    const crashes = openSync(join(home.logs, "crash.log"), "a", 0o600);
    const child = spawn(process.execPath, [program, "host"], {
      detached: true,
      stdio: ["ignore", "pipe", crashes],
      // An agent that started the daemon has no part in the host; the empty run id hides that of its run.
      env: { ...env, COVEN_HOME: home.root, COVEN_RUN_ID: "" },
    });
    closeSync(crashes);
    child.unref();
    const ready = await readyLine(child, home.logs);
    log.info({ host: child.pid, socket: ready }, "host started");
    return this.#connect(child.pid ?? 0, ready);
  }
}

/** The one line a new host prints: the socket it listens on. */
function readyLine(child: ChildProcess, logs: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      clearTimeout(timer);
      child.kill("SIGKILL");
      reject(new Failure("runtime_unavailable", `the host did not start: ${why}`, { hint: `See ${logs}.` }));
    };
    const timer = setTimeout(() => fail(`no answer in ${startMsMax} ms`), startMsMax);
    child.once("exit", (code) => fail(`it ended with ${code ?? "a signal"}`));
    child.once("error", (error) => fail(error.message));
    child.stdout?.once("data", (line: Buffer) => {
      clearTimeout(timer);
      child.stdout?.destroy();
      resolve(line.toString("utf8").trim());
    });
  });
}

const isAlive = ({ pid, started_at }: HostRecord): boolean =>
  stillLiving([{ pid, startTime: started_at }]).length > 0;

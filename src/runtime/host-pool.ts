/**
 * The hosts of this home: the one that gets new runs, and older ones that still hold some.
 *
 * A host is lost when its process is gone, not when a connection breaks. What a lost host held is told to the owner
 * of the pool, which marks the sessions and has their leftover processes ended by a living host.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "../errors.ts";
import type { Home } from "../home.ts";
import type { Log } from "../log.ts";
import type { HostRecord } from "../store/hosts.ts";
import type { Store } from "../store/store.ts";
import { HostLink } from "./host/link.ts";
import { identify } from "./host/processes.ts";
import { protocolVersion } from "./host/protocol.ts";

/** How long a new host may take to listen, ms. */
const startMsMax = 10_000;

export interface HostPoolOptions {
  readonly home: Home;
  readonly store: Store;
  readonly log: Log;
  /** The program that becomes a host when it is run with `host` as its only argument. */
  readonly program: string;
  readonly grown: (sessions: string[]) => void;
  readonly lost: (hostPid: number) => void;
}

export class HostPool {
  readonly #options: HostPoolOptions;
  readonly #links = new Map<number, HostLink>();
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
    this.#current ??= this.#start().catch((error: unknown) => {
      this.#current = undefined;
      throw error;
    });
    return this.#current;
  }

  /** The host with that pid, if it lives. */
  get(pid: number | null): HostLink | undefined {
    return pid === null ? undefined : this.#links.get(pid);
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
    const link = isAlive(record) ? await this.#reach(record) : undefined;
    if (link === undefined) this.#forget(record.pid);
    else if (record.protocol === protocolVersion) this.#current ??= Promise.resolve(link);
  }

  async #reach(record: HostRecord): Promise<HostLink | undefined> {
    try {
      return await this.#connect(record.pid, record.socket);
    } catch (err) {
      this.#options.log.warn({ err, host: record.pid }, "a host lives but does not answer");
      return undefined;
    }
  }

  async #connect(pid: number, socket: string): Promise<HostLink> {
    const link = await HostLink.connect(pid, socket, {
      grown: (_, sessions) => this.#options.grown(sessions),
      lost: () => void this.#onDisconnect(pid),
    });
    this.#links.set(pid, link);
    return link;
  }

  async #onDisconnect(pid: number): Promise<void> {
    this.#links.delete(pid);
    if (this.#isClosed) return;
    this.#current = undefined;
    const record = this.#options.store.hosts.all().find((host) => host.pid === pid);
    if (record) await this.#reachOrForget(record);
    else this.#forget(pid);
  }

  #forget(pid: number): void {
    this.#options.log.warn({ host: pid }, "host lost");
    this.#options.store.hosts.remove(pid);
    this.#options.lost(pid);
  }

  async #start(): Promise<HostLink> {
    const { home, program, log } = this.#options;
    const crashes = openSync(join(home.logs, "crash.log"), "a", 0o600);
    const child = spawn(process.execPath, [program, "host"], {
      detached: true,
      stdio: ["ignore", "pipe", crashes],
      env: { ...process.env, COVEN_HOME: home.root },
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
    const fail = (why: string): void =>
      reject(new Failure("runtime_unavailable", `the host did not start: ${why}`, { hint: `See ${logs}.` }));
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

const isAlive = (record: HostRecord): boolean => identify(record.pid)?.startTime === record.started_at;

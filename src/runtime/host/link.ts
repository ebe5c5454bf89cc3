/**
 * The daemon's side of one host: its calls, and what the host tells unasked. A lost connection fails every call that
 * is under way; whether the host itself is lost is for the caller to find out.
 */
import { type Socket, createConnection } from "node:net";
import { Failure } from "../../errors.ts";
import { createLineSplitter } from "./lines.ts";
import {
  type Method,
  type Params,
  type Result,
  frameBytesMax,
  fromHost,
  resultOf,
  type StoreState,
} from "./protocol.ts";

/** How long a host may take to answer, ms: a kill takes five seconds at most, everything else far less. */
const answerMsMax = 10_000;

/**
 * Unsent bytes above which nothing more is handed to a host that does not read: the largest message, and room for the
 * small ones behind it.
 */
const unsentBytesMax = 2 * frameBytesMax;

/** How long a dismissed host may take to leave, ms: it has nothing to do but to close its store. */
const leaveMsMax = 1000;

export interface HostListener {
  readonly grown: (sessions: string[]) => void;
  readonly lost: () => void;
}

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class HostLink {
  readonly pid: number;
  readonly #socket: Socket;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #isOpen = true;
  #storeState: StoreState = "ok";

  private constructor(pid: number, socket: Socket, listener: HostListener) {
    this.pid = pid;
    this.#socket = socket;
    const lines = createLineSplitter(frameBytesMax, () => socket.destroy());
    socket.on("data", (chunk) => {
      for (const line of lines.push(chunk)) this.#hear(line, listener);
    });
    socket.on("error", () => undefined); // told by the close that follows
    socket.on("close", () => {
      this.#isOpen = false;
      for (const { reject } of this.#pending.values()) reject(lost(pid));
      this.#pending.clear();
      listener.lost();
    });
  }

  /** Connects to a host that listens. Throws the connection's error where it does not. */
  static connect(pid: number, path: string, listener: HostListener): Promise<HostLink> {
    return new Promise((resolve, reject) => {
      const socket = createConnection(path);
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(new HostLink(pid, socket, listener));
      });
    });
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Whether the host could write to the log when it last said so. */
  get storeState(): StoreState {
    return this.#storeState;
  }

  async call<M extends Method>(method: M, params: Params<M>): Promise<Result<M>> {
    if (!this.#isOpen || this.#socket.writableLength > unsentBytesMax) throw lost(this.pid);
    const id = this.#nextId++;
    const line = lineOf({ id, method, params });
    const answer = await new Promise<unknown>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(lost(this.pid));
      }, answerMsMax);
      const settled =
        <T>(settle: (value: T) => void) =>
        (value: T): void => {
          clearTimeout(timer);
          settle(value);
        };
      this.#pending.set(id, { resolve: settled(resolve), reject: settled(reject) });
      this.#socket.write(line);
    });
    return resultOf[method].parse(answer);
  }

  /** What the host holds. */
  async runs(): Promise<readonly string[]> {
    const { runIds, store } = await this.call("runs", {});
    this.#storeState = store ?? "ok";
    return runIds;
  }

  /** Asks the host to leave if it holds nothing. Resolves when it has hung up, or stays. */
  async dismiss(): Promise<void> {
    const left = new Promise<void>((resolve) => this.#socket.once("close", () => resolve()));
    const runIds = await this.runs().catch(() => []);
    if (!this.#isOpen || runIds.length > 0) return;
    await this.call("leave", {}).catch(() => undefined); // it may have hung up before it answered
    await Promise.race([left, new Promise((resolve) => setTimeout(resolve, leaveMsMax).unref())]);
  }

  /** Hangs up; the host and its runs go on. */
  close(): void {
    this.#socket.destroy();
  }

  #hear(line: string, listener: HostListener): void {
    const message = fromHost.parse(JSON.parse(line));
    if ("grown" in message) {
      this.#storeState = message.store ?? this.#storeState;
      return listener.grown(message.sessions);
    }
    const pending = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    if ("result" in message) return pending?.resolve(message.result);
    const { code, message: text, ...rest } = message.failure;
    pending?.reject(new Failure(code, text, optionsOf(rest)));
  }
}

/** Throws `payload_too_large` for what the host would hang up upon. */
function lineOf(message: { readonly id: number; readonly method: Method; readonly params: object }): string {
  const line = `${JSON.stringify(message)}\n`;
  if (line.length * 3 <= frameBytesMax || Buffer.byteLength(line) <= frameBytesMax) return line;
  throw new Failure("payload_too_large", `a ${message.method} of ${line.length} characters is too large`, {
    hint: `At most ${frameBytesMax} bytes go to a host, environment included: put a long prompt in a file.`,
  });
}

const optionsOf = ({
  hint,
  details,
}: {
  hint?: string | undefined;
  details?: Record<string, unknown> | undefined;
}) => ({
  ...(hint === undefined ? {} : { hint }),
  ...(details === undefined ? {} : { details }),
});

const lost = (pid: number): Failure =>
  new Failure("runtime_unavailable", `the host ${pid} that holds the harness processes does not answer`, {
    hint: "Look at the session's status; start the daemon again if it stays so.",
  });

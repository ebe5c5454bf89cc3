/**
 * A daemon as the host talks to it. One that does not read costs nothing: what is told unasked is gathered into one
 * notice until it reads again, and it is not listened to while its answers pile up.
 */
import type { Socket } from "node:net";
import { createLineSplitter } from "./lines.ts";
import { frameBytesMax, type StoreState } from "./protocol.ts";

/** Unsent bytes above which no more notices are added: the few that a daemon that reads is ever behind. */
const unsentBytesMax = 64 * 1024;

export interface ConnectionListener {
  /** Answers a request; undefined for what is none, upon which is hung up. */
  readonly asked: (line: string) => Promise<object | undefined>;
  readonly failed: (err: unknown) => void;
  readonly closed: () => void;
}

interface Notice {
  seq: number;
  readonly sessions: Set<string>;
}

export class DaemonConnection {
  readonly #socket: Socket;
  #untold: Notice | undefined;
  #store: StoreState | undefined;

  constructor(socket: Socket, { asked, failed, closed }: ConnectionListener) {
    this.#socket = socket;
    const lines = createLineSplitter(frameBytesMax, () => socket.destroy());
    socket.on("data", (chunk) => {
      for (const line of lines.push(chunk)) void asked(line).then((answer) => this.#answer(answer));
    });
    socket.on("drain", () => {
      socket.resume();
      this.#tell();
    });
    socket.on("error", failed);
    socket.on("close", closed);
  }

  /** The log has grown to `seq`, and in these sessions. */
  grown(seq: number, sessions: readonly string[]): void {
    this.#untold ??= { seq, sessions: new Set() };
    this.#untold.seq = seq;
    for (const session of sessions) this.#untold.sessions.add(session);
    this.#tell();
  }

  storeChanged(state: StoreState, seq: number): void {
    this.#store = state;
    this.grown(seq, []);
  }

  #tell(): void {
    if (this.#untold === undefined || this.#socket.writableLength > unsentBytesMax) return;
    const { seq, sessions } = this.#untold;
    const store = this.#store;
    this.#untold = undefined;
    this.#store = undefined;
    this.#send({ grown: seq, sessions: [...sessions], ...(store === undefined ? {} : { store }) });
  }

  #answer(answer: object | undefined): void {
    if (answer === undefined) return void this.#socket.destroy();
    this.#send(answer);
    if (this.#socket.writableLength > unsentBytesMax) this.#socket.pause();
  }

  #send(message: object): void {
    if (this.#socket.writable) this.#socket.write(`${JSON.stringify(message)}\n`);
  }
}

/**
 * What is sent to one client, and how much of it the client has not taken yet. Whoever has more to send waits until all
 * before it was taken, so that a client that does not read costs what was under way when it stopped, and no more.
 */
import type { WebSocket } from "ws";

export class Outbox {
  readonly #socket: WebSocket;
  #unsent = 0;
  #waiting: (() => void)[] = [];

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("close", () => this.#letGo());
  }

  get unsentBytes(): number {
    return this.#socket.bufferedAmount;
  }

  send(text: string | Buffer): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#unsent += 1;
    // Also called, with an error, for what a closed socket did not take.
    this.#socket.send(text, { binary: false }, () => {
      this.#unsent -= 1;
      if (this.#unsent === 0) this.#letGo();
    });
  }

  /** Resolves once nothing waits to be sent, or never will be. */
  async drained(): Promise<void> {
    if (this.#unsent === 0 || this.#socket.readyState !== this.#socket.OPEN) return;
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #letGo(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

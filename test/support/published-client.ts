/**
 * A client as others have written them for the published daemon: made from its documents alone, with nothing of this
 * project's own client in it. It looks at the socket before it trusts it, agrees on the contract before it asks for
 * anything, takes no answer above its limits, reads events by polling, and gives a session up that sends it too much.
 */
import { type Stats, lstatSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";

const bytesMax = 1_000_000;
const eventsMax = 500;
const payloadBytesMax = 64_000;
const timeoutMs = 10_000;

export interface PublishedSession {
  readonly id: string;
  readonly project_root: string;
  readonly harness: string;
  readonly title: string;
  readonly status: string;
  readonly created_at: string;
  readonly updated_at: string;
}

export interface PublishedEvent {
  readonly id: string;
  readonly kind: string;
  readonly payload: unknown;
}

/** What the daemon answered with an error envelope. */
export class DaemonRefusal extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string) {
    super(`${status} ${code}`);
    this.status = status;
    this.code = code;
  }
}

/** Another daemon answers than the one that was agreed with; nothing was sent to it. */
export class EndpointReplaced extends Error {}

export class PublishedClient {
  readonly #home: string;
  readonly #socket: string;
  #agreedWith: string | undefined;

  constructor(home: string) {
    this.#home = home;
    this.#socket = join(home, "coven.sock");
  }

  /** Compares the contract and the capabilities that the rest of the client needs. */
  async negotiate(): Promise<void> {
    const peer = this.#checkEndpoint();
    const health = fieldsOf(await this.#exchange("GET", "/api/v1/health"));
    const capabilities = fieldsOf(health["capabilities"]);
    if (health["ok"] !== true || health["apiVersion"] !== "coven.daemon.v1")
      throw new Error(`no coven.daemon.v1: ${JSON.stringify(health)}`);
    if (
      capabilities["sessions"] !== true ||
      capabilities["events"] !== true ||
      capabilities["eventCursor"] !== "sequence" ||
      capabilities["structuredErrors"] !== true
    )
      throw new Error(`too little is offered: ${JSON.stringify(capabilities)}`);
    this.#agreedWith = peer;
  }

  /** What an optional part of the contract is offered as. */
  async offers(capability: string): Promise<unknown> {
    return fieldsOf(fieldsOf(await this.#call("GET", "/health"))["capabilities"])[capability];
  }

  launch = async (body: object): Promise<PublishedSession> =>
    sessionOf(await this.#call("POST", "/sessions", body));

  session = async (id: string): Promise<PublishedSession> =>
    sessionOf(await this.#call("GET", `/sessions/${idOf(id)}`));

  sessions = async (): Promise<PublishedSession[]> =>
    listOf(await this.#call("GET", "/sessions")).map(sessionOf);

  async input(id: string, data: string): Promise<void> {
    requireAccepted(await this.#call("POST", `/sessions/${idOf(id)}/input`, { data }));
  }

  async kill(id: string): Promise<void> {
    requireAccepted(await this.#call("POST", `/sessions/${idOf(id)}/kill`));
  }

  /** The events after one already seen: by its id, and without a limit, as published clients ask. */
  async events(id: string, afterEventId: string | undefined): Promise<PublishedEvent[]> {
    const after = afterEventId === undefined ? "" : `&afterEventId=${encodeURIComponent(afterEventId)}`;
    const answer = await this.#call("GET", `/events?sessionId=${encodeURIComponent(idOf(id))}${after}`);
    const events = listOf(Array.isArray(answer) ? answer : fieldsOf(answer)["events"]);
    if (events.length > eventsMax) throw new Error(`${events.length} events in one answer`);
    return events.map((event) => {
      const payload = textOf(event, "payload_json");
      if (Buffer.byteLength(payload) > payloadBytesMax) throw new Error("an event is too large");
      const kind = textOf(event, "kind");
      return { id: textOf(event, "id"), kind, payload: JSON.parse(payload) };
    });
  }

  /** Polls until an event is what is looked for; whatever goes wrong meanwhile ends the session. */
  async *follow(id: string, afterEventId?: string): AsyncGenerator<PublishedEvent> {
    for (let seen = afterEventId; ;) {
      const events = await this.events(id, seen).catch(async (error: unknown) => {
        if (!(error instanceof EndpointReplaced)) await this.kill(id);
        throw error;
      });
      for (const event of events) {
        seen = event.id;
        yield event;
      }
    }
  }

  /** Sends nothing to a daemon that was not agreed with. */
  async #call(method: string, path: string, body?: object): Promise<unknown> {
    if (this.#checkEndpoint() !== this.#agreedWith) {
      this.#agreedWith = undefined;
      throw new EndpointReplaced("negotiate again");
    }
    return this.#exchange(method, `/api/v1${path}`, body);
  }

  /** Who is at the socket. Throws where somebody else could be. */
  #checkEndpoint(): string {
    requirePrivate(lstatSync(this.#home), 0o077);
    const socket = lstatSync(this.#socket);
    if (!socket.isSocket()) throw new Error(`${this.#socket} is no socket`);
    requirePrivate(socket, 0o022);
    return `${socket.dev} ${socket.ino} ${socket.ctimeMs}`;
  }

  async #exchange(method: string, path: string, body?: object): Promise<unknown> {
    const text = body === undefined ? "" : JSON.stringify(body);
    if (Buffer.byteLength(text) > bytesMax) throw new Error("the request is too large");
    const before = lstatSync(this.#socket).ino;
    const { status, received } = await this.#send(method, path, text, before);
    const answer: unknown = JSON.parse(received);
    if (status < 400) return answer;
    throw new DaemonRefusal(status, textOf(fieldsOf(answer)["error"], "code"));
  }

  #send(method: string, path: string, text: string, inode: number) {
    return new Promise<{ status: number; received: string }>((resolve, reject) => {
      const sent = request({
        socketPath: this.#socket,
        method,
        path,
        agent: false,
        signal: AbortSignal.timeout(timeoutMs),
        headers: { host: "coven", "content-length": Buffer.byteLength(text) },
      });
      sent.once("socket", (socket) =>
        socket.once("connect", () => {
          if (lstatSync(this.#socket).ino !== inode) sent.destroy(new EndpointReplaced("while connecting"));
        }),
      );
      sent.once("error", reject);
      sent.once("response", (response) => {
        let received = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          received += chunk;
          if (Buffer.byteLength(received) > bytesMax) sent.destroy(new Error("the answer is too large"));
        });
        response.once("error", reject);
        response.once("end", () => resolve({ status: response.statusCode ?? 0, received }));
      });
      sent.end(text);
    });
  }
}

function requirePrivate(found: Stats, forbidden: number): void {
  if (found.uid !== process.getuid?.() || (found.mode & forbidden) !== 0)
    throw new Error(`others may use it: ${found.mode.toString(8)}`);
}

function idOf(id: string): string {
  if (/^[A-Za-z0-9._:-]{1,256}$/.test(id)) return id;
  throw new Error(`no session id: ${id}`);
}

const fieldsOf = (value: unknown): Record<string, unknown> => {
  if (typeof value !== "object" || value === null) throw new Error(`no object: ${JSON.stringify(value)}`);
  return { ...value };
};

function listOf(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  throw new Error(`no list: ${JSON.stringify(value)}`);
}

function textOf(value: unknown, field: string): string {
  const text = fieldsOf(value)[field];
  if (typeof text === "string") return text;
  throw new Error(`${field} is missing in ${JSON.stringify(value)}`);
}

const sessionOf = (value: unknown): PublishedSession => ({
  id: idOf(textOf(value, "id")),
  project_root: textOf(value, "project_root"),
  harness: textOf(value, "harness"),
  title: textOf(value, "title"),
  status: textOf(value, "status"),
  created_at: textOf(value, "created_at"),
  updated_at: textOf(value, "updated_at"),
});

function requireAccepted(answer: unknown): void {
  const { ok, accepted } = fieldsOf(answer);
  if (ok !== true || accepted !== true) throw new Error(`not accepted: ${JSON.stringify(answer)}`);
}

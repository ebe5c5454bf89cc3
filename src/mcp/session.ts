/** One client's session over HTTP: its server, its streams, and how long it has been left alone. */
/* eslint-disable @typescript-eslint/no-deprecated -- the lower server is marked so for those who need only the higher */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import type { Identity } from "../capabilities/capability.ts";
import { BoundedTransport } from "./bounded-transport.ts";
import { ReplayLog } from "./replay.ts";
import { sendAnswer, toRequest } from "./web.ts";

/** How soon a client whose stream broke is asked to come back, ms. */
const comeBackMs = 1000;

/** Between two signs of life on a quiet stream, ms: below the idle limits of usual clients. */
const heartbeatMs = 15_000;

export interface SessionStart {
  readonly id: string;
  readonly identity: Identity;
  /** Not yet connected. */
  readonly server: Server;
  readonly idleMsMax: number;
  /** It was initialized. */
  readonly began: () => void;
  readonly ended: () => void;
}

export class McpSession {
  readonly id: string;
  readonly identity: Identity;
  readonly #start: SessionStart;
  readonly #server: Server;
  readonly #replay = new ReplayLog();
  readonly #inner: WebStandardStreamableHTTPServerTransport;
  readonly #open = new Set<ServerResponse>();
  #idle: NodeJS.Timeout | undefined;
  #idleSince = 0;
  #isOver = false;

  constructor(start: SessionStart) {
    this.id = start.id;
    this.identity = start.identity;
    this.#start = start;
    this.#server = start.server;
    this.#inner = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => start.id,
      onsessioninitialized: () => start.began(),
      eventStore: this.#replay,
      retryInterval: comeBackMs,
      keepAliveMs: heartbeatMs,
    });
  }

  /** When its last stream was closed; undefined while it has one. */
  get idleSince(): number | undefined {
    return this.#open.size === 0 ? this.#idleSince : undefined;
  }

  async connect(): Promise<void> {
    const transport = new BoundedTransport(this.id, this.#inner);
    transport.onclose = () => {
      this.#isOver = true;
      clearTimeout(this.#idle);
      this.#start.ended();
    };
    await this.#server.connect(transport);
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#hold(response);
    const answer = await this.#inner.handleRequest(toRequest(request));
    const seen = request.headers["last-event-id"];
    // The SDK would hold a stream open that was replayed to its end.
    const left =
      request.method === "GET" && typeof seen === "string" ? this.#replay.leftAfter(seen) : undefined;
    await sendAnswer(response, answer, left);
  }

  /** Ends its streams and what it waits for. Resolves when its clients know, or do not listen. */
  async close(): Promise<void> {
    const told = [...this.#open].map(
      (response) => new Promise<void>((resolve) => response.once("close", () => resolve())),
    );
    await this.#server.close();
    await Promise.all(told);
  }

  hangUp(): void {
    for (const response of this.#open) response.destroy();
  }

  #hold(response: ServerResponse): void {
    clearTimeout(this.#idle);
    this.#open.add(response);
    response.once("close", () => {
      this.#open.delete(response);
      if (this.#open.size > 0 || this.#isOver) return;
      this.#idleSince = performance.now();
      // A client that hung up may come back for the answer. A call goes on meanwhile, but not for nobody for ever.
      this.#idle = setTimeout(() => void this.close(), this.#start.idleMsMax).unref();
    });
  }
}

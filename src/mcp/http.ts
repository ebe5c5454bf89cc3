/**
 * MCP over Streamable HTTP, revisions 2025-06-18 and 2025-11-25: a client initializes a session, names it in a header
 * ever after, and is known by it to be the one who did. A call's answer is a stream that opens at once; hanging up does
 * not cancel the call, and whoever comes back with the id of the last event it saw gets what it missed.
 */
/* eslint-disable @typescript-eslint/no-deprecated -- the lower server is marked so for those who need only the higher */
import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Server } from "@modelcontextprotocol/sdk/server/index.js";
import type { Identity } from "../capabilities/capability.ts";
import { failures } from "../errors.ts";
import { McpSession } from "./session.ts";

/** Sessions at once: beside the agents of one machine, which mostly start a bridge of their own. */
const sessionsMax = 128;

/** How long a session lasts that nobody has a stream of or asks anything, ms. Its client gets a new one without ado. */
const idleMsMax = 30 * 60_000;

/** How long clients may take to read that the daemon stops, ms, before they are hung up on. */
const farewellMsMax = 200;

/** Largest body, bytes: the limit of every other route, and of the SDK where no length is said. */
const bodyBytesMax = 4 * 1024 * 1024;

export interface McpLimits {
  readonly sessionsMax: number;
  readonly idleMsMax: number;
}

export interface McpClient {
  readonly identity: Identity;
  /** The id of its session: as secret as what it can be used for. */
  readonly session: string;
}

export interface McpHandlerOptions {
  /** Not yet connected. */
  readonly newServer: (client: McpClient) => Server;
  /** What went wrong with one client, for the log. */
  readonly trouble: (error: Error) => void;
  readonly limits?: Partial<McpLimits>;
}

export interface McpHandler {
  /** Answers a request whose body was not read yet. */
  readonly handle: (request: IncomingMessage, response: ServerResponse, identity: Identity) => Promise<void>;
  /** Ends every session, with its streams and what it waits for; none begins any more. */
  readonly close: () => Promise<void>;
}

export function createMcpHandler({ newServer, trouble, limits = {} }: McpHandlerOptions): McpHandler {
  const bounds: McpLimits = { sessionsMax, idleMsMax, ...limits };
  const sessions = new Map<string, McpSession>();
  /** Requests that may become a session. */
  let beginning = 0;
  let isClosed = false;

  async function begin(
    request: IncomingMessage,
    response: ServerResponse,
    identity: Identity,
  ): Promise<void> {
    const idle = [...sessions.values()].filter(({ idleSince }) => idleSince !== undefined);
    if (sessions.size - idle.length + beginning >= bounds.sessionsMax)
      return refuse(response, tooManySessions(bounds.sessionsMax));
    const id = randomBytes(24).toString("base64url");
    const server = newServer({ identity, session: id });
    server.onerror = trouble;
    const session = new McpSession({
      id,
      identity,
      server,
      idleMsMax: bounds.idleMsMax,
      began: () => {
        makeRoom();
        sessions.set(id, session);
      },
      ended: () => void sessions.delete(id),
    });
    beginning += 1;
    try {
      await session.connect();
      // Resolves with the end of its answer: it counts until then, though it is among the sessions soon.
      await session.handle(request, response);
    } finally {
      beginning -= 1;
      if (!sessions.has(id)) await session.close();
    }
  }

  /** The session that nobody has used for longest goes. */
  function makeRoom(): void {
    if (sessions.size < bounds.sessionsMax) return;
    const [oldest] = [...sessions.values()]
      .filter(({ idleSince }) => idleSince !== undefined)
      .sort((one, other) => (one.idleSince ?? 0) - (other.idleSince ?? 0));
    if (oldest === undefined) return;
    sessions.delete(oldest.id);
    void oldest.close();
  }

  async function route(
    request: IncomingMessage,
    response: ServerResponse,
    identity: Identity,
  ): Promise<void> {
    if (!isLocal(request.headers.origin)) return refuse(response, foreignOrigin);
    if (isClosed) return refuse(response, stopping);
    if (Number(request.headers["content-length"]) > bodyBytesMax) {
      // One that is hung up on while it writes never sees why.
      request.resume().once("end", () => refuse(response, tooLarge));
      return;
    }
    // A request of revision 2026-07-28 says so in MCP-Protocol-Version and has no session: its stateless server would
    // be called here, made by the same `newServer`.
    const id = request.headers["mcp-session-id"];
    if (id === undefined)
      return request.method === "POST" ? begin(request, response, identity) : refuse(response, noSession);
    const session = typeof id === "string" ? sessions.get(id) : undefined;
    // To another caller a session is as good as none: its id proves nothing.
    if (session === undefined || !isSame(session.identity, identity)) return refuse(response, unknownSession);
    return session.handle(request, response);
  }

  return {
    async handle(request, response, identity) {
      try {
        await route(request, response, identity);
      } catch (error) {
        trouble(error instanceof Error ? error : new Error(String(error)));
        if (response.headersSent) response.destroy();
        else refuse(response, broken);
      }
    },

    async close() {
      isClosed = true;
      const open = [...sessions.values()];
      let tooLong: NodeJS.Timeout | undefined;
      const farewell = new Promise<void>((resolve) => (tooLong = setTimeout(resolve, farewellMsMax)));
      await Promise.race([Promise.all(open.map((session) => session.close())), farewell]);
      clearTimeout(tooLong);
      for (const session of open) session.hangUp();
    },
  };
}

function isSame(one: Identity, other: Identity): boolean {
  if (one.kind === "owner" || other.kind === "owner") return one.kind === other.kind;
  return one.run === other.run;
}

/** Browsers say which page sent a request; a page of this machine's own may. */
function isLocal(origin: string | undefined): boolean {
  return origin === undefined || /^https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/i.test(origin);
}

interface Refusal {
  readonly status: number;
  readonly code: number;
  readonly message: string;
  readonly data?: object;
}

// The codes below -32000 are those that clients of these revisions know.
const foreignOrigin: Refusal = {
  status: 403,
  code: -32000,
  message: "Forbidden: the Origin header is not of this machine",
};
const noSession: Refusal = {
  status: 400,
  code: -32000,
  message: "Bad Request: the Mcp-Session-Id header is missing; initialize answers it",
};
const unknownSession: Refusal = {
  status: 404,
  code: -32001,
  message: "Session not found: it has ended, or is not yours; initialize another",
};
const tooLarge: Refusal = {
  status: failures.payload_too_large.http,
  code: -32000,
  message: `the body is larger than ${bodyBytesMax} bytes`,
};
const stopping: Refusal = { status: 503, code: -32000, message: "the daemon is stopping; try again" };
const broken: Refusal = {
  status: 500,
  code: -32603,
  message: "something went wrong inside Coven; see coven logs",
};
const tooManySessions = (most: number): Refusal => ({
  status: failures.limit_exceeded.http,
  code: failures.limit_exceeded.http,
  message: `${most} MCP sessions are in use, as many as there may be; end one with DELETE, or try again later`,
  data: { code: "limit_exceeded", sessionsMax: most },
});

function refuse(response: ServerResponse, { status, code, message, data }: Refusal): void {
  const error = { code, message, ...(data === undefined ? {} : { data }) };
  const body = JSON.stringify({ jsonrpc: "2.0", error, id: null });
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
  });
  response.end(body);
}

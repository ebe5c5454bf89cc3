/**
 * The one place where a connection becomes a WebSocket. A path belongs to one kind of socket; what is refused, by that
 * kind or because the path is nobody's, is answered before it becomes a WebSocket: with the status and the failure, as
 * any other request.
 */
import { STATUS_CODES, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { FastifyInstance } from "fastify";
import { type ServerOptions, type WebSocket, WebSocketServer } from "ws";
import { Failure, failures } from "../errors.ts";
import type { Log } from "../log.ts";
import { wireFailure } from "./failure.ts";

/** How long a client may take to answer that the daemon stops, ms, before it is hung up on. */
const farewellMsMax = 200;

export interface Upgrade {
  /** What the groups of the path's pattern matched. */
  readonly named: readonly string[];
  /** What stands behind the question mark. */
  readonly search: string;
  readonly headers: IncomingHttpHeaders;
}

/** What is served over a WebSocket, and where. */
export interface UpgradeRoute {
  readonly path: RegExp;
  readonly options: Pick<ServerOptions, "maxPayload">;
  /** Answers what serves the socket once it is there. Throws the failure that the upgrade is refused with. */
  readonly open: (upgrade: Upgrade) => (socket: WebSocket) => void;
}

export function addUpgrades(app: FastifyInstance, routes: readonly UpgradeRoute[], log: Log): void {
  const served = routes.map((route) => ({
    ...route,
    sockets: new WebSocketServer({ ...route.options, noServer: true }),
  }));

  app.server.on("upgrade", (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    stream.on("error", () => stream.destroy());
    try {
      const [path = "", search = ""] = (request.url ?? "").split("?");
      for (const { path: pattern, open, sockets } of served) {
        const match = pattern.exec(path);
        if (match === null) continue;
        const serve = open({ named: match.slice(1), search, headers: request.headers });
        sockets.handleUpgrade(request, stream, head, serve);
        return;
      }
      throw new Failure("not_found", "Route not found.");
    } catch (error) {
      refuseUpgrade(stream, socketFailure(error, log));
    }
  });

  // Before the server begins to wait for its connections, of which these are some.
  app.addHook("preClose", async () => {
    const sockets = served.flatMap((each) => [...each.sockets.clients]);
    for (const socket of sockets) socket.close(1001, "daemon_stopping");
    setTimeout(() => sockets.forEach((socket) => socket.terminate()), farewellMsMax).unref();
  });
}

/** A bug is logged and told as what it is. */
export function socketFailure(error: unknown, log: Log): Failure {
  if (error instanceof Failure) return error;
  log.error({ err: error }, "a client of a WebSocket could not be served");
  return new Failure("internal_error", "something went wrong inside Coven", {
    hint: "See the daemon's log: coven logs.",
  });
}

/** Answers instead of upgrading, as any other request is answered. */
export function refuseUpgrade(stream: Duplex, failure: Failure): void {
  const { http } = failures[failure.code];
  const body = JSON.stringify({ error: wireFailure(failure) });
  const head = [
    `HTTP/1.1 ${http} ${STATUS_CODES[http] ?? ""}`,
    "Connection: close",
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...(failure.code === "unauthenticated" ? ["WWW-Authenticate: Bearer"] : []),
  ];
  stream.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}

/**
 * The attach stream, a WebSocket at `/api/v1/sessions/:id/attach?afterSeq=N`: one person's terminal.
 *
 * Server to client: binary frames are what the harness prints, from the cursor on; the socket is closed with code
 * 1000 when the session has ended and everything was sent. Client to server: binary frames are keys, a text frame
 * `{"columns","rows"}` is the size of the window. A refused request is answered 4404 or 4409 with the failure code.
 */
import type { FastifyInstance } from "fastify";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import * as z from "zod";
import { Failure, failures } from "../errors.ts";
import type { Log } from "../log.ts";
import type { AttachedTerminal, Services } from "./services.ts";

/** Most bytes in one frame from a client: a large paste. */
const frameBytesMax = 1024 * 1024;

/** How long a client may take to answer that the daemon stops, ms, before it is hung up on. */
const farewellMsMax = 200;

const windowSize = z.object({ columns: z.int().min(1).max(1000), rows: z.int().min(1).max(1000) });

export function addAttach(app: FastifyInstance, { data }: Services, log: Log): void {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: frameBytesMax });
  app.server.on("upgrade", (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    stream.on("error", () => stream.destroy());
    const [path = "", search = ""] = (request.url ?? "").split("?");
    const session = /^(?:\/api\/v1)?\/sessions\/([^/]+)\/attach$/.exec(path)?.[1];
    if (session === undefined) return void stream.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n");
    const afterSeq = Number(new URLSearchParams(search).get("afterSeq") ?? 0);
    sockets.handleUpgrade(request, stream, head, (socket) => void serve(socket, session, afterSeq));
  });
  // Before the server begins to wait for its connections, of which these are some.
  app.addHook("preClose", async () => {
    for (const socket of sockets.clients) socket.close(1001, "daemon_stopping");
    setTimeout(() => sockets.clients.forEach((socket) => socket.terminate()), farewellMsMax).unref();
  });

  async function serve(socket: WebSocket, session: string, afterSeq: number): Promise<void> {
    const gone = new AbortController();
    socket.on("close", () => gone.abort());
    socket.on("error", (err) => log.debug({ err, session }, "an attached client failed"));
    let terminal: AttachedTerminal | undefined;
    try {
      terminal = data.attach(session);
      const attached = terminal;
      socket.on(
        "message",
        (frame, isBinary) =>
          void take(attached, frame, isBinary).catch((error: unknown) => refuse(socket, error)),
      );
      for await (const bytes of terminal.output(Number.isSafeInteger(afterSeq) ? afterSeq : 0, gone.signal)) {
        await new Promise<void>((resolve) => socket.send(bytes, () => resolve()));
      }
      socket.close(1000, "ended");
    } catch (error) {
      refuse(socket, error);
    } finally {
      await terminal?.detach();
    }
  }

  async function take(terminal: AttachedTerminal, frame: RawData, isBinary: boolean): Promise<void> {
    const bytes = Buffer.isBuffer(frame)
      ? frame
      : Array.isArray(frame)
        ? Buffer.concat(frame)
        : Buffer.from(frame);
    if (isBinary) return terminal.input(bytes);
    const { columns, rows } = windowSize.parse(JSON.parse(bytes.toString("utf8")));
    return terminal.resize(columns, rows);
  }

  function refuse(socket: WebSocket, error: unknown): void {
    if (error instanceof Failure) return socket.close(4000 + failures[error.code].http, error.code);
    log.warn({ err: error }, "an attached client sent what is no frame of ours");
    socket.close(1003, "invalid_request");
  }
}

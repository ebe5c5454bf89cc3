/**
 * One kept HTTP connection, driven by hand: an HTTP library's own time in the client would be added to both sides of
 * a ratio and make it look better than it is. Answers are read by their Content-Length.
 */
import { once } from "node:events";
import { type Socket, createConnection } from "node:net";

export interface KeptConnection {
  /** Resolves with the body's length when the answer is complete. */
  readonly get: (path: string) => Promise<number>;
  readonly post: (path: string, body: object) => Promise<number>;
  readonly close: () => void;
}

export async function keepConnection(socketPath: string): Promise<KeptConnection> {
  const socket = await connectTo(socketPath);
  let received = "";
  let wanted: ((bodyLength: number) => void) | undefined;
  socket.on("data", (text: string) => {
    received += text;
    const headEnd = received.indexOf("\r\n\r\n");
    if (headEnd < 0) return;
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(received)?.[1] ?? 0);
    if (received.length < headEnd + 4 + length) return;
    if (!received.startsWith("HTTP/1.1 200")) throw new Error(received);
    received = "";
    wanted?.(length);
  });
  const answerTo = (request: string): Promise<number> =>
    new Promise((resolve) => {
      wanted = resolve;
      socket.write(request);
    });
  return {
    get: (path) => answerTo(`GET ${path} HTTP/1.1\r\nhost: coven\r\nconnection: keep-alive\r\n\r\n`),
    post: (path, body) => answerTo(postText(path, body)),
    close: () => socket.destroy(),
  };
}

/** Hears bytes as characters of their own, so that lengths are those of bytes. */
export async function connectTo(socketPath: string): Promise<Socket> {
  const socket = createConnection(socketPath);
  await once(socket, "connect");
  return socket.setEncoding("latin1");
}

/** A request that any of our routes takes; `more` are lines of its head. */
export function postText(path: string, body: object, more: readonly string[] = []): string {
  const text = JSON.stringify(body);
  const head = [
    `POST ${path} HTTP/1.1`,
    "host: coven",
    "connection: keep-alive",
    "accept: application/json, text/event-stream",
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(text)}`,
    ...more,
  ];
  return `${head.join("\r\n")}\r\n\r\n${text}`;
}

/**
 * One kept HTTP connection, driven by hand: an HTTP library's own time in the client would be added to both sides of
 * a ratio and make it look better than it is. Answers are read by their Content-Length.
 */
import { once } from "node:events";
import { createConnection } from "node:net";

export interface KeptConnection {
  /** Resolves with the body's length when the answer is complete. */
  readonly get: (path: string) => Promise<number>;
  readonly close: () => void;
}

export async function keepConnection(socketPath: string): Promise<KeptConnection> {
  const socket = createConnection(socketPath);
  await once(socket, "connect");
  let received = "";
  let wanted: ((bodyLength: number) => void) | undefined;
  socket.setEncoding("latin1");
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
  return {
    get: (path) =>
      new Promise((resolve) => {
        wanted = resolve;
        socket.write(`GET ${path} HTTP/1.1\r\nhost: coven\r\nconnection: keep-alive\r\n\r\n`);
      }),
    close: () => socket.destroy(),
  };
}

/** Between Node's requests and answers and those of the web, which the SDK's transport speaks. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { ReadableStreamReadResult } from "node:stream/web";

/** How long a reader may take nothing of what is sent, ms, before it is hung up on: what it is owed is held in memory. */
const stalledMsMax = 60_000;

/** The body is read when it is asked for. */
export function toRequest(request: IncomingMessage): Request {
  const { method = "GET", url = "/" } = request;
  const headers = new Headers();
  for (const [name, value = []] of Object.entries(request.headers))
    for (const each of typeof value === "string" ? [value] : value) headers.append(name, each);
  // Left unread, as a too large one is, it must not take its connection with it before the refusal is sent.
  const unread = request.iterator({ destroyOnReturn: false });
  const body = method === "POST" ? { body: unread, duplex: "half" as const } : {};
  // Of the address only the path is the client's: where it was sent to has been looked at before.
  return new Request(new URL(url, "http://localhost"), { method, headers, ...body });
}

/**
 * Sends an answer as it comes; its head at once, since clients give up on a call that is silent for a minute. Of a
 * stream, no more than so many pieces.
 */
export async function sendAnswer(
  response: ServerResponse,
  answer: Response,
  piecesMax = Number.POSITIVE_INFINITY,
): Promise<void> {
  const isStream = answer.headers.get("content-type") === "text/event-stream";
  if (answer.body === null || !isStream) {
    const body = Buffer.from(await answer.arrayBuffer());
    response.writeHead(answer.status, {
      ...Object.fromEntries(answer.headers),
      "content-length": body.length,
    });
    response.end(body);
    return;
  }
  const reader = answer.body.getReader();
  const gone = (): void => void reader.cancel();
  response.once("close", gone);
  if (response.closed) gone();
  response.writeHead(answer.status, Object.fromEntries(answer.headers));
  response.flushHeaders();
  for (let pieces = 0; pieces < piecesMax; pieces += 1) {
    const read: ReadableStreamReadResult<Uint8Array> = await reader.read();
    if (read.done) break;
    if (!response.write(read.value)) await drained(response);
  }
  response.end();
}

/** Resolves when the reader has taken what was written, or is gone. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const tooLong = setTimeout(() => response.destroy(), stalledMsMax);
    const done = (): void => {
      clearTimeout(tooLong);
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    response.on("drain", done);
    response.on("close", done);
    if (response.closed) done();
  });
}

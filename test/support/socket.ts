/** Plain HTTP over the socket, as curl would send it. */
import { type IncomingHttpHeaders, request } from "node:http";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
}

export interface Sent {
  readonly body?: string | object;
  readonly headers?: Readonly<Record<string, string>>;
}

export function send(
  socketPath: string,
  method: string,
  path: string,
  { body, headers = {} }: Sent = {},
): Promise<Answer> {
  const text = typeof body === "object" ? JSON.stringify(body) : body;
  return new Promise((resolve, reject) => {
    // Said, since Node's client leaves it out of a DELETE.
    const length = text === undefined ? {} : { "content-length": Buffer.byteLength(text) };
    const sent = request({ socketPath, method, path, headers: { ...length, ...headers } }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        const received = Buffer.concat(chunks).toString("utf8");
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: received === "" ? undefined : JSON.parse(received),
        });
      });
    });
    sent.on("error", reject);
    sent.end(text);
  });
}

/** A plain client of the API on kept connections, with as little of its own between the clock and the socket. */
import { Agent, type IncomingMessage, request as httpRequest } from "node:http";
import { z } from "zod";

export type Client = ReturnType<typeof connect>;

const session = z.object({ id: z.string(), cursor: z.string() });
const watched = z.object({ outcome: z.string(), cursor: z.string() });
export type Session = z.output<typeof session>;
export type Watched = z.output<typeof watched>;

export interface Lane {
  readonly harness: string;
  readonly projectRoot: string;
  readonly prompt: string;
  readonly launchMode?: "interactive" | "nonInteractive";
  readonly worktree?: boolean;
}

export function connect(socketPath: string) {
  const agent = new Agent({ keepAlive: true });

  const send = (method: string, path: string, body?: object, accept?: string): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const text = body === undefined ? "" : JSON.stringify(body);
      const headers = {
        "content-length": Buffer.byteLength(text),
        ...(accept === undefined ? {} : { accept }),
      };
      const request = httpRequest({ socketPath, agent, method, path: `/api/v1${path}`, headers });
      request.once("error", reject);
      request.once("response", resolve);
      request.end(text);
    });

  const json = async (method: string, path: string, body?: object): Promise<unknown> => {
    const response = await send(method, path, body);
    const text = await textOf(response);
    if ((response.statusCode ?? 500) >= 400) throw new Error(`${method} ${path}: ${text}`);
    return JSON.parse(text);
  };

  const action = async (name: string, args: object): Promise<unknown> =>
    z
      .object({ event: z.object({ payload: z.unknown() }) })
      .parse(await json("POST", "/actions", { action: name, args })).event.payload;

  return {
    socketPath,
    action,
    get: (path: string): Promise<unknown> => json("GET", path),
    post: (path: string, body: object): Promise<unknown> => json("POST", path, body),
    /** A response whose body is yet to be read. */
    open: (path: string, accept: string): Promise<IncomingMessage> => send("GET", path, undefined, accept),
    launch: async (lane: Lane): Promise<Session> => session.parse(await json("POST", "/sessions", lane)),
    watch: async (args: object): Promise<Watched> => watched.parse(await action("watch", args)),
    close: (): void => agent.destroy(),
  };
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = "";
  response.setEncoding("utf8");
  for await (const chunk of response) text += String(chunk);
  return text;
}

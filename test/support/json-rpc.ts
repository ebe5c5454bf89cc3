/** JSON-RPC as a client of any make speaks it: messages as text, over a WebSocket or by POST. */
import { once } from "node:events";
import { onTestFinished } from "vitest";
import { type ClientOptions, WebSocket } from "ws";
import { z } from "zod";
import { send } from "./socket.ts";

const message = z.looseObject({
  id: z.union([z.string(), z.number(), z.null()]).optional(),
  method: z.string().optional(),
  params: z.unknown().optional(),
  result: z.unknown().optional(),
  error: z
    .looseObject({
      code: z.number(),
      message: z.string(),
      data: z.looseObject({ code: z.string() }).optional(),
    })
    .optional(),
});
export type Heard = z.output<typeof message>;
type Fields = Readonly<Record<string, unknown>>;

export interface RpcSocket {
  readonly socket: WebSocket;
  readonly say: (said: string | object | Buffer) => void;
  /** Everything that came, in order. */
  readonly heard: readonly unknown[];
  /** The message with this id, once it is there. */
  readonly answerTo: (id: string | number | null) => Promise<Heard>;
  /** Says the request with a new id and answers what is answered. */
  readonly ask: (method: string, params?: unknown) => Promise<Heard>;
  /** The notification that is so many-th of its method. */
  readonly told: (method: string, times?: number) => Promise<Heard>;
  readonly until: <T>(found: (heard: readonly unknown[]) => T | undefined) => Promise<T>;
  /** The code and the reason it was closed with. */
  readonly closed: Promise<readonly [number, string]>;
}

export async function openRpc(
  socketPath: string,
  { path = "/api/v1/rpc", ...options }: ClientOptions & { path?: string } = {},
): Promise<RpcSocket> {
  const socket = new WebSocket(`ws+unix:${socketPath}:${path}`, options);
  onTestFinished(() => socket.terminate());
  const closed = new Promise<readonly [number, string]>((resolve) =>
    socket.on("close", (code, reason) => resolve([code, reason.toString("utf8")])),
  );
  const heard: unknown[] = [];
  const waiting = new Set<() => void>();
  socket.on("message", (frame) => {
    heard.push(JSON.parse(Buffer.isBuffer(frame) ? frame.toString("utf8") : ""));
    for (const look of [...waiting]) look();
  });
  const until: RpcSocket["until"] = (found) =>
    new Promise((resolve) => {
      const look = (): void => {
        const value = found(heard);
        if (value === undefined) return;
        waiting.delete(look);
        resolve(value);
      };
      waiting.add(look);
      look();
    });
  await once(socket, "open");
  const say: RpcSocket["say"] = (said) =>
    socket.send(typeof said === "string" || Buffer.isBuffer(said) ? said : JSON.stringify(said));
  const find = (isMeant: (each: Heard) => boolean, times = 1): Promise<Heard> =>
    until((all): Heard | undefined => {
      const read = all.map((each) => message.safeParse(each).data);
      return read.filter((each) => each !== undefined && isMeant(each))[times - 1];
    });
  const answerTo: RpcSocket["answerTo"] = (id) => find((each) => each.method === undefined && each.id === id);
  let asked = 0;
  return {
    socket,
    say,
    heard,
    answerTo,
    ask: (method, params) => {
      asked += 1;
      say({ jsonrpc: "2.0", method, params, id: `ask-${asked}` });
      return answerTo(`ask-${asked}`);
    },
    told: (method, times) => find((each) => each.method === method, times),
    until,
    closed,
  };
}

/** How a client of one transport asks; undefined where it is answered nothing. */
export type Say = (text: string) => Promise<unknown>;

export const byPost =
  (socketPath: string, path = "/api/v1/rpc"): Say =>
  async (text) => {
    const { status, headers, body } = await send(socketPath, "POST", path, { body: text });
    if (status === 204 && body === undefined) return undefined;
    if (status === 200 && headers["content-type"]?.startsWith("application/json") === true) return body;
    throw new Error(`answered ${status} ${JSON.stringify(headers)}`);
  };

/** What comes before the answer to a quick call that is made after it: `marker` names it. */
export const bySocket =
  (rpc: RpcSocket, marker: string): Say =>
  async (text) => {
    const before = rpc.heard.length;
    rpc.say(text);
    await rpc.ask(marker);
    const [answer, ...more] = rpc.heard.slice(before, -1);
    if (more.length > 0) throw new Error(`answered more than once: ${JSON.stringify(more)}`);
    return answer;
  };

/** A call by POST of one method; the answer's members. */
export async function post(
  socketPath: string,
  method: string,
  params?: unknown,
  more: Fields = {},
): Promise<Heard> {
  return message.parse(
    await byPost(socketPath)(JSON.stringify({ jsonrpc: "2.0", method, params, id: 1, ...more })),
  );
}

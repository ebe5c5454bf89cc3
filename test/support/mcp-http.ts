/** A client of MCP over HTTP that looks at everything: heads, event ids, ends of streams. */
import { type IncomingMessage, request } from "node:http";
import { onTestFinished } from "vitest";
import * as z from "zod";
import { blocksOf } from "./event-stream.ts";

const message = z.looseObject({
  id: z.union([z.number(), z.string()]).nullish(),
  method: z.string().optional(),
  result: z.record(z.string(), z.unknown()).optional(),
  error: z.looseObject({ code: z.number(), message: z.string() }).optional(),
});
export type Message = z.output<typeof message>;

export interface Sent {
  readonly id: string | undefined;
  readonly retry: string | undefined;
  /** Undefined where an event only gives the place. */
  readonly message: Message | undefined;
}

export interface McpAnswer {
  readonly status: number;
  readonly response: IncomingMessage;
  /** The events of the stream; over when it is, with an error when it was cut off. */
  readonly sent: AsyncGenerator<Sent, undefined>;
  /** What is left of the stream, up to its end. */
  readonly rest: () => Promise<Message[]>;
  /** The body of an answer that is no stream. */
  readonly body: () => Promise<Message>;
  readonly hangUp: () => void;
}

export type Headers = Readonly<Record<string, string>>;

const accepts = { accept: "application/json, text/event-stream", "content-type": "application/json" };

/** A socket's path, or a port of the loopback. */
export type Place = string | { readonly port: number };

/** Resolves with the head of the answer. */
export function exchange(
  place: Place,
  method: string,
  { headers = {}, body }: { headers?: Headers; body?: string | object } = {},
): Promise<McpAnswer> {
  const text = typeof body === "object" ? JSON.stringify(body) : body;
  return new Promise((resolve, reject) => {
    const path = "/mcp";
    const where = typeof place === "string" ? { socketPath: place } : { host: "127.0.0.1", ...place };
    const sent = request({ ...where, method, path, headers, agent: false }, (response) => {
      const events = eventsOf(response);
      resolve({
        status: response.statusCode ?? 0,
        response,
        sent: events,
        async rest() {
          const messages: Message[] = [];
          for await (const event of events) messages.push(...(event.message ? [event.message] : []));
          return messages;
        },
        async body() {
          let received = "";
          for await (const chunk of response) received += String(chunk);
          return message.parse(JSON.parse(received));
        },
        hangUp: () => response.destroy(),
      });
    });
    sent.on("error", reject);
    onTestFinished(() => void sent.destroy());
    sent.end(text);
  });
}

export interface McpSession {
  readonly id: string;
  readonly initialized: Message;
  readonly post: (body: object, headers?: Headers) => Promise<McpAnswer>;
  readonly call: (id: number, name: string, given: object) => Promise<McpAnswer>;
  readonly cancel: (id: number) => Promise<McpAnswer>;
  readonly get: (lastEventId?: string) => Promise<McpAnswer>;
  readonly end: () => Promise<McpAnswer>;
}

export const initialize = (protocolVersion: string): object => ({
  jsonrpc: "2.0",
  id: 0,
  method: "initialize",
  params: { protocolVersion, capabilities: {}, clientInfo: { name: "test", version: "1" } },
});

export async function openSession(
  place: Place,
  { version = "2025-11-25", headers = {} }: { version?: string; headers?: Headers } = {},
): Promise<McpSession> {
  const opened = await exchange(place, "POST", {
    headers: { ...accepts, ...headers },
    body: initialize(version),
  });
  const id = String(opened.response.headers["mcp-session-id"]);
  const [initialized] = await opened.rest();
  if (initialized === undefined) throw new Error(`initialize was answered ${opened.status}`);
  const known = { ...accepts, ...headers, "mcp-session-id": id, "mcp-protocol-version": version };
  const post: McpSession["post"] = (body, more = {}) =>
    exchange(place, "POST", { headers: { ...known, ...more }, body });
  const notified = await post({ jsonrpc: "2.0", method: "notifications/initialized" });
  if (notified.status !== 202) throw new Error(`the notification was answered ${notified.status}`);
  return {
    id,
    initialized,
    post,
    call: (call, name, given) =>
      post({ jsonrpc: "2.0", id: call, method: "tools/call", params: { name, arguments: given } }),
    cancel: (requestId) => post({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId } }),
    get: (last) =>
      exchange(place, "GET", {
        headers: { ...known, ...(last === undefined ? {} : { "last-event-id": last }) },
      }),
    end: () => exchange(place, "DELETE", { headers: known }),
  };
}

async function* eventsOf(response: IncomingMessage): AsyncGenerator<Sent, undefined> {
  for await (const fields of blocksOf(response)) {
    const isComment = fields.has("");
    if (isComment) continue;
    const data = fields.get("data") ?? "";
    yield {
      id: fields.get("id"),
      retry: fields.get("retry"),
      message: data === "" ? undefined : message.parse(JSON.parse(data)),
    };
  }
  return undefined;
}

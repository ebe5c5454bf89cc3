/**
 * MCP over a pair of streams: one JSON-RPC message a line. What is no message is answered with an error and the next
 * line is read; nothing that a client sends or leaves undone ends the process. The end of the input is the only end.
 */
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { type JSONRPCMessage, JSONRPCMessageSchema } from "@modelcontextprotocol/sdk/types.js";
import type { Readable, Writable } from "node:stream";

/** Longest message, bytes: a prompt of the greatest size that an action takes, every character of it escaped. */
const messageBytesMax = 4_000_000;

const newline = 10;

type Id = string | number | null;

export class StdioTransport implements Transport {
  onmessage?: (message: JSONRPCMessage) => void;
  onclose?: () => void;
  onerror?: (error: Error) => void;
  readonly #input: Readable;
  readonly #output: Writable;
  /** Asked and not yet answered. */
  readonly #open = new Set<string | number>();
  #settled: () => void = () => undefined;
  #line: Buffer[] = [];
  #lineBytes = 0;
  #isClosed = false;

  constructor(input: Readable, output: Writable) {
    this.#input = input;
    this.#output = output;
  }

  start(): Promise<void> {
    this.#input.on("data", this.#read);
    // A client that has gone reads no more; its end of the input follows.
    this.#output.on("error", this.#fail);
    this.#input.on("error", this.#fail);
    return Promise.resolve();
  }

  send(message: JSONRPCMessage): Promise<void> {
    if ("id" in message && message.id !== undefined && !("method" in message)) this.#settle(message.id);
    return this.#write(message);
  }

  close(): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    this.#isClosed = true;
    this.#input.off("data", this.#read);
    this.#input.pause();
    this.onclose?.();
    return Promise.resolve();
  }

  /** Resolves when everything asked so far has been answered. */
  answered(): Promise<void> {
    if (this.#open.size === 0) return Promise.resolve();
    return new Promise((resolve) => (this.#settled = resolve));
  }

  readonly #fail = (error: Error): void => this.onerror?.(error);

  #write(message: object): Promise<void> {
    return new Promise((resolve) => {
      if (!this.#output.writable) return resolve();
      this.#output.write(`${JSON.stringify(message)}\n`, () => resolve());
    });
  }

  #settle(id: string | number): void {
    this.#open.delete(id);
    if (this.#open.size === 0) this.#settled();
  }

  readonly #read = (chunk: Buffer): void => {
    let rest = chunk;
    for (let end = rest.indexOf(newline); end !== -1; end = rest.indexOf(newline)) {
      this.#add(rest.subarray(0, end));
      this.#endLine();
      rest = rest.subarray(end + 1);
    }
    this.#add(rest);
  };

  /** Of a line that is too long only the ends are kept: one of them says which request it was. */
  #add(piece: Buffer): void {
    if (piece.length === 0) return;
    this.#lineBytes += piece.length;
    this.#line.push(piece);
    if (this.#lineBytes <= messageBytesMax) return;
    const all = Buffer.concat(this.#line);
    this.#line = [Buffer.from(all.subarray(0, endBytes)), Buffer.from(all.subarray(-endBytes))];
  }

  #endLine(): void {
    const bytes = this.#lineBytes;
    const line = Buffer.concat(this.#line).toString("utf8").trim();
    this.#line = [];
    this.#lineBytes = 0;
    if (line === "") return;
    if (bytes > messageBytesMax) {
      const text = `a message of ${bytes} bytes is longer than the ${messageBytesMax} that are taken`;
      this.#refuse(idAtEnds(line), -32600, text);
      return;
    }
    this.#take(line);
  }

  #take(line: string): void {
    const json = parsed(line);
    if (json === undefined)
      return this.#refuse(null, -32700, "the line is no JSON; a message is one line of it");
    const message = JSONRPCMessageSchema.safeParse(json);
    if (!message.success)
      return this.#refuse(idOf(json), -32600, "the line is JSON, but no JSON-RPC message");
    const { data } = message;
    if ("method" in data && "id" in data) this.#open.add(data.id);
    else if ("method" in data && data.method === "notifications/cancelled") this.#cancelled(data.params);
    this.onmessage?.(data);
  }

  /** Is never answered. */
  #cancelled(params: object | undefined): void {
    const id: unknown = params !== undefined && "requestId" in params ? params.requestId : undefined;
    if (typeof id === "string" || typeof id === "number") this.#settle(id);
  }

  #refuse(id: Id, code: number, message: string): void {
    this.onerror?.(new Error(message));
    void this.#write({ jsonrpc: "2.0", id, error: { code, message } });
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined; // answered as such
  }
}

const idOf = (json: unknown): Id =>
  typeof json === "object" &&
  json !== null &&
  "id" in json &&
  (typeof json.id === "string" || typeof json.id === "number")
    ? json.id
    : null;

/** Kept of each end of a line that is too long, bytes. */
const endBytes = 500;

/** The id of a request, where it is its first member, its second, or its last. */
function idAtEnds(line: string): Id {
  const id = '"id":\\s*(-?\\d{1,15}|"[^"\\\\]{0,200}")';
  const first = new RegExp(`^\\{\\s*(?:"jsonrpc":\\s*"2\\.0",\\s*)?${id}\\s*[,}]`).exec(line);
  const last = new RegExp(`,\\s*${id}\\s*(?:,\\s*"jsonrpc":\\s*"2\\.0"\\s*)?\\}$`).exec(line);
  const found = (first ?? last)?.[1];
  return found === undefined ? null : idOf({ id: parsed(found) });
}

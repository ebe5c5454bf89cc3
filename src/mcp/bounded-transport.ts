/**
 * The SDK's transport of one session, with the calls in hand known: more than so many are refused, and of a cancelled
 * one nothing is left. The SDK answers a cancelled call nothing, as the protocol says, but would hold its stream open
 * for as long as the session lasts.
 */
import type { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import type { Transport, TransportSendOptions } from "@modelcontextprotocol/sdk/shared/transport.js";
import type { JSONRPCMessage, MessageExtraInfo, RequestId } from "@modelcontextprotocol/sdk/types.js";
import { failures } from "../errors.ts";

/** Calls of one session that may wait at once, also those whose client hung up: each may be a wait of minutes. */
export const callsInHandMax = 256;

export class BoundedTransport implements Transport {
  readonly sessionId: string;
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: NonNullable<Transport["onmessage"]>;
  readonly #inner: WebStandardStreamableHTTPServerTransport;
  readonly #inHand = new Set<RequestId>();

  constructor(sessionId: string, inner: WebStandardStreamableHTTPServerTransport) {
    this.sessionId = sessionId;
    this.#inner = inner;
    inner.onclose = () => this.onclose?.();
    inner.onerror = (error) => this.onerror?.(error);
    inner.onmessage = (message, extra) => this.#take(message, extra);
  }

  start = (): Promise<void> => this.#inner.start();
  close = (): Promise<void> => this.#inner.close();

  async send(message: JSONRPCMessage, { relatedRequestId }: TransportSendOptions = {}): Promise<void> {
    if (!("method" in message) && message.id !== undefined) this.#inHand.delete(message.id);
    await this.#inner.send(message, relatedRequestId === undefined ? {} : { relatedRequestId });
  }

  #take(message: JSONRPCMessage, extra: MessageExtraInfo | undefined): void {
    if ("method" in message && "id" in message) {
      if (this.#inHand.size >= callsInHandMax) return this.#answerInstead(message.id, tooMany);
      this.#inHand.add(message.id);
    }
    this.onmessage?.(message, extra);
    const cancelled = cancelledBy(message);
    if (cancelled === undefined || !this.#inHand.delete(cancelled)) return;
    this.#inner.closeSSEStream(cancelled);
    // Not sent, since its stream is closed: for whoever comes back to that stream, and so that it is forgotten.
    this.#answerInstead(cancelled, { code: -32800, message: "cancelled, as was asked" });
  }

  #answerInstead(id: RequestId, error: { readonly code: number; readonly message: string }): void {
    this.#inner.send({ jsonrpc: "2.0", id, error }).catch((cause: unknown) => {
      // A client of an older revision cannot come back to a stream that was closed.
      this.onerror?.(cause instanceof Error ? cause : new Error(String(cause)));
    });
  }
}

const tooMany = {
  code: failures.limit_exceeded.http,
  message: `${callsInHandMax} calls of this session are waiting; a further one is taken when one of them has ended`,
  data: { code: "limit_exceeded", callsInHandMax },
};

function cancelledBy(message: JSONRPCMessage): RequestId | undefined {
  if (!("method" in message) || message.method !== "notifications/cancelled") return undefined;
  const id = message.params?.["requestId"];
  return typeof id === "string" || typeof id === "number" ? id : undefined;
}

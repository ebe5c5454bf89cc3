/** A failure on the wire: the published envelope, with the hint beside it. */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { IncomingMessage } from "node:http";
import { Failure, failures } from "../errors.ts";
import type { Log } from "../log.ts";

/** Largest body, bytes: the published limit. */
export const bodyBytesMax = 4 * 1024 * 1024;

export interface WireFailure {
  readonly code: string;
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly hint?: string;
}

export const wireFailure = ({ code, message, details, hint }: Failure): WireFailure => ({
  code: publishedCode[code] ?? code,
  message,
  ...(details === undefined ? {} : { details }),
  ...(hint === undefined ? {} : { hint }),
});

export const encodeFailure = (reply: FastifyReply, failure: Failure): FastifyReply =>
  reply.code(failures[failure.code].http).send({
    ...(ofTransport.has(failure.code) ? { ok: false } : {}),
    error: wireFailure(failure),
  });

/** Where the published daemon says it more coarsely. */
const publishedCode: Partial<Record<Failure["code"], string>> = {
  unsupported_api_version: "invalid_request",
};

/** As published, what the transport may refuse by itself says `ok: false` as well. */
const ofTransport: ReadonlySet<Failure["code"]> = new Set(["payload_too_large", "internal_error"]);

/** What a handler threw, or the library refused before it was called, in our words. */
export async function failureOf(error: unknown, request: FastifyRequest, log: Log): Promise<Failure> {
  if (error instanceof Failure) return error;
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "FST_ERR_CTP_BODY_TOO_LARGE") {
    await discard(request.raw);
    return new Failure("payload_too_large", `the body is larger than ${bodyBytesMax} bytes`, {
      hint: "Send less: prompts have their own, lower limit.",
      details: { bytesMax: bodyBytesMax },
    });
  }
  if (code === "FST_ERR_CTP_INVALID_CONTENT_LENGTH") {
    return new Failure("invalid_request", "the body's length is not what Content-Length says");
  }
  log.error({ err: error }, "a request failed unexpectedly");
  return new Failure("internal_error", "something went wrong inside Coven", {
    hint: "See the daemon's log: coven logs.",
  });
}

/** Most that is read of a refused body, bytes. */
const discardedBytesMax = 64 * 1024 * 1024;

/** Reads what the client still sends: one that is hung up on while it writes never sees why. */
async function discard(body: IncomingMessage): Promise<void> {
  let bytes = 0;
  for await (const chunk of body) {
    bytes += Buffer.isBuffer(chunk) ? chunk.length : 0;
    if (bytes > discardedBytesMax) return;
  }
}

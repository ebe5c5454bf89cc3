/** A failure on the wire: the published envelope, with the hint beside it. */
import type { FastifyReply } from "fastify";
import { type Failure, failures } from "../errors.ts";

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
  reply.code(failures[failure.code].http).send({ error: wireFailure(failure) });

/** Where the published daemon says it more coarsely. */
const publishedCode: Partial<Record<Failure["code"], string>> = {
  unsupported_api_version: "invalid_request",
};

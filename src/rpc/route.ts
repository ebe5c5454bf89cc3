/** A REST route as a row of a table. It names the action and translates; it decides nothing. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type * as z from "zod";
import type { Caller } from "../capabilities/capability.ts";
import { Failure } from "../errors.ts";
import { intentOf, pathId, tokenOf, untilGone } from "./request.ts";
import type { DataPlane, Services } from "./services.ts";

export interface Route {
  readonly method: "GET" | "POST" | "DELETE";
  readonly path: string;
  readonly action: string;
  readonly decode: (request: FastifyRequest) => Record<string, unknown>;
  /** The action's output as the published body; as it is, unless said. */
  readonly encode?: (output: unknown, request: FastifyRequest) => unknown;
  readonly status?: number;
  /** Whether the answer is of something that was there before, and so 200. */
  readonly isKnown?: (output: unknown) => boolean;
  /** The session must be live, which is looked at before the body is. */
  readonly live?: true;
  /**
   * Answers with JSON text from the data plane, what the action would: a page is mostly terminal bytes, which do not
   * pass through the actions.
   */
  readonly direct?: (input: Record<string, unknown>, data: DataPlane) => Buffer;
  /** What it takes in its query or body, where that is not what the action takes; and its body, where it is encoded. */
  readonly takes?: z.ZodObject;
  readonly answer?: z.ZodType;
}

export function addRoutes(
  app: FastifyInstance,
  routes: readonly Route[],
  { invoke, identify, data }: Services,
): void {
  for (const { method, path, action, decode, encode, status = 200, isKnown, live, direct } of routes) {
    app.route({
      method,
      url: path,
      handler: async (request, reply) => {
        const identity = identify(tokenOf(request.headers));
        const signal = untilGone(reply);
        if (live) data(identity).requireLive(pathId(request));
        const input = decode(request);
        if (direct) return reply.type("application/json").send(direct(input, data(identity)));
        const intentId = intentOf(request);
        const caller: Caller = { identity, surface: "http", signal, env: undefined, intentId };
        const { output, replayed } = await invoke(action, input, caller);
        if (replayed) reply.header("idempotent-replayed", "true");
        reply.code(isKnown?.(output) === true ? 200 : status);
        return reply.send(encode ? encode(output, request) : output);
      },
      ...(path.startsWith("/sessions/:id") ? { errorHandler: nameSession } : {}),
    });
  }
}

/** As published, a request that is wrong says of which session it was. */
function nameSession(error: unknown, request: FastifyRequest): never {
  if (!(error instanceof Failure) || error.code !== "invalid_request") throw error;
  const { message, hint, details } = error;
  throw new Failure("invalid_request", message, {
    ...(hint === undefined ? {} : { hint }),
    details: { sessionId: pathId(request), ...details },
  });
}

export const bySession = (request: FastifyRequest): Record<string, unknown> => ({ session: pathId(request) });

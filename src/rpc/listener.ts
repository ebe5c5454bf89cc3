/**
 * The socket of the API: HTTP/1.1 on `$COVEN_HOME/coven.sock`, the owner's alone.
 *
 * A request is decoded, the action invoked, the answer encoded; no rule of an action stands here. The HTTP library's
 * habits are bent to the published daemon's: bodies are JSON whatever their content type says, a wrong method is 404,
 * and every route also answers without its prefix.
 */
import type { IncomingMessage } from "node:http";
import fastify, { type FastifyInstance } from "fastify";
import { Failure } from "../errors.ts";
import { makePrivate } from "../home.ts";
import type { Log } from "../log.ts";
import { addActions } from "./actions.ts";
import { addAttach } from "./attach.ts";
import { encodeFailure } from "./failure.ts";
import { addLifecycle } from "./lifecycle.ts";
import { addOpenApi } from "./openapi.ts";
import { addRoutes } from "./routes.ts";
import type { Services } from "./services.ts";
import { acceptConstraint, addStreams } from "./streams.ts";

/** Largest body, bytes: the published limit. */
const bodyBytesMax = 4 * 1024 * 1024;
/** Longest id in a path, characters; beyond it the path is no route. */
const idCharactersMax = 1024;

/** Connections that may wait to be accepted: a thousand at once are no reason to refuse one. */
const waitingConnectionsMax = 1024;
/** How long a client may take to send its headers, and a whole request, ms: the published limit. */
const requestMsMax = 60_000;
/** How often those are looked for that take longer, ms. */
const lateCheckMs = 1000;

const apiPrefix = "/api/v1";

/** Binds the socket; resolves once it serves. */
export async function listen(socket: string, services: Services, log: Log): Promise<FastifyInstance> {
  const app = fastify({
    bodyLimit: bodyBytesMax,
    routerOptions: {
      maxParamLength: idCharactersMax,
      ignoreTrailingSlash: false,
      constraints: { accept: acceptConstraint },
    },
    exposeHeadRoutes: false,
    requestTimeout: requestMsMax,
    http: { headersTimeout: requestMsMax, connectionsCheckingInterval: lateCheckMs },
    forceCloseConnections: true,
    return503OnClosing: false,
    frameworkErrors: (_, request, reply) => {
      encodeFailure(reply, notFound(request.raw.url ?? ""));
    },
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_, body, done) => done(null, body));
  app.setErrorHandler(async (error, request, reply) => {
    const failure = failureOf(error, log);
    if (failure.code === "payload_too_large") await discard(request.raw);
    return encodeFailure(reply, failure);
  });
  app.setNotFoundHandler((request, reply) => encodeFailure(reply, notFound(request.raw.url ?? "")));

  for (const prefix of ["", apiPrefix]) {
    await app.register(
      async (scope) => {
        addRoutes(scope, services);
        addActions(scope, services);
        addStreams(scope, services);
        addLifecycle(scope, services);
        addOpenApi(scope);
      },
      { prefix },
    );
  }
  addAttach(app, services, log);
  await app.listen({ path: socket, backlog: waitingConnectionsMax });
  makePrivate(socket);
  return app;
}

function notFound(url: string): Failure {
  const version = /^\/api\/(v\d+)\//.exec(url)?.[1];
  if (version !== undefined && version !== "v1") {
    return new Failure("unsupported_api_version", `API version ${version} is not offered; v1 is`, {
      hint: "Install client and daemon of compatible releases.",
      details: { apiVersion: version, supportedApiVersions: ["v1"] },
    });
  }
  return new Failure("not_found", "Route not found.");
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

/** What the library itself refuses, in our words. */
function failureOf(error: unknown, log: Log): Failure {
  if (error instanceof Failure) return error;
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "FST_ERR_CTP_BODY_TOO_LARGE") {
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

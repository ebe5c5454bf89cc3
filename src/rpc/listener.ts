/**
 * The socket of the API: HTTP/1.1 on `$COVEN_HOME/coven.sock`, the owner's alone; `loopback.ts` has it on TCP.
 *
 * A request is decoded, the action invoked, the answer encoded; no rule of an action stands here. The HTTP library's
 * habits are bent to the published daemon's: ids are bytes and never decoded, a body is JSON whatever its content type
 * says, a wrong method is 404, every route also answers without its prefix, what is no HTTP is hung up on, and so is,
 * after its answer, whoever does not ask to be kept.
 */
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { Failure, failures } from "../errors.ts";
import { makePrivate } from "../home.ts";
import type { Log } from "../log.ts";
import { addActions } from "./actions.ts";
import { attachUpgrade } from "./attach.ts";
import { bodyBytesMax, encodeFailure, failureOf } from "./failure.ts";
import { createAnswer } from "./json-rpc/answer.ts";
import { createMethods } from "./json-rpc/methods.ts";
import { addRpc } from "./json-rpc/post.ts";
import { rpcUpgrade } from "./json-rpc/socket.ts";
import { addLifecycle } from "./lifecycle.ts";
import { addMcp } from "./mcp.ts";
import { addOpenApi } from "./openapi.ts";
import { addOpenRpc } from "./openrpc.ts";
import { rituals } from "./rituals.ts";
import { addRoutes } from "./route.ts";
import { routes } from "./routes.ts";
import type { Services } from "./services.ts";
import { acceptConstraint, addStreams } from "./streams.ts";
import { addUpgrades } from "./upgrade.ts";

/** Longest id in a path, characters: no request line that arrives is longer. */
const idCharactersMax = 16 * 1024;

/** Connections that may wait to be accepted: a thousand at once are no reason to refuse one. */
export const waitingConnectionsMax = 1024;
/** How long a client may take to send its headers, and a whole request, ms: the published limit. */
const requestMsMax = 60_000;
/** How often those are looked for that take longer, ms. */
const lateCheckMs = 1000;

const apiPrefix = "/api/v1";

/** Throws for a request that is not let in, before anything of it but its head is read. */
export type Admit = (request: IncomingMessage) => void;

/** Binds the socket; resolves once it serves. */
export async function listen(socket: string, services: Services, log: Log): Promise<FastifyInstance> {
  const app = await createApp(services, log);
  await app.listen({ path: socket, backlog: waitingConnectionsMax });
  makePrivate(socket);
  return app;
}

/** Everything that is served, wherever it is bound. Whoever reaches it is let in, unless `admit` says otherwise. */
export async function createApp(services: Services, log: Log, admit?: Admit): Promise<FastifyInstance> {
  const app = fastify({
    bodyLimit: bodyBytesMax,
    // No route has a schema of the library's; unless told so, it loads the compilers at every start.
    schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
    rewriteUrl: ({ url = "" }) => withRawPath(url),
    routerOptions: {
      maxParamLength: idCharactersMax,
      ignoreTrailingSlash: false,
      constraints: { accept: acceptConstraint },
    },
    exposeHeadRoutes: false,
    requestTimeout: requestMsMax,
    // As published, no Host is asked for: a socket has but one.
    http: {
      requireHostHeader: false,
      headersTimeout: requestMsMax,
      connectionsCheckingInterval: lateCheckMs,
    },
    forceCloseConnections: true,
    return503OnClosing: false,
    clientErrorHandler: hangUp,
    frameworkErrors: (_, request, reply) => {
      encodeFailure(reply, notFound(request.originalUrl));
    },
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_, body, done) => done(null, body));
  app.addHook("onRequest", (request, reply, done) => {
    asPublished(request, reply);
    done();
  });
  if (admit) app.addHook("onRequest", async ({ raw }) => admit(raw));
  app.addHook("onSend", (_, reply, payload, done) => {
    if (reply.statusCode === failures.unauthenticated.http) reply.header("www-authenticate", "Bearer");
    if (reply.getHeader("content-type") === "application/json; charset=utf-8")
      reply.header("content-type", "application/json");
    done(null, payload);
  });
  app.setErrorHandler(async (error, request, reply) =>
    encodeFailure(reply, await failureOf(error, request, log)),
  );
  app.setNotFoundHandler((request, reply) => encodeFailure(reply, notFound(request.originalUrl)));

  const rpc = { services, answer: createAnswer(createMethods(services), log), log };
  for (const prefix of ["", apiPrefix]) {
    await app.register(
      async (scope) => {
        addRoutes(scope, [...routes, ...rituals], services);
        await addActions(scope, services, log);
        addStreams(scope, services);
        addLifecycle(scope, services);
        addOpenApi(scope);
        await addRpc(scope, rpc);
        addOpenRpc(scope);
      },
      { prefix },
    );
  }
  await addMcp(app, services);
  addUpgrades(app, [attachUpgrade(services, log), rpcUpgrade(rpc)], log);
  return app;
}

function noSchemas(): never {
  throw new Error("a route has a schema, and no compiler was loaded for it");
}

/** The router decodes a path once; so that it finds the bytes that were sent, what it would decode is encoded first. */
function withRawPath(url: string): string {
  const queryAt = url.indexOf("?");
  const path = queryAt < 0 ? url : url.slice(0, queryAt);
  if (!/[%#]/.test(path)) return url;
  return path.replaceAll("%", "%25").replaceAll("#", "%23") + (queryAt < 0 ? "" : url.slice(queryAt));
}

/** A content type is never looked at, not even a broken one; a client that reads to the end of the stream gets one. */
function asPublished({ raw, headers }: FastifyRequest, reply: FastifyReply): void {
  if (headers["content-type"] !== undefined) raw.headers["content-type"] = "application/json";
  if (headers.connection?.toLowerCase().includes("keep-alive") !== true) reply.header("connection", "close");
}

/** What cannot be read as a request gets no answer, as published. */
function hangUp(_: Error, socket: Socket): void {
  socket.destroy();
}

function notFound(url: string): Failure {
  const version = /^\/api\/([^/?]*)\//.exec(url)?.[1];
  if (version !== undefined && version !== "v1") {
    return new Failure("unsupported_api_version", `API version ${version} is not offered; v1 is`, {
      hint: "Install client and daemon of compatible releases.",
      details: { apiVersion: version, supportedApiVersions: ["v1"] },
    });
  }
  return new Failure("not_found", "Route not found.");
}

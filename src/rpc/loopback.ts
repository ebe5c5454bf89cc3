/**
 * The API on a loopback port, beside the Unix socket and with the same routes. There a file permission says who may
 * connect; here every user and every web page of this machine can, so each request must show a token, in
 * `authorization: Bearer`, and come from no page (`guard.ts`). Whoever does not is answered before the body is read.
 */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { FastifyInstance } from "fastify";
import type { Identity } from "../capabilities/capability.ts";
import { Failure } from "../errors.ts";
import type { Log } from "../log.ts";
import { type LoopbackAddress, addressText } from "../loopback-address.ts";
import { refuseUpgrade } from "./upgrade.ts";
import { refuseForeign } from "./guard.ts";
import { type Admit, createApp, waitingConnectionsMax } from "./listener.ts";
import { tokenOf } from "./request.ts";
import type { Services } from "./services.ts";

export interface LoopbackStart {
  readonly address: LoopbackAddress;
  readonly services: Services;
  readonly isOwnerToken: (token: string) => boolean;
  readonly log: Log;
}

export interface Loopback {
  readonly app: FastifyInstance;
  /** With the port that was taken, where any was asked for. */
  readonly address: LoopbackAddress;
}

/** Binds the port; resolves once it serves. Throws `address_unavailable` where it cannot. */
export async function listenOnLoopback({
  address,
  services,
  isOwnerToken,
  log,
}: LoopbackStart): Promise<Loopback> {
  /** Only the owner's own token makes an owner here: to have reached the port says nothing. */
  const identify = (token: string | undefined): Identity => {
    if (token === undefined) throw unauthenticated("no token was shown");
    if (isOwnerToken(token)) return { kind: "owner" };
    const identity = services.identify(token);
    if (identity.kind === "owner") throw unauthenticated("the token is not known");
    return identity;
  };
  let { port } = address;
  const admit: Admit = ({ headers }) => {
    refuseForeign(headers, port);
    identify(tokenOf(headers));
  };
  const app = await createApp({ ...services, identify }, log, admit);
  await app.ready();
  guardUpgrades(app, admit, log);
  try {
    await app.listen({ host: address.host, port, backlog: waitingConnectionsMax });
  } catch (cause) {
    await app.close();
    throw notBound(address, cause);
  }
  const bound = app.server.address();
  if (typeof bound === "object" && bound !== null) port = bound.port;
  return { app, address: { ...address, port } };
}

/** An upgrade passes no hook of the app's: whoever has put a listener for it there stands behind this one from now on. */
function guardUpgrades({ server }: FastifyInstance, admit: Admit, log: Log): void {
  const behind = server.listeners("upgrade");
  server.removeAllListeners("upgrade");
  server.on("upgrade", (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    try {
      admit(request);
    } catch (error) {
      if (!(error instanceof Failure)) log.error({ err: error }, "an upgrade failed unexpectedly");
      stream.on("error", () => stream.destroy());
      refuseUpgrade(stream, error instanceof Failure ? error : unauthenticated("it could not be checked"));
      return;
    }
    for (const listener of behind) Reflect.apply(listener, server, [request, stream, head]);
  });
}

const unauthenticated = (why: string): Failure =>
  new Failure("unauthenticated", `this port asks for a token, and ${why}`, {
    hint: "Send authorization: Bearer TOKEN. coven takes it from COVEN_TOKEN or --token; the owner sees it with coven token.",
  });

function notBound(address: LoopbackAddress, cause: unknown): Failure {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : undefined;
  const why = reasons.get(code) ?? (cause instanceof Error ? cause.message : String(cause));
  return new Failure("address_unavailable", `the API cannot be served on ${addressText(address)}: ${why}`, {
    hint: "Choose another port, or 0 for any that is free.",
    details: { tcp: addressText(address) },
    cause,
  });
}

const reasons: ReadonlyMap<string | undefined, string> = new Map([
  ["EADDRINUSE", "another program has the port"],
  ["EADDRNOTAVAIL", "this machine has no such address"],
  ["EACCES", "this user may not open the port"],
]);

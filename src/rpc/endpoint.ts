/** Which daemon is meant: flags before COVEN_URL and COVEN_TOKEN, those before COVEN_HOME, `~/.coven` otherwise. */
import { callersToken } from "../caller-token.ts";
import { Failure } from "../errors.ts";
import { type Home, locateHome } from "../home.ts";
import type { Endpoint } from "./client.ts";

export interface Where {
  readonly home: Home;
  readonly endpoint: Endpoint;
  /** The socket of the home itself: a daemon that is missing there may be started. */
  readonly isOwn: boolean;
}

/** What to do about a daemon that does not answer at an address somebody gave. */
export const otherDaemonHint =
  "Check the address in --url or COVEN_URL, and that a daemon serves it; without it coven uses the daemon of COVEN_HOME.";

export interface WhereFlags {
  readonly home?: string | undefined;
  readonly url?: string | undefined;
  readonly token?: string | undefined;
}

export function locate(flags: WhereFlags, env: NodeJS.ProcessEnv): Where {
  const home = locateHome(flags.home === undefined ? env : { ...env, COVEN_HOME: flags.home });
  // A home that was named by hand is nearer than a URL that happens to be in the environment.
  const url = flags.url ?? (flags.home === undefined ? env["COVEN_URL"] : undefined);
  if (url === undefined || url === "") {
    const token = flags.token ?? callersToken(env, home.root);
    return { home, endpoint: { kind: "socket", path: home.socket, ...tokenOf(token) }, isOwn: true };
  }
  return { home, endpoint: endpointOf(url, flags.token ?? env["COVEN_TOKEN"]), isOwn: false };
}

function endpointOf(text: string, token: string | undefined): Endpoint {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "unix:" && url.pathname !== "") {
    return { kind: "socket", path: decodeURIComponent(url.pathname), ...tokenOf(token) };
  }
  if (url?.protocol === "http:") return { kind: "url", url, token };
  throw new Failure("invalid_request", `not the address of a daemon: ${text}`, {
    hint: "COVEN_URL and --url take http://host:port or unix:///path/to/coven.sock.",
    details: { url: text },
  });
}

const tokenOf = (token: string | undefined): { token?: string } =>
  token === undefined || token === "" ? {} : { token };

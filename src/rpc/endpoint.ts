/** Which daemon is meant: flags before COVEN_URL and COVEN_TOKEN, those before COVEN_HOME, `~/.coven` otherwise. */
import { dirname } from "node:path";
import { callersToken } from "../caller-token.ts";
import { Failure } from "../errors.ts";
import { type Home, locateHome } from "../home.ts";

/** Where a daemon answers, and the token to show there. */
export type Endpoint =
  | { readonly kind: "socket"; readonly path: string; readonly token?: string }
  | { readonly kind: "url"; readonly url: URL; readonly token: string | undefined };

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
    const token = tokenOf(flags.token) ?? tokenOf(callersToken(env, home.root));
    return { home, endpoint: socketAt(home.socket, token), isOwn: true };
  }
  return { home, endpoint: endpointOf(url, tokenOf(flags.token), env), isOwn: false };
}

function endpointOf(text: string, token: string | undefined, env: NodeJS.ProcessEnv): Endpoint {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const usual = tokenOf(env["COVEN_TOKEN"]);
  if (url?.protocol === "unix:" && url.pathname !== "") {
    const path = decodeURIComponent(url.pathname);
    // Its own home under another name: there too, who shows no token is the owner.
    return socketAt(path, token ?? tokenOf(callersToken(env, dirname(path))) ?? usual);
  }
  if (url?.protocol === "http:") return { kind: "url", url, token: token ?? usual };
  throw new Failure("invalid_request", `not the address of a daemon: ${text}`, {
    hint: "COVEN_URL and --url take http://host:port or unix:///path/to/coven.sock.",
    details: { url: text },
  });
}

const socketAt = (path: string, token: string | undefined): Endpoint => ({
  kind: "socket",
  path,
  ...(token === undefined ? {} : { token }),
});

/** What was given as a token, if anything: a blank one comes of a variable that is not set. */
function tokenOf(given: string | undefined): string | undefined {
  const token = given?.trim();
  if (token === undefined || token === "") return undefined;
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new Failure("invalid_request", "the token given holds characters that no token has", {
    hint: "Pass it as coven token prints it, one line, in COVEN_TOKEN or --token.",
  });
}

export const endpointName = (endpoint: Endpoint): string =>
  endpoint.kind === "socket" ? endpoint.path : endpoint.url.origin;

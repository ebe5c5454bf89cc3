/**
 * Keeps web pages out of the loopback listener. A browser lets any page send requests to this machine: under the page's
 * own name once that name is made to resolve to here (the Host tells), or without being able to read the answer (the
 * Origin tells). Neither is let in, and no answer ever allows another origin to read it.
 */
import type { IncomingHttpHeaders } from "node:http";
import { Failure } from "../errors.ts";

const names = ["127.0.0.1", "localhost", "[::1]"];

/** Left out of a Host where it is the port of the scheme. */
const httpPort = 80;

export function refuseForeign({ host, origin }: IncomingHttpHeaders, port: number): void {
  if (!isHere(host, port)) {
    throw new Failure("not_permitted", `the Host must be 127.0.0.1:${port}, not ${shown(host)}`, {
      hint: "Use the address that coven daemon status shows.",
    });
  }
  if (origin !== undefined && !isLoopbackOrigin(origin)) {
    throw new Failure("not_permitted", `a page of ${shown(origin)} may not ask anything here`, {
      hint: "Coven answers programs of this machine, not web pages.",
    });
  }
}

function isHere(host: string | undefined, port: number): boolean {
  const said = host?.toLowerCase();
  return names.some((name) => said === `${name}:${port}` || (port === httpPort && said === name));
}

const isLoopbackOrigin = (origin: string): boolean =>
  /^https?:\/\/(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?$/i.test(origin);

/** Longest name of a stranger that is repeated to it, characters. */
const shownCharactersMax = 200;

const shown = (said: string | undefined): string =>
  said === undefined || said === "" ? "none" : said.slice(0, shownCharactersMax);

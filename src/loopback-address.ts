/** Where the API may be bound on TCP: an address that this machine alone can reach, written out, and a port. */
import { Failure } from "./errors.ts";

export interface LoopbackAddress {
  readonly host: "127.0.0.1" | "::1";
  /** 0 for any that is free. */
  readonly port: number;
}

const portMax = 65_535;

/** Reads `127.0.0.1:PORT` or `[::1]:PORT`. A name is refused: what it means may change. Throws `invalid_request`. */
export function parseLoopback(text: string): LoopbackAddress {
  const [, host, digits = ""] = /^(127\.0\.0\.1|\[::1\]):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (host !== undefined && port <= portMax) return { host: host === "127.0.0.1" ? host : "::1", port };
  const wrong = host === undefined ? "is not 127.0.0.1:PORT or [::1]:PORT" : `has no port up to ${portMax}`;
  throw new Failure("invalid_request", `--tcp ${text} ${wrong}`, {
    hint: "Coven listens on this machine only: --tcp 127.0.0.1:4680, or port 0 for any that is free.",
    details: { tcp: text },
  });
}

export const addressText = ({ host, port }: LoopbackAddress): string =>
  `${host === "::1" ? "[::1]" : host}:${port}`;

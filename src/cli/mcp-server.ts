/** How a client starts Coven's MCP server. */
import { dirname, resolve } from "node:path";
import { Failure } from "../errors.ts";
import { endpointName } from "../rpc/endpoint.ts";
import type { Cli } from "./verb.ts";

export interface McpServer {
  /** The launcher of this very Coven, whatever PATH the client has. */
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The COVEN_HOME that is meant: named in `env` unless it is the default, or the entry named one already. */
  readonly home: string;
}

/** `program` is `dist/main.js`, beside `bin`. */
export function mcpServerOf({ program, where }: Pick<Cli, "program" | "where">): McpServer {
  if (!where.isOwn) {
    throw new Failure(
      "invalid_request",
      `no entry is made for the daemon at ${endpointName(where.endpoint)}`,
      {
        hint: "Leave out --url and COVEN_URL: the entry is for the daemon of COVEN_HOME.",
      },
    );
  }
  const home = resolve(where.home.root);
  return {
    home,
    command: resolve(dirname(program), "../bin/coven"),
    args: ["mcp"],
    env: where.home.isDefault ? {} : { COVEN_HOME: home },
  };
}

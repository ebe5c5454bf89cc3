/** A verb of the CLI as a record; `cli.ts` makes commands of them. */
import type { Argument, Option } from "commander";
import type { CallOptions, Client } from "../rpc/client.ts";
import type { Where } from "../rpc/endpoint.ts";

export interface Verb {
  /** One word, or two for a verb of a group: `daemon start`. */
  readonly name: string;
  readonly alias?: string;
  readonly summary: string;
  /** Shown under the help of the verb. */
  readonly notes?: string;
  readonly arguments?: readonly Argument[];
  readonly options?: readonly Option[];
  /** Answers the exit code. */
  readonly run: (cli: Cli, given: Given) => Promise<number>;
}

/** What was given on the command line. */
export interface Given {
  readonly arguments: readonly unknown[];
  readonly options: Readonly<Record<string, unknown>>;
}

/** What a verb works with. */
export interface Cli {
  readonly version: string;
  /** What is run again, with `daemon serve`, as the daemon. */
  readonly program: string;
  readonly env: Readonly<Record<string, string>>;
  readonly where: Where;
  /** Standard output is one JSON document. */
  readonly json: boolean;
  readonly client: Client;
  /** Invokes an action; starts the daemon when it is ours and none is listening. */
  readonly call: (action: string, args: object, options?: CallOptions) => Promise<unknown>;
}

/**
 * `coven mcp`: the bridge between a client that speaks MCP over standard input and output, and the daemon. It answers
 * what it can by itself; the daemon is looked for, and started where it may be, when the first call needs it.
 *
 * Agents start one each and some never start it again, so it lives until its input ends. Standard output carries
 * nothing but messages; what there is to tell people goes to standard error.
 */
import { createMcpServer } from "./server.ts";
import { StdioTransport } from "./stdio-transport.ts";
import type { Bridge } from "./bridge.ts";

export interface StdioStart {
  readonly version: string;
  /** Names this client among others. */
  readonly client: string;
  readonly bridge: () => Promise<Bridge>;
}

/** What was asked just before the input ended is answered, but not waited for longer than this, ms. */
const lingerMs = 500;

/** Said to who starts it in a terminal, where it would seem to hang. */
const toPeople = `coven mcp waits for messages of an MCP client, which starts it by itself; ctrl-d ends it.
To give Claude Code or Codex its tools: coven mcp install claude --write, or codex. See coven mcp --help
`;

/** Serves until the input ends. */
export async function serveStdio({ version, client, bridge }: StdioStart): Promise<void> {
  const { stdin, stdout } = process;
  const ended = new Promise<void>((resolve) => {
    stdin.once("end", resolve);
    stdin.once("close", resolve);
  });
  process.on("uncaughtException", complain);
  process.on("unhandledRejection", complain);
  // Nobody may be reading it any more.
  process.stderr.on("error", () => undefined);
  if (stdin.isTTY) process.stderr.write(toPeople);

  const transport = new StdioTransport(stdin, stdout);
  let made: Promise<Bridge> | undefined;
  const bridged = (): Promise<Bridge> => (made ??= bridge());
  const server = createMcpServer({
    version,
    client,
    invoke: async (name, input, call) => (await bridged()).invoke(name, input, call),
    changes: async function* (signal) {
      yield* (await bridged()).changes(signal);
    },
    isServing: async () => (await bridged()).isServing(),
  });
  server.onerror = complain;
  await server.connect(transport);
  await ended;

  const linger = new Promise((resolve) => setTimeout(resolve, lingerMs).unref());
  await Promise.race([transport.answered(), linger]);
  // Whatever still waits in the daemon is let go.
  await server.close();
}

function complain(error: unknown): void {
  const text = error instanceof Error ? error.message : String(error);
  process.stderr.write(`coven mcp: ${text}\n`);
}

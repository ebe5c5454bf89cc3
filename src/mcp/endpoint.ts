/** MCP over HTTP as the daemon serves it. Loaded with the first request: a daemon that no agent asks does without. */
import type { Identity, Invoke } from "../capabilities/capability.ts";
import type { McpHandler } from "./http.ts";

interface Change {
  readonly session: string;
  readonly kind: string;
}

export interface EndpointOptions {
  readonly version: string;
  readonly invoke: Invoke;
  /** What happens from now on in the sessions that the caller may see. */
  readonly follow: (identity: Identity, signal: AbortSignal) => AsyncIterable<readonly Change[]>;
  readonly trouble: (error: Error) => void;
}

export function createMcpEndpoint({ version, invoke, follow, trouble }: EndpointOptions): McpHandler {
  const load = async (): Promise<McpHandler> => {
    const [{ createMcpHandler }, { createMcpServer }] = await Promise.all([
      import("./http.ts"),
      import("./server.ts"),
    ]);
    return createMcpHandler({
      trouble,
      newServer: ({ identity, session }) =>
        createMcpServer({
          version,
          changes: async function* (signal) {
            for await (const events of follow(identity, signal)) yield* events;
          },
          client: session,
          invoke: async (name, input, { signal, intentId }) => {
            const caller = { identity, surface: "mcp", signal, env: undefined, intentId } as const;
            return (await invoke(name, input, caller)).output;
          },
        }),
    });
  };
  let loaded: Promise<McpHandler> | undefined;
  return {
    handle: async (request, response, identity) =>
      (await (loaded ??= load())).handle(request, response, identity),
    close: async () => (await loaded)?.close(),
  };
}

/** MCP over HTTP as the daemon serves it. Loaded with the first request: a daemon that no agent asks does without. */
import type { Identity, Invoke } from "../capabilities/capability.ts";
import type { McpHandler } from "./http.ts";
import type { McpOptions } from "./server.ts";

export interface EndpointOptions {
  readonly version: string;
  readonly invoke: Invoke;
  /** Of what the caller may see. */
  readonly changes: (identity: Identity, signal: AbortSignal) => ReturnType<McpOptions["changes"]>;
  readonly trouble: (error: Error) => void;
}

export function createMcpEndpoint({ version, invoke, changes, trouble }: EndpointOptions): McpHandler {
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
          changes: (signal) => changes(identity, signal),
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

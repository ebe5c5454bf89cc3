/** The MCP server of one client: the actions as tools. It is connected to a transport by whoever made it. */
import { Server } from "@modelcontextprotocol/sdk/server/index.js";

export interface McpOptions {
  /** Invokes an action for this client. */
  readonly invoke: (
    name: string,
    input: unknown,
    call: { readonly signal: AbortSignal; readonly intentId: string | undefined },
  ) => Promise<unknown>;
  /**
   * What has changed in the log from now on, for resource subscriptions: the sessions that grew and the kinds of events;
   * ends with the signal.
   */
  readonly changes: (
    signal: AbortSignal,
  ) => AsyncIterable<{ readonly session: string; readonly kind: string }>;
  /** Qualifies the client's own call ids, so that two clients' ids never meet. */
  readonly client: string;
  readonly version: string;
}

/** Not yet connected. */
export function createMcpServer({ version }: McpOptions): Server {
  return new Server({ name: "coven", version }, { capabilities: { tools: {} } });
}

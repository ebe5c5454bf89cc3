/**
 * The MCP server of one client: the actions as tools, sessions as resources, and two prompts. It is connected to a
 * transport by whoever made it. The SDK's higher server wants each tool's zod schemas and validates by them; here the
 * table says what is accepted and how a refusal reads, so the lower one is used.
 *
 * The table is loaded with the first question about it, since a client waits about a second for the first answer.
 */
/* eslint-disable @typescript-eslint/no-deprecated -- the lower server is marked so for those who need only the higher */
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import * as z from "zod";
import { Failure } from "../errors.ts";
import { instructions } from "./instructions.ts";
import { addPrompts } from "./prompts.ts";
import { invalidParams } from "./protocol-error.ts";
import { addResources } from "./resources.ts";

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
  /**
   * Whether sessions can be listed at no cost; a client that lists resources when it starts is not to start a daemon
   * by that. Always, unless given.
   */
  readonly isServing?: () => Promise<boolean>;
}

/** How often a client hears that a call still lasts, ms: some give up a silent one after 60 s. */
const progressMs = 15_000;

const listTools = z.looseObject({ method: z.literal("tools/list") });
const callTool = z.looseObject({ method: z.literal("tools/call"), params: z.unknown().optional() });
const call = z.object({ name: z.string(), arguments: z.unknown().optional() });

/** Not yet connected. Its `onclose` ends what it follows: whoever sets another calls this one. */
export function createMcpServer(options: McpOptions): Server {
  const server = new Server(
    { name: "coven", version: options.version },
    {
      capabilities: { tools: {}, resources: { subscribe: true, listChanged: true }, prompts: {} },
      instructions,
      // Only for answers to forms, which this server never asks for; the SDK's own takes long to load.
      jsonSchemaValidator: {
        getValidator: () => () => ({ valid: false, data: undefined, errorMessage: "" }),
      },
    },
  );
  const resources = addResources(server, options);
  addPrompts(server, options);

  server.setRequestHandler(listTools, async () => {
    const { toolDefinitions } = await import("./tools.ts");
    return { tools: [...toolDefinitions()] };
  });

  server.setRequestHandler(callTool, async ({ params }, { signal, sendNotification, _meta }) => {
    const { tools, decodeCall, callIdOf, resultOf, failureResult } = await import("./tools.ts");
    const { name, arguments: given } = call.parse(params);
    const tool = tools.get(name);
    if (tool === undefined)
      throw invalidParams(`unknown tool ${name}; the tools are ${[...tools.keys()].join(", ")}`);

    const token = _meta?.progressToken;
    const stop =
      token === undefined
        ? undefined
        : every(progressMs, (progress) =>
            sendNotification({
              method: "notifications/progress",
              params: { progressToken: token, progress, message: `${name} goes on` },
            }),
          );
    try {
      const { input, intentId } = decodeCall(tool, given);
      const callId = tool.effect === "read" ? undefined : callIdOf(_meta);
      const own = callId === undefined ? undefined : intentOf(options.client, callId);
      const output = await options.invoke(name, input, { signal, intentId: intentId ?? own });
      if (tool.effect !== "read") resources.touched(input);
      return resultOf(tool, output);
    } catch (error) {
      if (error instanceof Failure) return failureResult(error);
      // A bug. Its text is for people, and may tell a model what is not its business.
      server.onerror?.(error instanceof Error ? error : new Error(String(error)));
      return failureResult(new Failure("internal_error", `${name} failed for a reason inside Coven`));
    } finally {
      stop?.();
    }
  });
  return server;
}

/** Counts up until it is stopped. Whoever is told may be gone. */
function every(ms: number, tell: (count: number) => Promise<void>): () => void {
  let count = 0;
  const timer = setInterval(() => {
    count += 1;
    tell(count).catch(() => undefined);
  }, ms);
  return () => clearInterval(timer);
}

/** Longest id that the client's name and its own id of the call may make together, characters. */
const intentCharactersMax = 200;

/** No id at all where it would be too long to be kept: a client that sends such a one gets no protection by it. */
function intentOf(client: string, callId: string): string | undefined {
  const qualified = `${client}/${callId}`;
  return qualified.length <= intentCharactersMax ? qualified : undefined;
}

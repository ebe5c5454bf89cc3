/** The ways to ask for an action, each as its callers have it: what is answered, and what is refused, comes back alike. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { Capability, Invoke } from "../../src/capabilities/capability.ts";
import { createClient } from "../../src/rpc/client.ts";
import { connect, Failure } from "../../src/index.ts";
import { resultOf } from "./coven.ts";
import { openRpc, post } from "./json-rpc.ts";
import { initializing, startBridge } from "./mcp.ts";
import { openSession } from "./mcp-http.ts";
import { send } from "./socket.ts";

const launcher = fileURLToPath(new URL("../../bin/coven", import.meta.url));

export interface Ask {
  readonly action: Capability;
  readonly input: object;
  /** The same as a person types it. */
  readonly words: readonly string[];
  readonly intentId?: string | undefined;
}

const told = z.object({
  code: z.string(),
  message: z.string(),
  hint: z.string().optional(),
  details: z.record(z.string(), z.unknown()).optional(),
});
export type Told = z.output<typeof told>;
export type Answered = { readonly output: unknown } | { readonly failure: Told };

export type Call = (ask: Ask) => Promise<Answered>;

/** A daemon in this process. */
export interface Place {
  readonly home: string;
  readonly socket: string;
  readonly invoke: Invoke;
}

export interface Surface {
  readonly name: string;
  /** To be called inside a test, at whose end what was opened is closed. */
  readonly open: (place: Place) => Promise<Call>;
  /** Where it differs from the table, and why. */
  readonly leavesOut?: { readonly which: (action: Capability) => boolean; readonly because: string };
  /** What of an output it shows. */
  readonly shown?: (action: Capability, output: unknown) => unknown;
}

const failureOf = ({ code, message, hint, details }: Failure): Told =>
  told.parse({ code, message, ...(hint === undefined ? {} : { hint }), ...(details && { details }) });

/** What the call answers or throws. */
const caught = async (call: () => Promise<unknown>): Promise<Answered> => {
  try {
    return { output: await call() };
  } catch (error) {
    if (error instanceof Failure) return { failure: failureOf(error) };
    throw error;
  }
};

export const inProcess: Surface = {
  name: "in the daemon's own process",
  open: async ({ invoke }) => {
    const { signal } = new AbortController();
    const caller = { identity: { kind: "owner" }, surface: "local", signal, env: undefined } as const;
    return ({ action, input, intentId }) =>
      caught(async () => (await invoke(action.name, input, { ...caller, intentId })).output);
  },
};

const envelope = z.object({
  ok: z.boolean(),
  event: z.object({ payload: z.unknown() }).optional(),
  error: told.optional(),
});

const postActions: Surface = {
  name: "POST /actions",
  open:
    async ({ socket }) =>
    async ({ action, input, intentId }) => {
      const body = { action: action.name, args: input, intentId };
      const answer = await send(socket, "POST", "/api/v1/actions", { body });
      const { ok, event, error } = envelope.parse(answer.body);
      if (ok !== (error === undefined)) throw new Error(JSON.stringify(answer.body));
      return error === undefined ? { output: event?.payload } : { failure: error };
    },
};

const rpcError = z.object({ message: z.string(), data: told.omit({ message: true }) });

function rpcAnswered({ result, error }: { result?: unknown; error?: unknown }): Answered {
  if (error === undefined) return { output: result };
  const { message, data } = rpcError.parse(error);
  return { failure: { ...data, message } };
}

/** Arguments of the call stand beside those of the action. */
const withIntent = ({ input, intentId }: Ask): object =>
  intentId === undefined ? input : { ...input, intentId };

const rpcPost: Surface = {
  name: "JSON-RPC by POST",
  open:
    async ({ socket }) =>
    async (ask) => {
      const { result, error } = await post(socket, ask.action.name, withIntent(ask));
      return rpcAnswered({ result, error });
    },
};

const rpcSocket: Surface = {
  name: "JSON-RPC over a WebSocket",
  open: async ({ socket }) => {
    const rpc = await openRpc(socket);
    return async (ask) => {
      const { result, error } = await rpc.ask(ask.action.name, withIntent(ask));
      return rpcAnswered({ result, error });
    };
  },
};

const toolAnswer = z.object({
  result: z
    .object({
      content: z.tuple([z.object({ type: z.literal("text"), text: z.string() })]),
      structuredContent: z.record(z.string(), z.unknown()),
      isError: z.boolean().default(false),
    })
    .optional(),
  error: z.object({ message: z.string() }).optional(),
});

function toolAnswered(answer: unknown): Answered {
  const { result, error } = toolAnswer.parse(answer);
  if (result === undefined) return { failure: { code: "unknown_tool", message: error?.message ?? "" } };
  const { content, structuredContent, isError } = result;
  if (content[0].text !== JSON.stringify(structuredContent)) throw new Error(content[0].text);
  return isError ? { failure: told.parse(structuredContent) } : { output: structuredContent };
}

const asTools = {
  leavesOut: { which: ({ tool }: Capability) => tool === false, because: "its record offers it to no model" },
  shown: ({ tool }: Capability, output: unknown): unknown =>
    tool !== false && tool.output !== undefined ? tool.output.parse(output) : output,
};

const environment = ({ home }: Place): Record<string, string> => ({
  COVEN_HOME: home,
  HOME: home,
  PATH: "/usr/local/bin:/usr/bin:/bin",
  SHELL: "/bin/sh",
});

const mcpStdio: Surface = {
  name: "MCP by coven mcp",
  ...asTools,
  open: async (place) => {
    const bridge = startBridge(environment(place));
    await bridge.request("initialize", initializing);
    bridge.notify("notifications/initialized", {});
    return async (ask) =>
      toolAnswered(await bridge.request("tools/call", { name: ask.action.name, arguments: withIntent(ask) }));
  },
};

const mcpHttp: Surface = {
  name: "MCP over HTTP",
  ...asTools,
  open: async ({ socket }) => {
    const session = await openSession(socket);
    let id = 0;
    return async (ask) => {
      id += 1;
      const answer = await session.call(id, ask.action.name, withIntent(ask));
      return toolAnswered((await answer.rest()).find((message) => message.id === id));
    };
  },
};

const cli: Surface = {
  name: "the CLI",
  leavesOut: {
    which: ({ name }) => !/^[a-z]+$/.test(name) || name === "hook",
    because: "names that are no words belong to the wire, and coven hook is a program of its own",
  },
  open:
    async (place) =>
    async ({ words, intentId }) => {
      const intent = intentId === undefined ? [] : ["--intent-id", intentId];
      const child = spawn(launcher, [...words, ...intent, "--json"], { env: environment(place) });
      const { stdout, stderr } = await resultOf(child);
      if (stdout !== "") return { output: JSON.parse(stdout) };
      return { failure: z.object({ error: told }).parse(JSON.parse(stderr)).error };
    },
};

const lowClient: Surface = {
  name: "the client of the CLI",
  open: async ({ socket }) => {
    const client = createClient({ kind: "socket", path: socket }, "test");
    return ({ action, input, intentId }) =>
      caught(() => client.call(action.name, input, intentId === undefined ? {} : { intentId }));
  },
};

const typedClient: Surface = {
  name: "the client for TypeScript",
  open: async ({ home }) => {
    const coven = await connect({ home });
    return ({ action, input, intentId }) =>
      caught(async () => {
        // The two whose names the streams have are reached by name, as the others are by a method.
        const isShadowed = ["events", "output"].includes(action.name);
        const options = intentId === undefined ? {} : { intentId };
        const method: unknown = Reflect.get(coven, isShadowed ? "call" : action.name);
        if (typeof method !== "function") throw new Error(`there is no method ${action.name}`);
        const given = [...(isShadowed ? [action.name] : []), input, options];
        const answer: unknown = await Reflect.apply(method, undefined, given);
        return answer;
      });
  },
};

export const surfaces: readonly Surface[] = [
  postActions,
  rpcPost,
  rpcSocket,
  mcpStdio,
  mcpHttp,
  cli,
  lowClient,
  typedClient,
];

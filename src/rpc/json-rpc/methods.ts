/** What can be called over JSON-RPC: every action by its name, what is of the connection, and the description of it all. */
import type { Capability } from "../../capabilities/capability.ts";
import { capabilities } from "../../capabilities/registry.ts";
import { openRpcDocument } from "../openrpc.ts";
import type { Services } from "../services.ts";
import { splitArguments } from "./arguments.ts";
import type { Method, Methods } from "./method.ts";
import { ownMethods } from "./own-methods.ts";

export const createMethods = ({ invoke }: Pick<Services, "invoke">): Methods =>
  new Map([
    ...[...capabilities].map(([name, action]): [string, Method] => [name, methodOf(action, invoke)]),
    ...ownMethods.map(({ name, method }): [string, Method] => [name, method]),
    // The one name that OpenRPC gives.
    ["rpc.discover", { effect: "read", run: async () => openRpcDocument() }],
  ]);

const methodOf = (action: Capability, invoke: Services["invoke"]): Method => ({
  effect: action.effect,
  run: async (params, { identify, signal }) => {
    const { args, intentId, env } = splitArguments(action, params);
    const caller = { identity: identify(), surface: "json-rpc", signal, env, intentId } as const;
    const { output, replayed } = await invoke(action.name, args, caller);
    return replayed && typeof output === "object" ? { ...output, replayed } : output;
  },
});

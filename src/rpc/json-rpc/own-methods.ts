/** The methods that are no action: of the connection, and of what is pushed over it. */
import { JSONRPCErrorCode } from "json-rpc-2.0";
import * as z from "zod";
import { type EventKind, eventPayloads } from "../../events.ts";
import { checkedParams } from "./arguments.ts";
import { fault } from "./error.ts";
import type { Call, Method } from "./method.ts";
import type { Subscriptions } from "./subscriptions.ts";

/** As an action is, as far as it is one. */
export interface OwnMethod {
  readonly name: string;
  readonly summary: string;
  readonly input: z.ZodObject;
  readonly output: z.ZodType;
  readonly method: Method;
}

/** Most sessions named in one subscription: as many as one watch takes. */
const sessionsMax = 256;

const isKind = (kind: string): kind is EventKind => Object.hasOwn(eventPayloads, kind);
const kinds = Object.keys(eventPayloads).filter(isKind);

const subscribeInput = z.strictObject({
  sessions: z
    .array(z.string().min(1))
    .min(1)
    .max(sessionsMax)
    .optional()
    .describe("All, where none are named."),
  cursor: z.string().optional().describe("Begins after it; a cursor of another store is refused."),
  afterSeq: z.int().min(0).optional().describe("The same as a bare seq; 0 is the start of the log."),
  kinds: z.array(z.enum(kinds)).min(1).optional().describe("All, where none are named."),
});

const unsubscribeInput = z.strictObject({ subscription: z.string() });
const cancelInput = z.strictObject({ id: z.union([z.string(), z.number()]).describe("The id of the call.") });

const subscribe: OwnMethod = {
  name: "subscribe",
  summary:
    "Pushes `event` notifications, of what happens from now on or of all after a cursor; over a WebSocket only.",
  input: subscribeInput,
  output: z.object({ subscription: z.string(), cursor: z.string().describe("Where it begins.") }),
  method: {
    effect: "write",
    isInstant: true,
    run: async (params, call) => {
      const wanted = checkedParams("subscribe", subscribeInput, params);
      const subscriptions = pushed("subscribe", call);
      // Nobody would know what is pushed, nor how to end it.
      if (call.isNotification) return undefined;
      const { begin, ...opened } = subscriptions.open(wanted);
      call.afterAnswer(begin);
      return opened;
    },
  },
};

const unsubscribe: OwnMethod = {
  name: "unsubscribe",
  summary: "Ends a subscription: nothing of it comes after the answer.",
  input: unsubscribeInput,
  output: z.object({ unsubscribed: z.boolean().describe("False where it was over already.") }),
  method: {
    effect: "write",
    isInstant: true,
    run: async (params, call) => {
      const { subscription } = checkedParams("unsubscribe", unsubscribeInput, params);
      return { unsubscribed: pushed("unsubscribe", call).end(subscription) };
    },
  },
};

const cancelOf = (name: string): OwnMethod => ({
  name,
  summary:
    "Cancels a call under way on this connection, which is answered with `cancelled`; what a write has done stays done, and its answer says so.",
  input: cancelInput,
  output: z.object({ cancelled: z.boolean().describe("False where no such call is under way.") }),
  method: {
    effect: "write",
    isInstant: true,
    run: async (params, { calls }) => ({
      cancelled: calls.cancel(checkedParams(name, cancelInput, params).id),
    }),
  },
});

/** `$/cancelRequest` is what language servers and their clients call it. */
export const ownMethods: readonly OwnMethod[] = [
  subscribe,
  unsubscribe,
  cancelOf("cancel"),
  cancelOf("$/cancelRequest"),
];

function pushed(method: string, { subscriptions }: Call): Subscriptions {
  if (subscriptions !== undefined) return subscriptions;
  throw fault(
    JSONRPCErrorCode.MethodNotFound,
    `${method} is not available over POST: nothing can be pushed there`,
    {
      hint: "Open a WebSocket at /api/v1/rpc, or read the events as server-sent events at /api/v1/events.",
      details: { method },
    },
  );
}

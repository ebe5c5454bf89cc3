/** What can be called, and what it is called with. */
import type { Capability, Identity } from "../../capabilities/capability.ts";
import type { Calls } from "./calls.ts";
import type { Subscriptions } from "./subscriptions.ts";

/** Who speaks, over what. */
export interface Conversation {
  /** Asked at every call, since a token may end while its connection stays. Throws `unauthenticated`. */
  readonly identify: () => Identity;
  readonly calls: Calls;
  /** Undefined where nothing can be pushed to the client. */
  readonly subscriptions: Subscriptions | undefined;
}

export interface Call extends Conversation {
  readonly signal: AbortSignal;
  /** Nobody hears what it answers. */
  readonly isNotification: boolean;
  /** To be done once its answer is on its way. */
  readonly afterAnswer: (then: () => void) => void;
}

export interface Method {
  /** A read that was cancelled has no answer; what changes something says what it did all the same. */
  readonly effect: Capability["effect"];
  /** What is answered at once is no call too many: with some of it a client makes room. */
  readonly isInstant?: true;
  /** Params are undefined, an object or a list. */
  readonly run: (params: unknown, call: Call) => Promise<unknown>;
}

/** By name; a `Map`, because callers choose the name. */
export type Methods = ReadonlyMap<string, Method>;

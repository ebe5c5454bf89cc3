/**
 * The calls under way on one connection, or of one POST: each can be cancelled by its id, and all of them are when the
 * client leaves. An id is free again once its call is answered.
 */
import { type JSONRPCID, JSONRPCErrorCode } from "json-rpc-2.0";
import { fault, tooMany } from "./error.ts";

/** Most calls under way at once: as many waits as one watch takes sessions, so that each may have a call of its own. */
const callsMax = 256;

export class Calls {
  readonly #underWay = new Set<AbortController>();
  readonly #byId = new Map<JSONRPCID, AbortController>();
  #isOver = false;

  /** Throws for a call too many. */
  requireRoom(): void {
    if (this.#underWay.size < callsMax) return;
    throw tooMany("calls under way", callsMax, "Wait for answers, cancel calls, or open another connection.");
  }

  /** Undefined for a notification. Throws for an id that is under way. */
  begin(id: JSONRPCID | undefined): AbortController {
    if (id !== undefined && this.#byId.has(id)) {
      throw fault(JSONRPCErrorCode.InvalidRequest, `a call with the id ${JSON.stringify(id)} is under way`, {
        hint: "Give each call an id of its own; the earlier one goes on.",
        details: { id },
      });
    }
    const call = new AbortController();
    if (this.#isOver) call.abort();
    this.#underWay.add(call);
    // Calls without a name of their own cannot be told apart, so they are not cancelled one by one.
    if (id !== undefined && id !== null) this.#byId.set(id, call);
    return call;
  }

  end(id: JSONRPCID | undefined, call: AbortController): void {
    this.#underWay.delete(call);
    if (id !== undefined) this.#byId.delete(id);
  }

  /** Whether there was such a call; it is told to stop, and then answered. */
  cancel(id: JSONRPCID): boolean {
    const call = this.#byId.get(id);
    call?.abort();
    return call !== undefined;
  }

  /** The client has left: what of its messages is begun from now on is cancelled before it does anything. */
  cancelAll(): void {
    this.#isOver = true;
    for (const call of this.#underWay) call.abort();
  }
}

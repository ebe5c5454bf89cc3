/** What can be seen of a live session from outside: its screen, its process's own status file, its structured output. */
import type { Store } from "../store/store.ts";
import type { Sights } from "./activities.ts";
import type { HarnessCatalog } from "./harness-catalog.ts";

export interface SightsOptions {
  readonly store: Store;
  readonly harnesses: HarnessCatalog;
}

export function createSights({ store }: SightsOptions): Sights {
  return {
    hasScreens: () => false,
    screen: async () => undefined,
    statusFile: async () => undefined,
    structured(session, after) {
      switch (store.events.lastTyped(session, after)) {
        case undefined:
          return undefined;
        case "result":
          return { state: "waiting", evidence: "structured output: result" };
        default:
          return { state: "busy", evidence: "structured output" };
      }
    },
  };
}

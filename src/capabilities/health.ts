import * as z from "zod";
import { capability } from "./capability.ts";

/** The name of the contract, which every client compares before it asks for anything else. */
export const contract = "coven.daemon.v1" as const;

/** What the published daemon offers and this one does not is advertised as absent, so that its clients leave it alone. */
const offered = {
  sessions: true,
  events: true,
  eventCursor: "sequence",
  structuredErrors: true,
  travel: false,
  scheduler: false,
  hub: false,
  executorDispatch: false,
  sessionHandoff: false,
  sessionLaunchPolicy: true,
  afs: false,
  afsCommit: false,
  afsCommitDryRun: false,
  afsMount: false,
  executionBindingContracts: [],
  requestAdoptionContracts: [],
};

export const health = capability({
  name: "health",
  summary: "Whether the daemon serves, which contract it speaks and what it offers.",
  effect: "read",
  input: z.strictObject({}),
  output: z.object({
    ok: z.literal(true),
    apiVersion: z.literal(contract),
    covenVersion: z.string(),
    /** Tells this daemon from the published one, which speaks the same contract. */
    implementation: z.literal("coven-control"),
    capabilities: z.record(z.string(), z.unknown()),
    daemon: z.object({
      pid: z.int(),
      startedAt: z.string(),
      socket: z.string(),
      /** Where the API is also served on TCP, behind a token. */
      tcp: z.string().optional(),
    }),
    liveSessions: z.int(),
    /** `store_full`: nothing is launched and harnesses are paused until there is space. */
    store: z.enum(["ok", "store_full"]),
  }),
  failures: [],
  right: "anyone",
  tool: false,
  run: async (_, { version, daemon, liveCount, storeState }) => ({
    ok: true as const,
    apiVersion: contract,
    covenVersion: version,
    implementation: "coven-control" as const,
    capabilities: offered,
    daemon,
    liveSessions: liveCount(),
    store: storeState(),
  }),
});

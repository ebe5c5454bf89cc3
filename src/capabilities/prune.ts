import * as z from "zod";
import { capability } from "./capability.ts";

/** Longest age that can be asked for: a hundred years, so that it stays a date. */
const olderThanMsMax = 36_500 * 24 * 60 * 60 * 1000;

export const prune = capability({
  name: "prune",
  summary:
    "Removes what the oldest ended sessions printed and said, by age and size; their records and endings stay.",
  effect: "destroy",
  input: z.strictObject({
    dryRun: z.boolean().default(false).describe("only say what would be removed"),
    olderThanMs: z
      .int()
      .min(0)
      .max(olderThanMsMax)
      .optional()
      .describe("of sessions without activity for so long; config.json says unless given"),
    maxBytes: z
      .int()
      .min(0)
      .optional()
      .describe("until the store is no larger, the oldest first; config.json says unless given"),
  }),
  output: z.object({
    dryRun: z.boolean(),
    sessions: z.int(),
    events: z.int(),
    bytes: z.int(),
    /** Bytes of the store that hold something now; what was freed is filled again before the file grows. */
    usedBytes: z.int(),
  }),
  failures: ["runtime_unavailable"],
  right: "owner",
  tool: false,
  async run({ dryRun, olderThanMs, maxBytes }, { retention, caller }) {
    const bounds = {
      ...(olderThanMs === undefined ? {} : { maxAgeMs: olderThanMs }),
      ...(maxBytes === undefined ? {} : { maxBytes }),
    };
    return { dryRun, ...(await retention.prune(bounds, { dryRun, signal: caller.signal })) };
  },
});

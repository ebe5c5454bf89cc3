import * as z from "zod";
import { Failure } from "../errors.ts";
import { capability } from "./capability.ts";

const harnessRecord = z.object({
  harness_id: z.string(),
  scanned_at: z.string(),
  global_instructions: z.object({
    present: z.boolean(),
    path: z.string().optional(),
    byte_count: z.int().optional(),
  }),
  skills: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      source: z.string(),
      harness_id: z.string(),
      path: z.string(),
      description: z.string().optional(),
      tags: z.array(z.string()),
    }),
  ),
  plugins: z.array(z.unknown()),
  warnings: z.array(z.object({ kind: z.string(), path: z.string(), message: z.string() })),
});

export const harnessCapabilities = capability({
  name: "harness_capabilities",
  summary: "What each harness, or one, brings along: the user's instructions and skills.",
  effect: "read",
  input: z.strictObject({
    harness: z.string().optional().describe("id of one harness"),
    refresh: z.boolean().default(false).describe("read the manifests and ask the programs again"),
  }),
  output: z.union([
    z.object({
      coven_skills: z.array(z.unknown()),
      harness_capabilities: z.array(harnessRecord),
      scanned_at: z.string(),
    }),
    harnessRecord,
  ]),
  failures: ["harness_not_found"],
  right: "anyone",
  tool: false,
  positional: ["harness"],
  async run({ harness, refresh }, { harnesses, scanHarness }) {
    if (refresh) harnesses.refresh();
    const known = harnesses.all().map(({ id }) => id);
    const scanned_at = new Date().toISOString();
    const recordOf = (id: string) => ({ harness_id: id, scanned_at, ...scanHarness(id), plugins: [] });
    if (harness === undefined)
      return { coven_skills: [], harness_capabilities: known.map(recordOf), scanned_at };
    if (known.includes(harness)) return recordOf(harness);
    throw new Failure("harness_not_found", `there is no harness ${harness}; known are ${known.join(", ")}`, {
      hint: "Declare other harnesses by a manifest.",
      details: { harnessId: harness },
    });
  },
});

import * as z from "zod";
import { capability } from "./capability.ts";
import { catalogOf } from "./catalog.ts";
import { capabilityRecord } from "./records.ts";

export const capabilities = capability({
  name: "capabilities",
  summary: "What this daemon can do, which harnesses it finds, and who owns the login of each.",
  effect: "read",
  input: z.strictObject({}),
  output: z.object({
    capabilities: z.array(capabilityRecord),
    problems: z.array(z.string()).readonly().optional(),
  }),
  failures: [],
  right: "anyone",
  tool: {
    title: "Discover harnesses",
    description:
      "Which harnesses (codex, claude, other agents) run can launch here, and in which modes; how to install one that is missing. Use it before the first run, or when one was refused.",
  },
  async run(_, context) {
    const { problems } = context.harnesses;
    return { capabilities: await catalogOf(context), ...(problems.length > 0 ? { problems } : {}) };
  },
});

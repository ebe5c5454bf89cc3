import * as z from "zod";
import { capability } from "./capability.ts";
import { catalogOf } from "./catalog.ts";

/** The published daemon's one action, under its published name. */
export const refresh = capability({
  name: "coven.capabilities.refresh",
  summary: "Reads the adapter manifests again and answers how many capabilities there are.",
  effect: "read",
  input: z.strictObject({}),
  output: z.object({ capabilities: z.int() }),
  failures: [],
  right: "anyone",
  tool: false,
  async run(_, context) {
    context.harnesses.refresh();
    return { capabilities: (await catalogOf(context)).length };
  },
});

import * as z from "zod";
import { capability } from "./capability.ts";

/** The published catalog in its published order; `{familiar}` stands for a name. */
const codes = [
  { code: "~?", description: "How every familiar is doing", type: "status" },
  { code: "~?{familiar}", description: "How one familiar is doing", type: "status" },
  { code: "~>{familiar}", description: "Makes a familiar the active one", type: "switch" },
  { code: "~delegate:{familiar}", description: "Gives a familiar a task", type: "delegate" },
  { code: "~broadcast *", description: "Says something to all familiars", type: "broadcast" },
  { code: "~^ resume", description: "Goes on where the work was interrupted", type: "resume" },
  { code: "~<handoff", description: "Passes the work on with what is known of it", type: "handoff" },
];

export const castCodes = capability({
  name: "cast_codes",
  summary: "The Cast Codes that a composer may offer.",
  effect: "read",
  input: z.strictObject({}),
  output: z.array(z.object({ code: z.string(), description: z.string(), type: z.string() })),
  failures: [],
  right: "anyone",
  tool: false,
  run: () => Promise.resolve(codes),
});

import * as z from "zod";
import { capability } from "./capability.ts";

export const apiVersion = capability({
  name: "api_version",
  summary: "Which versions of the routes there are; health names the contract itself.",
  effect: "read",
  input: z.strictObject({}),
  output: z.object({ apiVersion: z.literal("v1"), supportedApiVersions: z.array(z.literal("v1")) }),
  failures: [],
  right: "anyone",
  tool: false,
  run: () => Promise.resolve({ apiVersion: "v1" as const, supportedApiVersions: ["v1" as const] }),
});

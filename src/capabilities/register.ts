import * as z from "zod";
import { capability } from "./capability.ts";
import { sessionRecord } from "./records.ts";

const text = z.string().trim().min(1);

export const register = capability({
  name: "register",
  summary: "Shows a session that runs outside Coven among the others, until complete tells its end.",
  effect: "write",
  input: z.strictObject({
    id: z
      .string()
      .regex(/^[A-Za-z0-9._:-]{1,256}$/, "must be letters, digits and . _ : - only, at most 256 of them")
      .describe("its own id"),
    projectRoot: text.describe("directory it works in, as its owner names it"),
    harness: text.describe("what runs it"),
    title: text.max(500).optional().describe("readable name"),
    transcriptPath: text.optional().describe("where its owner keeps its transcript; Coven does not read it"),
    labels: z.array(z.string().min(1).max(64)).max(16).default([]).describe("names to find it by"),
  }),
  output: z.object({ session: sessionRecord, isNew: z.boolean() }),
  failures: ["session_id_conflict"],
  right: "owner",
  tool: false,
  run: async (input, { external, sessions, intent }) =>
    intent?.begun === undefined
      ? external.register(input, (id) => intent?.begin(id))
      : { session: sessions.get(intent.begun), isNew: true },
});

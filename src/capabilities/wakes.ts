import * as z from "zod";
import { listedProject } from "./authority.ts";
import { capability } from "./capability.ts";
import { sessionId, wakeRecord } from "./records.ts";
import { shownWake } from "./wake.ts";

/** Wakes in one answer, unless told and at most. */
const shownDefault = 50;
export const wakesMax = 1000;

export const wakes = capability({
  name: "wakes",
  summary:
    "Follow-ups and how their delivery stands, newest first: of one session, or of all; those that wait unless told.",
  effect: "read",
  input: z.strictObject({
    session: sessionId.optional().describe("session id; leave out for all"),
    all: z.boolean().default(false).describe("also those that wait no more"),
    limit: z.int().min(1).max(wakesMax).default(shownDefault).describe("wakes in one answer"),
  }),
  output: z.object({ wakes: z.array(wakeRecord), hasMore: z.boolean() }),
  failures: ["session_not_found"],
  right: "project",
  tool: {
    title: "List wakes",
    description:
      "Which wakes (follow-up messages) still wait, or with all were delivered or failed, and why: whether a message was seen.",
    get input(): z.ZodObject {
      return wakes.input.omit({ limit: true });
    },
  },
  positional: ["session"],
  async run({ session, all, limit }, context) {
    if (session !== undefined) context.sessions.get(session);
    const projectRoot = listedProject(context, undefined);
    const found = context.wakes.list({ session, projectRoot, isOpenOnly: !all, limit: limit + 1 });
    return { wakes: found.slice(0, limit).map(shownWake), hasMore: found.length > limit };
  },
});

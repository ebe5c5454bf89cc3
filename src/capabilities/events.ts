import * as z from "zod";
import { seqOfEventId } from "../events.ts";
import { capability } from "./capability.ts";
import { eventPage, sessionId } from "./records.ts";

const eventsLimitMax = 1000;

export const events = capability({
  name: "events",
  summary:
    "Reads the log of a session from a cursor: output, messages, tools, input and its ending, in order.",
  effect: "read",
  input: z.strictObject({
    session: sessionId.describe("session id"),
    afterSeq: z.int().min(0).optional().describe("only events after this seq"),
    afterEventId: z.string().optional().describe("the same by an event's id; afterSeq goes before it"),
    limit: z.int().min(1).max(eventsLimitMax).optional().describe("events in one answer"),
    tail: z.int().min(1).max(eventsLimitMax).optional().describe("the last so many instead"),
  }),
  output: eventPage,
  failures: ["session_not_found"],
  tool: true,
  positional: ["session"],
  async run({ session, afterSeq, afterEventId, limit, tail }, { sessions, reader }) {
    sessions.get(session);
    // As published, an id that is not known begins the log again: refused, it would cost its reader the session.
    const start = afterSeq ?? (afterEventId === undefined ? 0 : (seqOfEventId(afterEventId) ?? 0));
    const page =
      tail === undefined
        ? reader.page(session, start, limit)
        : { events: reader.lastEvents(session, tail), hasMore: false };
    const last = page.events.at(-1);
    return { ...page, nextCursor: last ? { afterSeq: last.seq } : null };
  },
});

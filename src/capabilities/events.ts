import * as z from "zod";
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
  right: "project",
  // Its rows hold what was printed as raw terminal bytes, of which a model can make nothing: tail gives it the text.
  tool: false,
  positional: ["session"],
  async run({ session, limit, tail, ...from }, { sessions, reader }) {
    sessions.get(session);
    const page =
      tail === undefined
        ? reader.page(session, reader.startOf(from), limit)
        : { events: reader.lastEvents(session, tail), hasMore: false };
    const last = page.events.at(-1);
    return { ...page, nextCursor: last ? { afterSeq: last.seq } : null };
  },
});

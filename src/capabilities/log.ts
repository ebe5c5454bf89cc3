import * as z from "zod";
import { capability } from "./capability.ts";
import { sessionId } from "./records.ts";

/** Longest message of a line, characters, as published. */
const messageCharactersMax = 240;
/** Most lines in an answer, and most bytes of events read for it: a log of any length must not hold the daemon up. */
const linesMax = 5000;
const payloadBytesMax = 4_000_000;

const line = z.object({ ts: z.string(), level: z.enum(["info", "tool", "error"]), message: z.string() });

export const log = capability({
  name: "log",
  summary: "The last events of a session as one short line each; events has them whole.",
  effect: "read",
  input: z.strictObject({ session: sessionId.describe("session id") }),
  output: z.array(line),
  failures: ["session_not_found"],
  right: "project",
  tool: false,
  positional: ["session"],
  async run({ session }, { sessions, reader }) {
    sessions.get(session);
    return reader
      .lastEvents(session, linesMax, payloadBytesMax)
      .map(({ kind, payload_json, created_at }) => ({
        ts: created_at,
        level: kind === "tool" ? ("tool" as const) : ("info" as const),
        message: messageOf(kind, payload_json),
      }));
  },
});

const payloadText = z.union([
  z.object({ text: z.string() }).transform(({ text }) => text),
  z.object({ data: z.string() }).transform(({ data }) => data),
]);

/** Output as it is, input behind a mark, anything else behind the name of its kind; JSON where it holds no text. */
function messageOf(kind: string, payloadJson: string): string {
  const payload: unknown = JSON.parse(payloadJson);
  const text = payloadText.safeParse(payload).data ?? payloadJson;
  const message = kind === "output" ? text : kind === "input" ? `> ${text}` : `${kind}: ${text}`;
  return message.length <= messageCharactersMax ? message : `${message.slice(0, messageCharactersMax - 1)}…`;
}

import * as z from "zod";
import { Failure } from "../errors.ts";
import { capability } from "./capability.ts";
import { bytesOfKey, keyName } from "./keys.ts";
import { sessionId } from "./records.ts";

/** Most input in one call, bytes: a terminal takes a few kilobytes at a time anyway. */
const dataBytesMax = 256 * 1024;

export const input = capability({
  name: "input",
  summary:
    "Types into a live interactive session, text then keys by name, or says a message to a live stream session.",
  effect: "write",
  input: z.strictObject({
    session: sessionId.describe("session id"),
    data: z.string().optional().describe("text as it is; a newline is no Enter"),
    keys: z.array(keyName).max(100).optional().describe("keys to press after it: enter, esc, up, ctrl-c …"),
    end: z
      .boolean()
      .default(false)
      .describe("closes a stream session's input, after data: it ends after its turn"),
  }),
  output: z.object({ ok: z.literal(true), accepted: z.literal(true) }),
  failures: [
    "session_not_found",
    "session_not_live",
    "input_not_accepted",
    "input_too_large",
    "runtime_unavailable",
  ],
  right: "descendants",
  tool: {
    title: "Send input to a session",
    description:
      "Sends input to a live agent now: into an interactive session it types data, then keys; to a stream session data is a whole message and end closes it. A nonInteractive session takes none: wake it instead. Next: watch until output, or tail.",
    core: true,
  },
  positional: ["session"],
  async run({ session, data: text, keys = [], end }, { sessions, intent }) {
    sessions.requireLive(session);
    if (text === undefined && keys.length === 0 && !end) {
      throw new Failure("invalid_request", "input: neither data nor keys were given", {
        hint: "Pass data (text), keys (names such as enter) or both.",
        details: { sessionId: session },
      });
    }
    requireFitting(session, Buffer.byteLength(text ?? ""));
    const pressed = Buffer.from(keys.map((key) => bytesOfKey(key) ?? "").join(""));
    intent?.announce(session);
    await sessions.input(session, { text, keys: pressed, end }, intent?.key);
    return { ok: true as const, accepted: true as const };
  },
});

function requireFitting(session: string, bytes: number): void {
  if (bytes <= dataBytesMax) return;
  throw new Failure(
    "input_too_large",
    `input: ${bytes} bytes are more than the ${dataBytesMax} of one call`,
    {
      hint: "Send it in parts, or write it to a file in the project and name the file.",
      details: { sessionId: session, bytes, bytesMax: dataBytesMax },
    },
  );
}

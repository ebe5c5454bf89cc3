/**
 * What a caller gives a live session, as its launch mode takes it: a terminal is typed into, a stream of turns is
 * spoken to, and a one-shot run takes nothing.
 */
import { Failure } from "../errors.ts";
import type { SessionRecord } from "../store/sessions.ts";
import type { Params } from "./host/protocol.ts";

export interface SessionInput {
  readonly text: string | undefined;
  /** What a terminal sends for the keys that are pressed after the text. */
  readonly keys: Buffer;
  /** Closes the input behind the text, so that a stream session ends after its turn. */
  readonly end: boolean;
}

type HostInput = Omit<Params<"input">, "runId">;

/** How the session's harness is told a text; undefined where it cannot be. */
type MessageOf = (text: string) => string | undefined;

/** Throws `input_not_accepted` for what the session's mode does not take. */
export function inputFor(session: SessionRecord, input: SessionInput, messageOf: MessageOf): HostInput {
  switch (session.launch_mode) {
    case "nonInteractive":
      throw refused(
        session,
        "and reads no input",
        "Launch with launchMode interactive to type into a session, or stream to speak to it in turns.",
      );
    case "stream":
      return messageTo(session, input, messageOf);
    default:
      if (input.end)
        throw refused(
          session,
          "and its terminal cannot be closed",
          "Kill it, or press the key that ends it.",
        );
      return { dataBase64: base64(Buffer.from(input.text ?? ""), input.keys), end: false };
  }
}

/** A line end behind the text is the Enter of whoever typed it, and no part of the message. */
function messageTo(
  session: SessionRecord,
  { text = "", keys, end }: SessionInput,
  messageOf: MessageOf,
): HostInput {
  if (keys.length > 0)
    throw refused(session, "and has no terminal to press keys in", "Pass the message as data.");
  const said = text.replace(/[\r\n]+$/, "");
  if (said.trim() !== "") {
    const line = messageOf(said);
    if (line === undefined) throw refused(session, "which its harness no longer knows", "Kill the session.");
    return { dataBase64: base64(Buffer.from(line)), said, end };
  }
  if (end) return { dataBase64: "", end };
  throw new Failure("invalid_request", "input: a message must not be blank", {
    hint: "Pass the message as data, or end: true to close the input.",
    details: { sessionId: session.id },
  });
}

const base64 = (...parts: Buffer[]): string => Buffer.concat(parts).toString("base64");

const refused = ({ id, launch_mode }: SessionRecord, why: string, hint: string): Failure =>
  new Failure("input_not_accepted", `session ${id} was launched as ${launch_mode} ${why}`, {
    hint,
    details: { sessionId: id, launchMode: launch_mode },
  });

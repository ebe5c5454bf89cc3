/** What a woken session is told by another, and what is shown of that. */
import type { RunRecord } from "../store/runs.ts";
import type { SessionRecord } from "../store/sessions.ts";
import { redactText } from "../text/redact.ts";

/** Longest text that is shown of a message, characters. */
const previewCharactersMax = 200;
/** Longest title named to a harness, characters. */
const titleCharactersMax = 80;
/** What is told of a last message, characters: the parent reads on from the cursor if it wants more. */
const lastMessageCharactersMax = 1000;

type Named = Pick<SessionRecord, "id" | "title">;

/** The harness sees who speaks. */
export const saidBy = (session: Named, message: string): string => `${named(session)} says:\n\n${message}`;

/** Characters with which a line in a composer, or a prompt, is no message: a command of the harness, or of the system. */
const commandMark = /^[\s\0-\x1f\x7f-\x9f]*[!/#]/;

/** What a session tells itself is never a command: it would be one that nobody has allowed. The owner's may be. */
export const noCommand = (message: string): string =>
  commandMark.test(message) ? `[Coven] You wanted to be told:\n\n${message}` : message;

/** How a run of a child ended, for the one that launched it. */
export function endingOf(child: Named, run: RunRecord, outcome: string, cursor: string): string {
  const last = run.last_message ?? run.result?.text;
  const said = last === undefined ? "It said nothing." : `Its last message:\n${shorten(last)}`;
  const error = run.result?.error ?? run.reason;
  return `${named(child)}, which you launched, has ended: ${outcome}.
${error === null ? "" : `Error: ${shorten(error)}\n`}${said}
More of it: status or tail of ${child.id}. Cursor: ${cursor}`;
}

/** In one line, without secrets. */
export function previewOf(message: string): string {
  const line = redactText(message).replace(/\s+/g, " ").trim();
  return line.length <= previewCharactersMax ? line : `${line.slice(0, previewCharactersMax)}…`;
}

/** In one line, which no title can end. */
const named = ({ id, title }: Named): string =>
  `[Coven] Session ${id} (${title.replace(/\s+/g, " ").slice(0, titleCharactersMax)})`;

const shorten = (text: string): string =>
  text.length <= lastMessageCharactersMax ? text : `${text.slice(0, lastMessageCharactersMax)}…`;

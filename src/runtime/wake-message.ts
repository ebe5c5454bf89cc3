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

const named = ({ id, title }: Named): string =>
  `[Coven] Session ${id} (${title.slice(0, titleCharactersMax)})`;

const shorten = (text: string): string =>
  text.length <= lastMessageCharactersMax ? text : `${text.slice(0, lastMessageCharactersMax)}…`;

/** A long message, or input, as several rows, because a row of the log is small; `more` marks the ones that go on. */
import type { EventPayload } from "../../events.ts";

/** Characters of text in one row: escaped as JSON they stay below the 16 KB of a row except for the oddest text. */
const rowCharactersMax = 5000;

export function messageRows({ role, text }: EventPayload<"message">): EventPayload<"message">[] {
  const rows: EventPayload<"message">[] = [];
  let start = 0;
  while (text.length - start > rowCharactersMax) {
    const end = start + rowCharactersMax - (isHighSurrogate(text, start + rowCharactersMax - 1) ? 1 : 0);
    rows.push({ role, text: text.slice(start, end), more: true });
    start = end;
  }
  rows.push({ role, text: text.slice(start) });
  return rows;
}

const isHighSurrogate = (text: string, at: number): boolean => (text.charCodeAt(at) & 0xfc00) === 0xd800;

/**
 * A cursor is a place in one store's log, `<store id>-<seq>`. It names its store, so that a cursor kept from another
 * COVEN_HOME or from before a reset is refused instead of skipping or repeating events in silence.
 *
 * A cursor of a reader of text that stopped inside an event, or where a line is not finished, also says from where its
 * text is to be made again, `~<place>`. For everybody else it is the cursor of the last event it has read whole.
 */
import { Failure } from "../errors.ts";
import type { TextPlace } from "../text/page.ts";
import { noMarks } from "../text/transcript.ts";

export const formatCursor = (storeId: string, seq: number): string => `${storeId}-${seq}`;

const cursorForm = /^(?:([0-9a-f]+)-)?(\d{1,15})(?:~(\d{1,15})\.(\d{1,15})\.(\d{1,15})\.([0-3]))?$/;

export function parseCursor(storeId: string, cursor: string): number {
  const [, store, seq] = cursorForm.exec(cursor) ?? [];
  if (seq === undefined) {
    throw new Failure("invalid_request", `not a cursor: ${cursor}`, {
      hint: "Pass a cursor as an answer of run, watch or events gave it.",
      details: { cursor },
    });
  }
  if (store !== undefined && store !== storeId) {
    throw new Failure(
      "invalid_request",
      `the cursor ${cursor} is from another store than this one (${storeId})`,
      {
        hint: "Begin again without a cursor.",
        details: { cursor, storeId },
      },
    );
  }
  return Number(seq);
}

/** `seen`: the last event that was read whole. */
export function formatPlace(storeId: string, seen: number, place: TextPlace): string {
  const { seq, offset, given, marks } = place;
  const flags = (marks.isInJson ? 1 : 0) + (marks.isContinued ? 2 : 0);
  const isPlain = seq === seen + 1 && offset === 0 && given === 0 && flags === 0;
  return formatCursor(storeId, seen) + (isPlain ? "" : `~${seq}.${offset}.${given}.${flags}`);
}

/** Throws as `parseCursor` does. */
export function parsePlace(storeId: string, cursor: string): { seen: number; place: TextPlace } {
  const seen = parseCursor(storeId, cursor);
  const [, , , seq, offset, given, flags] = cursorForm.exec(cursor) ?? [];
  if (seq === undefined) return { seen, place: { seq: seen + 1, offset: 0, given: 0, marks: noMarks } };
  const marks = { isInJson: Number(flags) % 2 === 1, isContinued: Number(flags) >= 2 };
  return { seen, place: { seq: Number(seq), offset: Number(offset), given: Number(given), marks } };
}

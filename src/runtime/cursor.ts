/**
 * A cursor is a place in one store's log, `<store id>-<seq>`. It names its store, so that a cursor kept from another
 * COVEN_HOME or from before a reset is refused instead of skipping or repeating events in silence.
 */
import { Failure } from "../errors.ts";

export const formatCursor = (storeId: string, seq: number): string => `${storeId}-${seq}`;

export function parseCursor(storeId: string, cursor: string): number {
  const [, store, seq] = /^(?:([0-9a-f]+)-)?(\d{1,15})$/.exec(cursor) ?? [];
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

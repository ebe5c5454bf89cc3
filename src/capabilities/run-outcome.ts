/** A run of a session, the newest as a rule, as far as somebody who has to decide wants to know it. */
import type * as z from "zod";
import type { SessionStatus } from "../events.ts";
import type { RunRecord } from "../store/runs.ts";
import type { SessionRecord } from "../store/sessions.ts";
import type { runOutcome } from "./records.ts";
import { shortened } from "./shortened.ts";

/**
 * Longest last message and error together, bytes: they must leave room in an agent's context. The log holds all of it.
 * Where several sessions are shown, they share less, since more is said of them besides.
 */
const textBytesMax = 2000;
const sharedBytesMax = 1500;
/** Of each in any case: enough to know what it is about. */
const textBytesMin = 80;
/** Most denials named; after a few the pattern is clear. */
const deniedMax = 10;

/** `among`: how many sessions share the answer. */
export function outcomeOf(
  session: Pick<SessionRecord, "exit_code">,
  run: RunRecord | undefined,
  among = 1,
): z.input<typeof runOutcome> {
  const result = run?.result;
  const denied = result?.deniedPermissions?.slice(0, Math.ceil(deniedMax / among));
  const message = run?.last_message ?? result?.text;
  const texts = message && result?.error ? 2 : 1;
  const room = (among === 1 ? textBytesMax : sharedBytesMax) / among / texts;
  const shorten = (text: string): string => shortened(text, Math.max(textBytesMin, Math.floor(room)));
  return {
    exitCode: session.exit_code,
    ...(run?.signal ? { signal: run.signal } : {}),
    ...(run?.reason ? { reason: run.reason } : {}),
    ...(message ? { lastMessage: shorten(message) } : {}),
    ...(denied && denied.length > 0 ? { denied } : {}),
    ...(result?.error ? { error: shorten(result.error) } : {}),
    ...(result?.usage ? { usage: result.usage } : {}),
    ...(result?.costUsd === undefined ? {} : { costUsd: result.costUsd }),
  };
}

/** How a session stood when that run had ended: one that was made to end has no exit code of its own. */
export const endedRun = (
  status: SessionStatus,
  { exit_code }: RunRecord,
): Pick<SessionRecord, "exit_code"> => ({
  exit_code: status === "killed" || status === "orphaned" ? null : exit_code,
});

/** The newest run of a session, as far as somebody who has to decide wants to know it. */
import type * as z from "zod";
import type { RunRecord } from "../store/runs.ts";
import type { SessionRecord } from "../store/sessions.ts";
import type { runOutcome } from "./records.ts";

/** Longest last message shown, bytes: it must leave room in an agent's context. The log holds all of it. */
const messageBytesMax = 2000;
/** Most denials named; after a few the pattern is clear. */
const deniedMax = 10;
/** Where many are shown together, of each: enough to know what it is about. */
const sharedBytesMin = 80;

/** `among`: with how many others it shares the room of an answer. */
export function outcomeOf(
  session: SessionRecord,
  run: RunRecord | undefined,
  among = 1,
): z.input<typeof runOutcome> {
  const result = run?.result;
  const denied = result?.deniedPermissions?.slice(0, Math.max(1, Math.floor(deniedMax / among)));
  const shorten = (text: string): string =>
    shortened(text, Math.max(sharedBytesMin, Math.floor(messageBytesMax / among)));
  const message = run?.last_message ?? result?.text;
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

function shortened(text: string, bytesMax: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= bytesMax) return text;
  // A character that was cut through at the end is left out.
  return `${new TextDecoder().decode(bytes.subarray(0, bytesMax), { stream: true })}…`;
}

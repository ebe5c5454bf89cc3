/** The newest run of a session, as far as somebody who has to decide wants to know it. */
import type * as z from "zod";
import type { RunRecord } from "../store/runs.ts";
import type { SessionRecord } from "../store/sessions.ts";
import type { runOutcome } from "./records.ts";

/** Longest last message shown, characters: it must leave room in an agent's context. The log holds all of it. */
const messageCharactersMax = 2000;
/** Most denials named; after a few the pattern is clear. */
const deniedMax = 10;

export function outcomeOf(session: SessionRecord, run: RunRecord | undefined): z.input<typeof runOutcome> {
  const result = run?.result;
  const denied = result?.deniedPermissions?.slice(0, deniedMax);
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

const shorten = (text: string): string =>
  text.length <= messageCharactersMax ? text : `${text.slice(0, messageCharactersMax)}…`;

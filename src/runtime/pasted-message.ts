/**
 * Says a message in a terminal, as a person would who looks at it: the text is pasted, and Enter is pressed once the
 * composer shows that text and nothing else.
 *
 * Each of the two is typed once under a key of its own, and the host remembers which it has taken. So whoever was cut
 * off at any place begins again, finds what was done, and goes on from there. Nothing is ever typed a second time.
 */
import { setTimeout as pause } from "node:timers/promises";
import { draftShows, submitShows, typedMessage } from "./harness/message-typing.ts";
import type { RunRecord } from "../store/runs.ts";
import type { SessionRecord } from "../store/sessions.ts";
import type { InputLeases } from "./input-leases.ts";
import type { Look, SessionLooks } from "./session-looks.ts";
import type { LiveSessions } from "./sessions.ts";

/** How long a paste may take to stand in the composer, ms: people at the terminal wait meanwhile. */
const pasteShownMsMax = 4000;

/**
 * From when the paste is shown to Enter, ms. Codex 0.169.0 takes an Enter within 120 ms of typed characters for one
 * more line of them; of a bracketed paste it does not, but not every terminal program has such a paste.
 */
const enterPauseMs = 150;

/** How long a message may take to leave the composer after Enter, ms: nobody waits for it. */
const submittedMsMax = 8000;

export interface Message {
  readonly session: SessionRecord;
  readonly run: RunRecord;
  readonly text: string;
  /** Under which the paste is typed; Enter's is made of it. */
  readonly key: string;
}

export type Said =
  | { readonly outcome: "submitted" }
  /** Nothing was typed: it is to be tried again later. */
  | { readonly outcome: "untouched" }
  /** The text was pasted and not sent, and the terminal shows something else now: it is to be gone on with later. */
  | { readonly outcome: "interrupted" }
  | { readonly outcome: "failed"; readonly reason: string };

export interface Saying {
  readonly sessions: LiveSessions;
  readonly looks: SessionLooks;
  readonly leases: InputLeases;
  /** Writes down that it is about to be typed; false where it is not to be any more. */
  readonly mark: () => Promise<boolean>;
  /** Whether the message may be pasted now, by a fresh look at the screen. */
  readonly isWelcome: () => Promise<boolean>;
  readonly signal: AbortSignal;
}

/** Throws what the host says, and where looking is given up. */
export async function sayPasted(message: Message, saying: Saying): Promise<Said> {
  const { session, run, key } = message;
  const { sessions, leases } = saying;
  const typed = await leases.hold(session.id, async (): Promise<Said | undefined> => {
    if (await sessions.hasTaken(run, enterKey(key))) return undefined;
    if (!(await sessions.hasTaken(run, key))) {
      if (!(await saying.isWelcome()) || !(await saying.mark())) return { outcome: "untouched" };
      // To write it down took a while.
      if (!(await saying.isWelcome())) return { outcome: "untouched" };
    }
    return pasteAndEnter(message, saying);
  });
  return typed ?? seenToLeave(message, saying);
}

const enterKey = (key: string): string => `${key}:enter`;

/** Undefined once Enter is pressed. */
async function pasteAndEnter(message: Message, saying: Saying): Promise<Said | undefined> {
  const { session, run, text, key } = message;
  const { sessions, looks, signal } = saying;
  const patterns = looks.patternsOf(session);
  if (patterns === undefined) return { outcome: "untouched" };
  const { paste, submit } = typedMessage(patterns, text);
  await sessions.type(run, paste, key);
  const isPlaced = (look: Look): true | undefined =>
    stateOf(look, text) === "ours" || look.reading?.kind === "question" || undefined;
  const { last } = await looks.until(session, { found: isPlaced, withinMs: pasteShownMsMax, signal });
  if (stateOf(last, text) !== "ours") return unshown(last, text);
  await pause(enterPauseMs);
  const again = await looks.now(session, signal);
  if (stateOf(again, text) !== "ours") return unshown(again, text);
  await sessions.type(run, submit, enterKey(key));
  return undefined;
}

/** What the composer holds, where it can be seen. */
function stateOf(look: Look | undefined, text: string): "ours" | "empty" | "other" | "hidden" {
  if (look?.reading?.kind !== "composer") return "hidden";
  const { draft } = look.reading;
  if (draftShows(look.patterns, draft, text)) return "ours";
  return draft === "" ? "empty" : "other";
}

function unshown(look: Look | undefined, text: string): Said {
  switch (stateOf(look, text)) {
    case "ours":
    case "hidden":
      return { outcome: "interrupted" };
    case "other":
      return {
        outcome: "failed",
        reason:
          "not_shown: the composer shows another text than the one that was pasted, so Enter was not pressed",
      };
    case "empty":
      // Somebody at the terminal may have sent it.
      if (look !== undefined && submitShows(look.patterns, look.view, text)) return { outcome: "submitted" };
      return {
        outcome: "failed",
        reason: "not_shown: it was pasted and the composer does not show it, so Enter was not pressed",
      };
  }
}

async function seenToLeave({ session, text }: Message, { looks, sessions, signal }: Saying): Promise<Said> {
  // What became of it is told with the run's end, then.
  const isOver = (): boolean => sessions.statusOf(session.id) !== "running";
  const hasLeft = (look: Look): true | undefined => {
    const state = stateOf(look, text);
    const isGone = state === "empty" || state === "other" || look.reading?.kind === "busy";
    return isGone || asks(look) || isOver() || undefined;
  };
  const { found, last } = await looks.until(session, { found: hasLeft, withinMs: submittedMsMax, signal });
  if (found) return { outcome: "submitted" };
  return {
    outcome: "failed",
    reason:
      stateOf(last, text) === "ours"
        ? "not_submitted: it stands in the composer, and Enter did not send it"
        : "delivery_unknown: Enter was pressed, and the terminal shows nothing that says what became of it",
  };
}

const asks = ({ reading }: Look): boolean => reading?.kind === "question";

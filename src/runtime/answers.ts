/** Answers what a harness asks in its terminal: that very question, as the screen shows it now, and no other. */
import { randomUUID } from "node:crypto";
import { Failure } from "../errors.ts";
import type { Activity, SessionRecord } from "../store/sessions.ts";
import type { Activities } from "./activities.ts";
import type { AskedQuestion } from "./asked-question.ts";
import type { Choice, OpenQuestion } from "./harness/activity-sign.ts";
import { typedMessage } from "./harness/message-typing.ts";
import type { InputLeases } from "./input-leases.ts";
import type { Look, SessionLooks } from "./session-looks.ts";
import type { LiveSessions } from "./sessions.ts";

/** How long a question may take to go away once it is answered, ms; the caller waits. */
const goneMsMax = 5000;

/** How long what is known of a session may lag behind its screen, ms: a hook counts for a second, whatever is drawn. */
const knownMsMax = 1500;

export interface AnswersOptions {
  readonly sessions: LiveSessions;
  readonly looks: SessionLooks;
  readonly leases: InputLeases;
  readonly activities: Activities;
}

export interface AnswerInput {
  readonly session: string;
  readonly question: string;
  /** The number of a choice, counted from 1, or its label; or else a text. */
  readonly reply: { readonly choice: number | string } | { readonly text: string };
  readonly signal: AbortSignal;
}

/** Of the intent that it is asked under. */
export interface AnswerIntent {
  readonly key: string;
  /** An earlier call under it had begun to type, and was cut off. */
  readonly isBegun: boolean;
  /** To be called before anything is typed. */
  readonly announce: () => void;
}

export interface Answered {
  /** Whether the question went away. */
  readonly answered: boolean;
  /** Null where the session has ended by it. */
  readonly activity: Activity | null;
}

export class Answers {
  readonly #options: AnswersOptions;

  constructor(options: AnswersOptions) {
    this.#options = options;
  }

  /** Throws `question_gone` where it is not open, and `invalid_request` where it cannot be answered so: nothing was typed then. */
  async answer(input: AnswerInput, intent: AnswerIntent | undefined): Promise<Answered> {
    const { sessions, leases, activities } = this.#options;
    sessions.requireLive(input.session);
    const session = sessions.get(input.session);
    const run = sessions.newestRun(session.id);
    if (run === undefined) throw gone(input, "it has no run");
    const key = intent?.key ?? randomUUID();
    const typed = await leases.hold(session.id, async () => {
      await activities.look(session.id);
      const open = activities.questionOf(session.id);
      const isOpen = open?.id === input.question;
      if (!isOpen && intent?.isBegun === true) return undefined;
      if (open === undefined || !isOpen) throw gone(input, open && `another one is: ${open.id}`);
      const keys = this.#keysFor(session, open, input);
      await this.#requireShown(session, open.question, input);
      intent?.announce();
      await sessions.type(run, keys, key);
      return open.question;
    });
    const isGone = typed === undefined || (await this.#hasGone(session, typed, input));
    return { answered: isGone, activity: activities.of(session.id) };
  }

  #keysFor(session: SessionRecord, { id, question }: AskedQuestion, input: AnswerInput): string {
    const { reply } = input;
    const { choices } = question;
    if ("choice" in reply) return choiceOf(choices, reply.choice, input).keys;
    const patterns = this.#options.looks.patternsOf(session);
    if (patterns !== undefined && choices.length === 0) {
      const text = reply.text.replace(/\s*[\r\n]+\s*/g, " ").trim();
      return typedMessage(patterns, text).paste + patterns.typing.submit;
    }
    throw new Failure("invalid_request", `answer: question ${id} takes no text, but one of its choices`, {
      hint: `Pass choice: ${numbered(choices)}.`,
      details: { sessionId: session.id, question: id, choices: choices.map(({ label }) => label) },
    });
  }

  /** By a fresh look: what was open a moment ago may have been answered at the terminal. */
  async #requireShown(session: SessionRecord, open: OpenQuestion, input: AnswerInput): Promise<void> {
    const look = await this.#options.looks.now(session, input.signal);
    if (look === undefined || !shows(look, open)) throw gone(input, "the screen shows something else");
  }

  /** By the screen. What is known of the session lags behind it for a moment. */
  async #hasGone(session: SessionRecord, open: OpenQuestion, input: AnswerInput): Promise<boolean> {
    const { looks, activities, sessions } = this.#options;
    const { question, signal } = input;
    const isOver = (): boolean => sessions.statusOf(session.id) !== "running";
    const isKnown = (): boolean => isOver() || activities.questionOf(session.id)?.id !== question;
    const hasGone = (look: Look): true | undefined =>
      isOver() || (look.reading !== undefined && !shows(look, open)) || undefined;
    const { found } = await looks.until(session, { found: hasGone, withinMs: goneMsMax, signal });
    if (found === undefined) return isKnown();
    await looks.until(session, { found: () => isKnown() || undefined, withinMs: knownMsMax, signal });
    return true;
  }
}

/** Whether it is this question that stands on the screen. */
function shows({ reading }: Look, { text, choices }: OpenQuestion): boolean {
  if (reading?.kind !== "question") return false;
  const shown = reading.question;
  return shown.text === text && labelsOf(shown.choices) === labelsOf(choices);
}

const labelsOf = (choices: readonly Choice[]): string => choices.map(({ label }) => label).join("\n");

function choiceOf(
  choices: readonly Choice[],
  wanted: number | string,
  { session, question }: AnswerInput,
): Choice {
  const label = String(wanted).trim().toLowerCase();
  const named = choices.filter((choice) => choice.label.toLowerCase() === label);
  const found = typeof wanted === "string" && named.length === 1 ? named[0] : choiceAt(choices, wanted);
  if (found !== undefined) return found;
  const known = choices.length === 0 ? "its choices are not known" : `it has ${numbered(choices)}`;
  throw new Failure("invalid_request", `answer: question ${question} has no choice ${wanted}; ${known}`, {
    hint:
      choices.length === 0
        ? "Pass text if it asks for some; else look at it with screen and press its keys with input."
        : "Pass the number of one, or its label.",
    details: { sessionId: session, question, choices: choices.map((choice) => choice.label) },
  });
}

const choiceAt = (choices: readonly Choice[], wanted: number | string): Choice | undefined =>
  /^\d{1,3}$/.test(String(wanted)) ? choices[Number(wanted) - 1] : undefined;

const numbered = (choices: readonly Choice[]): string =>
  choices.map(({ label }, index) => `${index + 1} (${label})`).join(", ");

const gone = ({ session, question }: AnswerInput, why = "none is"): Failure =>
  new Failure("question_gone", `question ${question} of session ${session} is not open any more: ${why}`, {
    hint: "Nothing was typed. Ask status for the question that is open now.",
    details: { sessionId: session, question },
  });

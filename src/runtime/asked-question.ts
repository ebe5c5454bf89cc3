/**
 * The open question of a session under the id that an answer names. An id is of one asking: the same words that are
 * asked once more get another, so that no answer meets a question that it was not meant for.
 */
import { createHash } from "node:crypto";
import type { Question } from "../events.ts";
import { redactText } from "../text/redact.ts";
import { isSameQuestion } from "./activity-fusing.ts";
import type { OpenQuestion } from "./harness/activity-sign.ts";

export interface AskedQuestion {
  readonly id: string;
  readonly question: OpenQuestion;
}

/** What is asked now, by what was before. Of a question that goes on, what is to be pressed may have changed. */
export function askedNow(
  before: AskedQuestion | undefined,
  question: OpenQuestion | undefined,
  run: string,
): AskedQuestion | undefined {
  if (question === undefined) return undefined;
  const isOngoing = before !== undefined && isSameQuestion(before.question, question);
  return { id: isOngoing ? before.id : idOf(run, question), question };
}

/** As the store has kept it: what is to be pressed is for the screen to tell. */
export const askedBefore = ({ id, text, choices }: Question): AskedQuestion => ({
  id,
  question: { text, choices: choices.map((label) => ({ label, keys: "" })) },
});

/** Whether the screen has told what is to be pressed. */
export const isShown = ({ question }: AskedQuestion): boolean =>
  question.choices.every(({ keys }) => keys !== "");

/** What was printed in pieces, and so was no secret in the log, may stand on the screen as one. */
export const shownQuestion = ({ id, question: { text, choices } }: AskedQuestion): Question => ({
  id,
  text: redactText(text),
  choices: choices.map(({ label }) => redactText(label)),
});

const idOf = (run: string, question: OpenQuestion): string =>
  createHash("sha256")
    .update(JSON.stringify([run, question.text, Date.now(), performance.now()]))
    .digest("hex")
    .slice(0, 12);

/**
 * What a live session does, made from signs that come late, out of order, or not at all. The newest sign counts, except
 * that
 *
 * - a question that stands on the screen is open until the screen shows it gone, or a hook says that work went on;
 * - for a moment after a hook the screen may show what was before, and says nothing that contradicts it but a question;
 * - an empty composer may stand there between two steps of a turn: after `busy` it has to stay to count;
 * - that nothing is heard says nothing.
 */
import type { ActivitySign, OpenQuestion } from "./harness/activity-sign.ts";
import type { ScreenReading } from "./harness/screen-reading.ts";

/** How long after a hook the screen may lag behind it, ms: the harness draws when its hooks have answered. */
export const settleMs = 1000;

/** A person's half-typed text stands in the composer: the session waits, and nothing may be typed behind it. */
export const draftEvidence = "screen: a draft in the composer";

export interface Sign extends ActivitySign {
  readonly source: "hook" | "screen" | "statusFile" | "output";
  readonly atMs: number;
  /** Of a hook: what was asked about, or answered. A sign that says so of an answer ends only that question. */
  readonly about?: string | undefined;
  /** Of a screen: it has looked like this for a while. */
  readonly isSteady?: boolean;
}

export function signOfScreen(reading: ScreenReading): ActivitySign {
  switch (reading.kind) {
    case "question":
      return { state: "attention", evidence: `screen: ${reading.name}`, question: reading.question };
    case "composer":
      if (reading.isBusy) return { state: "busy", evidence: "screen: at work" };
      return { state: "waiting", evidence: reading.draft === "" ? "screen: empty composer" : draftEvidence };
    case "busy":
      return { state: "busy", evidence: "screen: at work" };
  }
}

export interface Known {
  /** The sign that counts now. */
  readonly standing: Sign | undefined;
  /** What a hook said last. */
  readonly hook: Sign | undefined;
}

export const nothingKnown: Known = { standing: undefined, hook: undefined };

export function fuse(known: Known, sign: Sign): Known {
  switch (sign.source) {
    case "hook":
      return afterHook(known, sign);
    case "screen":
      return { ...known, standing: afterScreen(known, sign) };
    case "statusFile":
      return { ...known, standing: afterStatusFile(known, sign) };
    case "output":
      return { ...known, standing: sign };
  }
}

function afterHook(known: Known, sign: Sign): Known {
  const { standing } = known;
  if (sign.state === "busy" && sign.about !== undefined) {
    const isAnswer = standing?.state === "attention" && standing.about === sign.about;
    return isAnswer || standing === undefined ? { standing: sign, hook: sign } : known;
  }
  // The screen tells which of several questions is open, and when it is not any more.
  const isKept = isOnScreen(standing) && sign.state !== "busy";
  // A reminder of a question says less than the hook that told of it.
  const isReminder = standing?.state === "attention" && sign.state === "attention" && !sign.question;
  return { standing: isKept || isReminder ? standing : sign, hook: sign };
}

function afterScreen(known: Known, sign: Sign): Sign | undefined {
  const { standing } = known;
  if (sign.state === "attention") {
    // What a hook was about is known until the screen shows another question than the first it showed.
    const isFirst = standing?.state === "attention" && standing.source !== "screen";
    const about = isFirst || isSameQuestion(standing?.question, sign.question) ? standing?.about : undefined;
    return { ...sign, about };
  }
  if (isTooSoon(known, sign)) return standing;
  if (sign.state === "busy" || sign.isSteady === true || standing?.state === "waiting") return sign;
  return isOnScreen(standing) ? { ...sign, state: "busy", evidence: "screen: the dialog is gone" } : standing;
}

/** The file is read where the screen is not known; that a composer waits it cannot say. */
function afterStatusFile(known: Known, sign: Sign): Sign | undefined {
  const { standing } = known;
  if (sign.state === "waiting" || isOnScreen(standing) || isTooSoon(known, sign)) return standing;
  return standing?.state === sign.state ? standing : sign;
}

const isOnScreen = (sign: Sign | undefined): boolean =>
  sign?.state === "attention" && sign.source === "screen";

const isTooSoon = ({ hook }: Known, sign: Sign): boolean =>
  hook !== undefined && hook.state !== sign.state && sign.atMs - hook.atMs < settleMs;

/** Whether who is told of the one knows the other. */
export function isSameActivity(one: Sign | undefined, other: Sign | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  const hasDraft = (sign: Sign): boolean => sign.evidence === draftEvidence;
  return (
    one.state === other.state &&
    hasDraft(one) === hasDraft(other) &&
    isSameQuestion(one.question, other.question)
  );
}

/** The same words to choose from: what is to be pressed for them may have changed with what is marked. */
export function isSameQuestion(one: OpenQuestion | undefined, other: OpenQuestion | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  const labels = ({ choices }: OpenQuestion): string => JSON.stringify(choices.map(({ label }) => label));
  return one.text === other.text && labels(one) === labels(other);
}

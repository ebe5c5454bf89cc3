/**
 * What Cast Codes come to: actions with their arguments, or problems. Decides by what it is told is known and does
 * nothing, so that a plan can be looked at before anything happens.
 */
import { isLive } from "../events.ts";
import type { KnownFamiliars } from "../runtime/familiars.ts";
import type { SessionRecord } from "../store/sessions.ts";
import { type CastCode, type PlacedCastCode, parseCastText, printCastCode } from "./cast-code.ts";
import { type Named, type NamedFamiliar, whoIs } from "./cast-names.ts";
import { isOf } from "./familiar-sessions.ts";

export interface PlannedAction {
  readonly action: "status" | "run" | "wake" | "handoff";
  readonly args: Readonly<Record<string, unknown>>;
}

export interface PlannedCode {
  /** As it is printed, which says the same wherever it stands. */
  readonly code: string;
  readonly kind: CastCode["kind"];
  readonly start: number;
  readonly end: number;
  readonly actions: readonly PlannedAction[];
  /** The session that a client should bring forward. */
  readonly focus?: string;
  /** Why there is nothing to do. */
  readonly note?: string;
}

export interface PlanProblem {
  /** Where it is in the text. */
  readonly offset: number;
  readonly message: string;
  /** The names that may have been meant: the nearest, or those that it fits. */
  readonly nearest?: readonly string[];
  /** It can be done after all, if it is confirmed. */
  readonly confirmable?: true;
}

export interface CastPlan {
  readonly codes: readonly PlannedCode[];
  readonly problems: readonly PlanProblem[];
}

export type KnownSession = Pick<
  SessionRecord,
  | "id"
  | "project_root"
  | "familiar_id"
  | "harness"
  | "status"
  | "external"
  | "launch_mode"
  | "last_activity_at"
>;

export interface Known {
  readonly familiars: readonly NamedFamiliar[];
  readonly source: KnownFamiliars["source"];
  /** Those that are not archived, as far as the caller sees them. */
  readonly sessions: readonly KnownSession[];
  /** Where the text is cast; undefined where nobody has said. */
  readonly projectRoot: string | undefined;
  /** Whether the sessions of all projects are meant, and not only of that. */
  readonly all: boolean;
  /** The session that the text is for. */
  readonly target: string | undefined;
  /** The session that casts it, and whose familiar that is; undefined for the owner. */
  readonly self: Pick<SessionRecord, "id" | "familiar_id"> | undefined;
  readonly isConfirmed: boolean;
}

/** Codes in a text: more than a person types, or reads the results of. */
export const codesMax = 32;
/** Actions in a plan: each is done and answered before the call is. */
export const actionsMax = 256;
/** Problems that are told: more are not read, and a text of nothing else would make an answer of many times its size. */
const problemsMax = 32;
/** Sessions that a broadcast reaches without being confirmed. */
export const unconfirmedMax = 10;
/** Sessions of a familiar whose status is told. */
const statusMax = 10;

/** Said where a code that resumes says nothing. */
const goOn = "Go on where you stopped.";

export function planCast(text: string, known: Known): CastPlan {
  const { codes, problems } = parseCastText(text);
  const found: PlanProblem[] = problems.map(({ offset, expected }) => ({
    offset,
    message: `expected ${expected}`,
  }));
  const planned: PlannedCode[] = [];
  for (const placed of codes.slice(0, codesMax)) {
    const plan = planCode(placed, known);
    if ("message" in plan) found.push(plan);
    else planned.push(plan);
  }
  const [beyond] = codes.slice(codesMax);
  if (beyond !== undefined)
    found.push({ offset: beyond.start, message: `${codes.length} codes; at most ${codesMax} are taken` });
  const count = planned.reduce((sum, { actions }) => sum + actions.length, 0);
  if (count > actionsMax)
    found.push({ offset: 0, message: `this comes to ${count} actions; at most ${actionsMax} are taken` });
  return { codes: planned, problems: bounded(found.sort((one, other) => one.offset - other.offset)) };
}

/** What is left out is no less a problem, so it is counted. */
function bounded(problems: readonly PlanProblem[]): PlanProblem[] {
  const [beyond] = problems.slice(problemsMax);
  const told = problems.slice(0, problemsMax);
  if (beyond === undefined) return told;
  const count = problems.length - problemsMax;
  return [
    ...told,
    { offset: beyond.offset, message: `${count} more ${count === 1 ? "problem" : "problems"} from here on` },
  ];
}

type Outcome =
  Pick<PlannedCode, "actions" | "focus" | "note"> | Pick<PlanProblem, "message" | "nearest" | "confirmable">;

function planCode({ code, start, end }: PlacedCastCode, known: Known): PlannedCode | PlanProblem {
  const outcome = outcomeOf(code, known);
  if ("message" in outcome) return { offset: start, ...outcome };
  return { code: printCastCode(code), kind: code.kind, start, end, ...outcome };
}

function outcomeOf(code: CastCode, known: Known): Outcome {
  if (code.kind === "broadcast") return broadcast(code.message, known);
  const who = code.familiar === undefined ? undefined : whoIs(code.familiar, known);
  if (who?.kind === "misnamed") return { message: who.message, nearest: who.nearest };
  switch (code.kind) {
    case "status":
      return statusOf(who, known);
    case "switch":
      return focusOn(who, known);
    case "delegate":
      return delegate(who, code.task, known);
    case "resume": {
      const last = sessionsOf(who, known).find(({ external }) => !external);
      if (last === undefined) return { message: nothingOf(who, known) };
      return { actions: [{ action: "wake", args: { session: last.id, message: code.message ?? goOn } }] };
    }
    case "handoff": {
      const target = who === undefined ? known.target : undefined;
      const session = target ?? sessionsOf(who, known)[0]?.id;
      if (session === undefined) return { message: nothingOf(who, known) };
      return { actions: [{ action: "handoff", args: { session } }] };
    }
  }
}

const statusAction = ({ id }: KnownSession): PlannedAction => ({ action: "status", args: { session: id } });

/** Of all at a glance, or of the live sessions of one; where none lives, of the last. */
function statusOf(who: Named | undefined, known: Known): Outcome {
  if (who === undefined) return { actions: [{ action: "status", args: {} }] };
  const own = sessionsOf(who, known);
  const live = own.filter(({ status }) => isLive(status)).slice(0, statusMax);
  const shown = live.length > 0 ? live : own.slice(0, 1);
  return shown.length > 0
    ? { actions: shown.map(statusAction) }
    : { actions: [], note: nothingOf(who, known) };
}

function focusOn(who: Named | undefined, known: Known): Outcome {
  const own = sessionsOf(who, known);
  const last = own.find(({ status }) => isLive(status)) ?? own[0];
  if (last === undefined) return { message: nothingOf(who, known) };
  return { actions: [statusAction(last)], focus: last.id };
}

function delegate(who: Named | undefined, prompt: string, known: Known): Outcome {
  if (who?.familiar === undefined)
    return { message: `${who?.id} is only a name of sessions: no familiar says how one is launched` };
  const projectRoot = who.familiar.projectRoot ?? known.projectRoot;
  if (projectRoot === undefined)
    return { message: `no project is named for ${who.id}: pass projectRoot, or give the familiar one` };
  const callerFamiliarId = known.self?.familiar_id ?? undefined;
  const by = callerFamiliarId === undefined ? {} : { callerFamiliarId };
  return { actions: [{ action: "run", args: { familiarId: who.id, projectRoot, prompt, ...by } }] };
}

function broadcast(message: string, known: Known): Outcome {
  const { projectRoot, all, self, sessions, isConfirmed } = known;
  if (projectRoot === undefined && !all)
    return { message: "no project is named whose sessions are meant: pass projectRoot, or all" };
  const reached = sessions.filter(
    ({ id, status, external, project_root }) =>
      status === "running" && !external && id !== self?.id && (all || project_root === projectRoot),
  );
  if (reached.length === 0) return { message: `this would reach nobody: no session is live${where(known)}` };
  if (reached.length > unconfirmedMax && !isConfirmed) {
    const many = `this would wake ${reached.length} sessions, and more than ${unconfirmedMax} are to be confirmed`;
    return { message: many, confirmable: true };
  }
  return { actions: reached.map(({ id }) => ({ action: "wake", args: { session: id, message } })) };
}

/** Of the project where the text is cast, and of the familiar's own; the one that did something last first. */
function sessionsOf(who: Named | undefined, known: Known): KnownSession[] {
  const { projectRoot, all, self, source } = known;
  const own = who?.familiar?.projectRoot;
  const isMeant = (session: KnownSession): boolean =>
    session.id !== self?.id &&
    session.launch_mode !== "none" &&
    (all || projectRoot === undefined || [projectRoot, own].includes(session.project_root)) &&
    (who === undefined || isOf(session, who.id, source));
  return known.sessions
    .filter(isMeant)
    .sort((one, other) => (one.last_activity_at < other.last_activity_at ? 1 : -1));
}

const nothingOf = (who: Named | undefined, known: Known): string =>
  who === undefined
    ? `there is no session${where(known)} to go on with`
    : `${who.id} has no session${where(known)}`;

const where = ({ all, projectRoot }: Known): string =>
  all || projectRoot === undefined ? "" : ` in ${projectRoot}`;

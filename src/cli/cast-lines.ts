/** What Cast Codes came to, for people: each code, and below it what was done for it. */
import type * as z from "zod";
import type { cast } from "../capabilities/cast.ts";
import type { handoff } from "../capabilities/handoff.ts";
import { shortId } from "./ids.ts";
import { fields, oneLine } from "./text.ts";

type Shown = z.output<typeof cast.output>;
type Code = NonNullable<Shown["codes"]>[number];
type Result = NonNullable<Shown["results"]>[number];

/** `printed`: how an action's own answer is printed. */
export function castLines(
  { cast_id, echo, codes, problems = [], results }: Shown,
  printed: (action: string, output: unknown) => string,
): string {
  const kept = cast_id === undefined ? "" : `${cast_id}  ${oneLine(echo ?? "")}\n`;
  if (codes === undefined) return kept;
  const lines = codes.flatMap((code, index) => [
    `${oneLine(code.code, 200)}${code.focus === undefined ? "" : `  → bring forward ${code.focus}`}`,
    ...(code.note === undefined ? [] : [`  ${code.note}`]),
    ...(results === undefined
      ? planLines(code)
      : results.filter((each) => each.code === index).flatMap((each) => resultLines(each, printed))),
  ]);
  const wrong = problems.map(({ offset, message }) => `problem at ${offset}: ${oneLine(message, 300)}`);
  const none = codes.length + problems.length === 0 ? ["no Cast Code in it; for example: ~?"] : [];
  return kept + [...lines, ...wrong, ...none].map((line) => `${line}\n`).join("");
}

const planLines = ({ actions }: Code): string[] =>
  actions.map(({ action, args }) => `  would ${action} ${oneLine(JSON.stringify(args), 200)}`);

function resultLines(
  { action, session, output, error }: Result,
  printed: (action: string, output: unknown) => string,
): string[] {
  if (error !== undefined) {
    const what = session === undefined ? action : `${action} ${shortId(session)}`;
    const hint = error.hint === undefined ? [] : [`  → ${oneLine(error.hint, 300)}`];
    return [`  ${what} failed (${error.code}): ${oneLine(error.message, 300)}`, ...hint];
  }
  return printed(castAs.get(action) ?? action, output)
    .trimEnd()
    .split("\n")
    .map((line) => `  ${line}`);
}

/** What is said of a session that was launched or told something, in a line. */
const castAs: ReadonlyMap<string, string> = new Map([
  ["run", "cast.run"],
  ["wake", "cast.wake"],
]);

export function packetLines(packet: z.output<typeof handoff.output>): string {
  const { from, taskContext, currentState, filesTouched, risks, nextAction, meta } = packet;
  const text = (given: string): string => oneLine(given, 500);
  return fields([
    ["session", meta.sessionId],
    ["harness", from.harness],
    ["goal", text(taskContext.originalGoal)],
    ["told since", taskContext.constraints.map(text).join("; ") || null],
    ["where", text(taskContext.scopeNotes)],
    ["last action", text(currentState.lastAction)],
    ["state", text(currentState.loadedContextSummary)],
    ["asks", currentState.openQuestions.map(text).join("; ") || null],
    ["files", filesTouched.map(({ path, summary }) => `${path} (${summary})`).join(", ") || null],
    ["risks", risks.map(({ detail }) => text(detail)).join("; ") || null],
    ["next", text(nextAction.instruction)],
    ["do not", nextAction.doNotDo.map(text).join("; ") || null],
    ["cursor", meta.cursor],
  ]);
}

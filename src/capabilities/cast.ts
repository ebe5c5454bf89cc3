import { createHash } from "node:crypto";
import * as z from "zod";
import { Failure } from "../errors.ts";
import { listedProject, requireSameProject } from "./authority.ts";
import { type Capability, type Context, capability } from "./capability.ts";
import { type CastPlan, type PlanProblem, type PlannedAction, planCast } from "./cast-plan.ts";
import { newestSessions } from "./familiar-sessions.ts";
import { sessionId } from "./records.ts";

/** Longest text whose codes are looked for, bytes; what is only kept may be longer. */
const textBytesMax = 16 * 1024;

const result = z.object({
  /** Which of the codes it belongs to, counted from 0. */
  code: z.int(),
  action: z.string(),
  session: z.string().optional(),
  /** As a model is shown what the action answers. */
  output: z.unknown().optional(),
  error: z.object({ code: z.string(), message: z.string(), hint: z.string().optional() }).optional(),
});
type Result = z.output<typeof result>;

const output = z.object({
  /** Of a text that was kept. */
  accepted: z.literal(true).optional(),
  cast_id: z.string().optional(),
  echo: z.string().optional(),
  codes: z
    .array(
      z.object({
        code: z.string(),
        kind: z.string(),
        start: z.int(),
        end: z.int(),
        actions: z
          .array(z.object({ action: z.string(), args: z.record(z.string(), z.unknown()).readonly() }))
          .readonly(),
        focus: z.string().optional(),
        note: z.string().optional(),
      }),
    )
    .readonly()
    .optional(),
  problems: z
    .array(
      z.object({
        offset: z.int(),
        message: z.string(),
        nearest: z.array(z.string()).readonly().optional(),
        confirmable: z.literal(true).optional(),
      }),
    )
    .readonly()
    .optional(),
  results: z.array(result).optional(),
});

export const cast = capability({
  name: "cast",
  summary:
    "Does what the Cast Codes in a text say, each as if it were asked directly; docs/CAST-CODES.md has them.",
  effect: "write",
  input: z.strictObject({
    code: z.string().trim().min(1).describe("the text with the codes"),
    projectRoot: z
      .string()
      .min(1)
      .optional()
      .describe("project that it is cast in; a session's own unless given"),
    target: sessionId.nullish().describe("id of the session it is for"),
    dryRun: z.boolean().default(false).describe("only say what would be done"),
    all: z.boolean().default(false).describe("sessions of all projects are meant"),
    confirm: z.boolean().default(false).describe("a broadcast may reach more than ten"),
    store: z
      .enum(["no", "also", "only"])
      .default("no")
      .describe("keep the text as it is in the log of the target, or in that of the composer"),
  }),
  output,
  failures: ["session_not_found", "cast_too_large", "confirmation_required"],
  right: "anyone",
  tool: {
    title: "Cast",
    description: "Does Cast Codes: ~name: task, ~* message, ~^name, ~<name, ~?name",
    input: z.strictObject({ code: z.string(), projectRoot: z.string().optional() }),
    output: z.looseObject({}),
  },
  positional: ["code"],
  async run(input, context) {
    const { code, dryRun, store } = input;
    const target = input.target || undefined;
    requireOwnLog(store, target, context);
    if (store === "only") return context.casts.submit(code, target ?? null, context.intent);
    requireShort(code);
    const plan = planCast(code, knownFor({ ...input, target }, context));
    if (dryRun) return plan;
    requireNoProblem(plan.problems, context);
    const kept = store === "no" ? {} : await context.casts.submit(code, target ?? null, context.intent);
    return { ...kept, ...plan, results: await performed(plan, context) };
  },
});

interface Asked {
  readonly projectRoot?: string | undefined;
  readonly target: string | undefined;
  readonly all: boolean;
  readonly confirm: boolean;
}

function knownFor({ projectRoot, target, all, confirm }: Asked, context: Context) {
  const { caller, sessions } = context;
  if (target !== undefined) requireSameProject(caller.identity, target, sessions);
  const { familiars, source } = context.familiars.all();
  // A run's own project in any case, wherever its familiars are at home.
  const place = listedProject(context, projectRoot && withoutLastSlash(projectRoot));
  const seesAtOnce = all || place === undefined || caller.identity.kind === "run";
  const homes = familiars.flatMap((each) => each.projectRoot ?? []);
  const roots = seesAtOnce ? [undefined] : [...new Set([place, ...homes])];
  const visible = roots.flatMap((root) => [
    ...newestSessions(context, { projectRoot: root, includeArchived: false }),
    ...newestSessions(context, { projectRoot: root, includeArchived: false, status: "running" }),
  ]);
  return {
    familiars,
    source,
    sessions: [...new Map(visible.map((session) => [session.id, session])).values()],
    projectRoot: place,
    all,
    target,
    self: caller.identity.kind === "owner" ? undefined : sessions.get(caller.identity.session),
    isConfirmed: confirm,
  };
}

const withoutLastSlash = (path: string): string => path.replace(/(?<=.)\/+$/, "");

/** Each in its turn, as the same caller; what fails is told beside what is done. */
async function performed({ codes }: CastPlan, context: Context): Promise<Result[]> {
  const results: Result[] = [];
  for (const [index, { actions }] of codes.entries())
    for (const planned of actions) results.push(await performedOne(planned, index, context));
  return results;
}

async function performedOne(planned: PlannedAction, code: number, context: Context): Promise<Result> {
  const { action, args } = planned;
  const session = typeof args["session"] === "string" ? { session: args["session"] } : {};
  try {
    const intentId = intentOf(planned, code, context);
    const answer = await context.invoke(action, args, { ...context.caller, intentId });
    return { code, action, ...session, output: brief(context.actions.get(action), answer.output) };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const hint = error.hint === undefined ? {} : { hint: error.hint };
    return { code, action, ...session, error: { code: error.code, message: error.message, ...hint } };
  }
}

/** The same for a cast that is repeated; a session is told once, also where others are live by then. */
function intentOf({ action, args }: PlannedAction, code: number, { intent }: Context): string | undefined {
  if (intent === undefined) return undefined;
  const place = [intent.key, code, action, action === "wake" ? args["session"] : null];
  return `cast-${createHash("sha256").update(JSON.stringify(place)).digest("hex").slice(0, 32)}`;
}

const brief = (action: Capability | undefined, output: unknown): unknown =>
  action !== undefined && action.tool !== false && action.tool.output !== undefined
    ? action.tool.output.parse(output)
    : output;

/** A log is kept for the owner: a session writes to its own. */
function requireOwnLog(
  store: "no" | "also" | "only",
  target: string | undefined,
  { caller: { identity } }: Context,
): void {
  if (store === "no" || identity.kind === "owner" || identity.session === target) return;
  throw new Failure(
    "not_permitted",
    `session ${identity.session} may keep a text in its own log only, and not in ${target ?? "the composer's"}`,
    { hint: "Cast it without store, or with your own session as its target.", details: { target } },
  );
}

function requireShort(code: string): void {
  const bytes = Buffer.byteLength(code);
  if (bytes <= textBytesMax) return;
  throw new Failure(
    "cast_too_large",
    `the text has ${bytes} bytes; codes are looked for in ${textBytesMax}`,
    {
      hint: "Put long tasks into a file of the project, and name the file.",
      details: { bytes, bytesMax: textBytesMax },
    },
  );
}

function requireNoProblem(problems: readonly PlanProblem[], { familiars }: Context): void {
  if (problems.length === 0) return;
  const told = problems.map(({ offset, message }) => `at ${offset}: ${message}`).join("; ");
  const isConfirmable = problems.every(({ confirmable }) => confirmable === true);
  const broken = familiars.all().problems;
  throw new Failure(
    isConfirmable ? "confirmation_required" : "invalid_request",
    `cast: nothing was done: ${told}`,
    {
      hint: isConfirmable
        ? "Pass confirm: true (CLI: --yes) if they all are to be told."
        : broken.length > 0
          ? `Some familiars cannot be read: ${broken.join("; ")}`
          : "Correct the text, or pass dryRun (CLI: --dry-run) to see what is understood.",
      details: { problems: problems.map((problem) => ({ ...problem })) },
    },
  );
}

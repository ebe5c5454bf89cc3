/** The pipeline every action goes through: known, well-formed, run, checked, logged. */
import { randomBytes } from "node:crypto";
import * as z from "zod";
import { Failure, shown } from "../errors.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { authorize } from "./authority.ts";
import type { Caller, Capability, Intent, Invoke } from "./capability.ts";
import { type IntentKey, Intents } from "./intents.ts";
import { capabilities } from "./registry.ts";

/** The part of a logger the pipeline uses. */
export interface AuditLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export function createInvoke(runtime: Runtime, log: AuditLog): Invoke {
  const intents = new Intents(runtime);
  const invoke: Invoke = async (name, input, caller) => {
    const found = findCapability(name);
    const said = { action: shown(name), ...saidOf(caller), ...sessionOf(input) };
    try {
      const parsed = checkedInput(found, input);
      authorize(found, parsed, caller.identity, runtime.sessions);
      const perform = async (intent: Intent | undefined): Promise<unknown> => {
        const output = await found.run(parsed, { ...runtime, caller, intent, actions: capabilities, invoke });
        return checked(found, output);
      };
      if (found.effect === "read") return { output: await perform(undefined), replayed: false };
      const answer = await intents.once(keyOf(name, caller), parsed, perform);
      log.info({ ...said, replayed: answer.replayed }, "action done");
      return answer;
    } catch (error) {
      throw toFailure(error, runtime.storeRefusal(error), log, said);
    }
  };
  return invoke;
}

function checked({ name, output: schema }: Capability, output: unknown): unknown {
  const parsed = schema.safeParse(output);
  if (parsed.success) return parsed.data;
  throw new Error(`the output of ${name} breaks its schema: ${z.prettifyError(parsed.error)}`);
}

/** Longest intent that is remembered, characters: far above any id of a client's. */
const intentCharactersMax = 256;

function keyOf(action: string, { identity, intentId }: Caller): IntentKey | undefined {
  if (intentId === undefined) return undefined;
  if (intentId.trim() !== "" && intentId.length <= intentCharactersMax)
    return { caller: identity.kind === "owner" ? "owner" : identity.session, action, id: intentId };
  throw new Failure("invalid_request", `intentId must have 1 to ${intentCharactersMax} characters`, {
    hint: "Use a random id for each thing that you want done, and the same one for its repetitions.",
    details: { intentId: intentId.slice(0, intentCharactersMax) },
  });
}

/** Throws `unknown_action` with the known ones. */
function findCapability(name: string): Capability {
  const found = capabilities.get(name);
  if (found) return found;
  throw new Failure("unknown_action", `unknown action \`${name}\``, {
    hint: `The actions are ${[...capabilities.keys()].join(", ")}.`,
    details: { action: name, actions: [...capabilities.keys()] },
  });
}

/** The input as the action understands it. Throws `invalid_request` naming what is wrong and what is accepted. */
export function checkedInput<I extends z.ZodObject, O extends z.ZodType>(
  { name, input: schema }: Capability<I, O>,
  input: unknown,
): z.output<I> {
  const parsed = schema.safeParse(input ?? {});
  if (parsed.success) return parsed.data;
  const accepted = Object.keys(schema.shape);
  throw new Failure("invalid_request", `${name}: ${describeIssues(parsed.error)}`, {
    hint: hintFor(name, schema, parsed.error.issues[0]?.path ?? []),
    details: {
      action: name,
      issues: parsed.error.issues.map(({ path, message }) => ({ path: path.join("."), message })),
      accepted,
    },
  });
}

/** What is accepted where the first thing is wrong: of the action, or of an object inside its input. */
function hintFor(name: string, schema: z.ZodObject, path: readonly PropertyKey[]): string {
  const places = path.map((_, index) => path.slice(0, path.length - index));
  for (const place of places) {
    const accepted = acceptedAt(schema, place);
    if (accepted.length > 0) return `${place.join(".")} takes ${accepted.join(", ")}.`;
  }
  const accepted = Object.keys(schema.shape);
  return accepted.length > 0
    ? `The arguments of ${name} are ${accepted.join(", ")}.`
    : `${name} takes no arguments.`;
}

const place = z.object({
  properties: z.record(z.string(), z.unknown()).default({}),
  items: z.unknown().optional(),
});

/** The members of an object somewhere in the input; none where there is no object. */
function acceptedAt(schema: z.ZodObject, path: readonly PropertyKey[]): string[] {
  let at: unknown = z.toJSONSchema(schema, { io: "input" });
  for (const step of path) {
    const { properties, items } = place.catch({ properties: {} }).parse(at);
    at = typeof step === "number" ? items : properties[String(step)];
  }
  return Object.keys(place.catch({ properties: {} }).parse(at).properties);
}

const describeIssues = (error: z.ZodError): string => error.issues.map(describeIssue).join("; ");

function describeIssue(issue: z.core.$ZodIssue): string {
  const argument = issue.path.join(".");
  if (issue.code === "unrecognized_keys")
    return `unknown argument ${issue.keys.map((key) => [...issue.path, key].join(".")).join(", ")}`;
  if (issue.code === "invalid_type" && issue.message.endsWith("received undefined"))
    return `${argument} is missing`;
  if (issue.code === "too_small" && issue.origin === "string") return `${argument} must not be empty`;
  return argument === "" ? issue.message : `${argument}: ${issue.message}`;
}

/** What is no `Failure` is a bug: logged with a reference that the caller gets instead of its text. */
function toFailure(error: unknown, refusal: Refusal | undefined, log: AuditLog, fields: object): Failure {
  if (error instanceof Failure) {
    log.warn({ ...fields, code: error.code, details: error.details }, error.message);
    return error;
  }
  if (refusal !== undefined) {
    log.warn({ ...fields, err: error }, "the store could not be written");
    const { code, why, hint } = refusals[refusal];
    return new Failure(code, `the store takes no writes now: ${why}`, { hint, cause: error });
  }
  const reference = randomBytes(6).toString("hex");
  log.error({ ...fields, code: "internal_error", reference, err: error }, "an action failed unexpectedly");
  return new Failure("internal_error", `something went wrong inside Coven (reference ${reference})`, {
    hint: "Look for the reference in the daemon's log: coven logs.",
    details: { reference },
    cause: error,
  });
}

type Refusal = NonNullable<ReturnType<Runtime["storeRefusal"]>>;

const refusals = {
  held: {
    code: "runtime_unavailable",
    why: "another program holds it",
    hint: "Try again; coven doctor looks at the store.",
  },
  full: {
    code: "store_full",
    why: "the disk is full",
    hint: "Make room on the disk, or bound the logs with coven prune, then try again.",
  },
  broken: {
    code: "runtime_unavailable",
    why: "the disk gives an error",
    hint: "See coven logs and the system's; coven doctor looks at the disk.",
  },
} as const satisfies Readonly<Record<Refusal, object>>;

/** Who asked, for the log. */
const saidOf = ({ surface, identity }: Caller): object =>
  identity.kind === "owner" ? { surface } : { surface, by: identity.session };

function sessionOf(input: unknown): { session?: string } {
  const isNamed =
    typeof input === "object" && input !== null && "session" in input && typeof input.session === "string";
  return isNamed ? { session: shown(String(input.session)) } : {};
}

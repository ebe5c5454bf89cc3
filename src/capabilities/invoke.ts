/** The pipeline every action goes through: known, well-formed, run, checked, logged. */
import { randomBytes } from "node:crypto";
import * as z from "zod";
import { Failure } from "../errors.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Capability, Invoke } from "./capability.ts";
import { capabilities } from "./registry.ts";

/** The part of a logger the pipeline uses. */
export interface AuditLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export function createInvoke(runtime: Runtime, log: AuditLog): Invoke {
  return async (name, input, caller) => {
    const found = findCapability(name);
    try {
      const parsed = parseInput(found, input);
      const output = found.output.safeParse(
        await found.run(parsed, { ...runtime, caller, actions: capabilities }),
      );
      if (!output.success)
        throw new Error(`the output of ${name} breaks its schema: ${z.prettifyError(output.error)}`);
      if (found.effect !== "read")
        log.info({ action: name, surface: caller.surface, ...sessionOf(input) }, "action done");
      return output.data;
    } catch (error) {
      throw toFailure(error, log, { action: name, surface: caller.surface, ...sessionOf(input) });
    }
  };
}

/** Throws `unknown_action` with the known ones. */
export function findCapability(name: string): Capability {
  const found = capabilities.get(name);
  if (found) return found;
  throw new Failure("unknown_action", `unknown action \`${name}\``, {
    hint: `The actions are ${[...capabilities.keys()].join(", ")}.`,
    details: { action: name, actions: [...capabilities.keys()] },
  });
}

function parseInput({ name, input: schema }: Capability, input: unknown): z.output<z.ZodObject> {
  const parsed = schema.safeParse(input ?? {});
  if (parsed.success) return parsed.data;
  const accepted = Object.keys(schema.shape);
  throw new Failure("invalid_request", `${name}: ${describeIssues(parsed.error)}`, {
    hint:
      accepted.length > 0
        ? `The arguments of ${name} are ${accepted.join(", ")}.`
        : `${name} takes no arguments.`,
    details: {
      action: name,
      issues: parsed.error.issues.map(({ path, message }) => ({ path: path.join("."), message })),
      accepted,
    },
  });
}

const describeIssues = (error: z.ZodError): string => error.issues.map(describeIssue).join("; ");

function describeIssue(issue: z.core.$ZodIssue): string {
  const argument = issue.path.join(".");
  if (issue.code === "unrecognized_keys") return `unknown argument ${issue.keys.join(", ")}`;
  if (issue.code === "invalid_type" && issue.message.endsWith("received undefined"))
    return `${argument} is missing`;
  if (issue.code === "too_small" && issue.origin === "string") return `${argument} must not be empty`;
  return argument === "" ? issue.message : `${argument}: ${issue.message}`;
}

/** What is no `Failure` is a bug: logged with a reference that the caller gets instead of its text. */
function toFailure(error: unknown, log: AuditLog, fields: object): Failure {
  if (error instanceof Failure) {
    log.warn({ ...fields, code: error.code, details: error.details }, error.message);
    return error;
  }
  if (isStoreHeld(error)) {
    log.warn({ ...fields, code: "runtime_unavailable", err: error }, "the store could not be written");
    return new Failure(
      "runtime_unavailable",
      "the store takes no writes now: it is held by another program, or the disk is full",
      {
        hint: "Try again; coven doctor looks at the store.",
        cause: error,
      },
    );
  }
  const reference = randomBytes(6).toString("hex");
  log.error({ ...fields, code: "internal_error", reference, err: error }, "an action failed unexpectedly");
  return new Failure("internal_error", `something went wrong inside Coven (reference ${reference})`, {
    hint: "Look for the reference in the daemon's log: coven logs.",
    details: { reference },
    cause: error,
  });
}

const isStoreHeld = (error: unknown): boolean =>
  error instanceof Error && "code" in error && /^SQLITE_(BUSY|LOCKED|FULL|IOERR)/.test(String(error.code));

function sessionOf(input: unknown): { session?: string } {
  const isNamed =
    typeof input === "object" && input !== null && "session" in input && typeof input.session === "string";
  return isNamed ? { session: String(input.session) } : {};
}

/** Arguments go by name: params are an object, and what it holds beside an action's own arguments is of the call. */
import * as z from "zod";
import type { Capability } from "../../capabilities/capability.ts";
import { Failure } from "../../errors.ts";

/** Params as an object; without any, an empty one. An empty list has nothing in the wrong place. */
function byName(method: string, params: unknown, names: readonly string[]): Record<string, unknown> {
  if (params === undefined) return {};
  if (!Array.isArray(params)) return typeof params === "object" ? { ...params } : {};
  if (params.length === 0) return {};
  throw new Failure("invalid_request", `${method}: arguments go by name, not by position`, {
    hint:
      names.length > 0
        ? `Send params as an object; the arguments of ${method} are ${names.join(", ")}.`
        : `${method} takes no arguments.`,
    details: { action: method, accepted: names },
  });
}

/** What the parameters of a method are when it is no action. Throws `invalid_request` with what is wrong. */
export function checkedParams<I extends z.ZodObject>(
  method: string,
  schema: I,
  params: unknown,
): z.output<I> {
  const accepted = Object.keys(schema.shape);
  const read = schema.safeParse(byName(method, params, accepted));
  if (read.success) return read.data;
  const issues = read.error.issues.map(({ path, message }) => ({ path: path.join("."), message }));
  const wrong = issues.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`));
  throw new Failure("invalid_request", `${method}: ${wrong.join("; ")}`, {
    hint: `The arguments of ${method} are ${accepted.join(", ")}.`,
    details: { action: method, issues, accepted },
  });
}

/** What a call of an action that changes something may say beside its arguments. */
export const besideArguments = z.strictObject({
  intentId: z
    .string()
    .nullish()
    .describe(
      "Done once, however often it is asked under this name within a day; a repetition is `replayed`.",
    ),
  env: z
    .record(z.string(), z.string())
    .nullish()
    .describe("The environment the caller runs in: what a harness it launches is to see."),
});

export function splitArguments(
  { name, effect, input }: Capability,
  params: unknown,
): {
  readonly args: object;
  readonly intentId: string | undefined;
  readonly env: Record<string, string> | undefined;
} {
  const named = byName(name, params, Object.keys(input.shape));
  if (effect === "read") return { args: named, intentId: undefined, env: undefined };
  const { intentId, env, ...args } = named;
  const beside = checkedParams(name, besideArguments, { intentId, env });
  return { args, intentId: beside.intentId ?? undefined, env: beside.env ?? undefined };
}

/** A verb that is just an action: its command line is the action's input, its output is printed. */
import { Option } from "commander";
import type { Capability } from "../capabilities/capability.ts";
import { capabilities } from "../capabilities/registry.ts";
import { Failure } from "../errors.ts";
import { commandLineOf } from "./arguments.ts";
import { exitCodes } from "./exit-codes.ts";
import { textOf } from "./given.ts";
import { resolveId, resolveWake } from "./ids.ts";
import { printed } from "./print.ts";
import type { Cli, Given, Verb } from "./verb.ts";

/** Actions whose names are no words belong to the wire, and `coven hook` is a program of its own (`hook.ts`). */
export const actionNames: readonly string[] = [...capabilities.keys()].filter(
  (name) => /^[a-z]+$/.test(name) && name !== "hook",
);

export function capabilityOf(name: string): Capability {
  const found = capabilities.get(name);
  if (found) return found;
  throw new Failure("unknown_action", `there is no action ${name}`);
}

export function actionVerb(name: string): Verb {
  const capability = capabilityOf(name);
  const { decode, ...commandLine } = commandLineOf(capability);
  return {
    name,
    summary: capability.summary,
    ...commandLine,
    options: [...commandLine.options, ...(capability.effect === "read" ? [] : [intentOption])],
    async run(cli, given) {
      const output = await cli.call(name, await withWholeIds(cli, decode(given)), intentOf(given));
      process.stdout.write(cli.json ? jsonText(output) : printed(name, output));
      return exitCodes.done;
    },
  };
}

/** For scripts that call again when they are not sure whether they were heard. */
export const intentOption = new Option(
  "--intent-id <id>",
  "done once, however often it is asked under this id within a day",
);

export function intentOf({ options }: Given): { intentId?: string } {
  const intentId = textOf(options["intentId"]);
  return intentId === undefined ? {} : { intentId };
}

async function withWholeIds(
  cli: Cli,
  input: Readonly<Record<string, unknown>>,
): Promise<Record<string, unknown>> {
  const { session, wake } = input;
  return {
    ...input,
    ...(typeof session === "string" ? { session: await resolveId(cli, session) } : {}),
    ...(typeof wake === "string" ? { wake: await resolveWake(cli, wake) } : {}),
  };
}

export const jsonText = (document: unknown): string => `${JSON.stringify(document, null, 2)}\n`;

/**
 * The command line of an action, derived from its record: what the record calls positional is an argument, the rest
 * are options in kebab case, with the record's own descriptions as help. A new action costs nothing here.
 */
import { realpathSync } from "node:fs";
import { resolve } from "node:path";
import { Argument, Option } from "commander";
import * as z from "zod";
import type { Capability } from "../capabilities/capability.ts";
import { duration, repeated, textsOf, wholeNumber } from "./given.ts";
import type { Given } from "./verb.ts";

export interface CommandLine {
  readonly arguments: Argument[];
  readonly options: Option[];
  /** The input of the action, as far as it was given. */
  readonly decode: (given: Given) => Record<string, unknown>;
}

/** Options that the CLI spells otherwise than the action; `--all` is the short way to say the same. */
const spellings: ReadonlyMap<string, string> = new Map([
  ["projectRoot", "--project"],
  ["launchMode", "--mode"],
  ["addDirs", "--add-dir"],
  ["labels", "--label"],
  ["keys", "--key"],
  ["familiarId", "--familiar, --familiar-id"],
  ["matchText", "--match"],
  ["confirm", "--yes"],
  ["includeArchived", "--all, --include-archived"],
]);

/** Paths are relative to where the CLI runs; the daemon runs elsewhere. `cwd` is relative to the project root. */
const paths: ReadonlySet<string> = new Set(["projectRoot", "addDirs"]);

const plain = z.object({ type: z.string().optional(), enum: z.array(z.string()).optional() });

/** What may also be null is, on a command line, what it is otherwise: null is said by leaving it out. */
const property = plain
  .extend({
    anyOf: z.array(plain).default([]),
    description: z.string().default(""),
    default: z.unknown().optional(),
    maximum: z.number().optional(),
  })
  .transform(({ anyOf, ...shape }) => ({ ...anyOf.find(({ type }) => type !== "null"), ...shape }));
type Property = z.output<typeof property>;

const inputSchema = z.object({
  properties: z.record(z.string(), property).default({}),
  required: z.array(z.string()).default([]),
});

export function commandLineOf({ input, positional = [] }: Capability): CommandLine {
  const { properties, required } = inputSchema.parse(z.toJSONSchema(input, { io: "input" }));
  const entries = Object.entries(properties);
  const inOrder = positional.flatMap((name) => entries.filter(([key]) => key === name));
  const rest = entries.filter(([name]) => !positional.includes(name));
  const options = rest.map(([name, shape]) => ({ name, option: optionOf(name, shape) }));
  return {
    arguments: inOrder.map(([name, shape]) => argumentOf(name, shape, required.includes(name))),
    options: options.map(({ option }) => option),
    decode: (given) => {
      const named = options.map(({ name, option }) => [name, given.options[option.attributeName()]] as const);
      const placed = inOrder.map(([name], index) => [name, given.arguments[index]] as const);
      return Object.fromEntries(
        [...placed, ...named]
          .filter(([, value]) => value !== undefined)
          .map(([name, value]) => [name, paths.has(name) ? absolute(value) : value]),
      );
    },
  };
}

function argumentOf(name: string, { description, type }: Property, isRequired: boolean): Argument {
  const dots = type === "array" ? "..." : "";
  return new Argument(isRequired ? `<${name}${dots}>` : `[${name}${dots}]`, description);
}

function optionOf(name: string, shape: Property): Option {
  const { type, description } = shape;
  const isDuration = type === "integer" && name.endsWith("Ms");
  const flags = spellings.get(name) ?? `--${kebab(isDuration ? name.slice(0, -2) : name)}`;
  if (type === "boolean") return new Option(flags, description);
  if (isDuration) return new Option(`${flags} <time>`, timeHelp(shape)).argParser(duration);
  if (type === "integer") return new Option(`${flags} <number>`, numberHelp(shape)).argParser(wholeNumber);
  if (type === "array")
    return new Option(`${flags} <value>`, `${description} (may be repeated)`).argParser(repeated);
  const option = new Option(`${flags} <value>`, description);
  return shape.enum === undefined ? option : option.choices(shape.enum);
}

/** The action fills its defaults in itself; here they are only shown. */
const numberHelp = ({ description, default: usual }: Property): string =>
  typeof usual === "number" ? `${description} (default: ${usual})` : description;

function timeHelp({ description, default: usual, maximum = longTimeMs }: Property): string {
  const example = maximum < longTimeMs ? `at most ${maximum / 1000}s` : "such as 30s or 5m";
  return `${description}, ${example} (default: ${typeof usual === "number" ? `${usual / 1000}s` : "no limit"})`;
}

/** From here on an example says more than the limit, ms. */
const longTimeMs = 300_000;

const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

const absolute = (value: unknown): unknown =>
  typeof value === "string" ? realPath(value) : textsOf(value).map(realPath);

/** The daemon knows projects by their real path; what does not exist it names itself. */
function realPath(path: string): string {
  const place = resolve(path);
  try {
    return realpathSync(place);
  } catch {
    return place;
  }
}

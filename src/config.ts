/**
 * `$COVEN_HOME/config.json`: what the owner wants otherwise. A setting that is wrong, or unknown, is named with file,
 * key and reason and counts as not given; the others hold.
 */
import { readFileSync, statSync } from "node:fs";
import * as z from "zod";
import type { Home } from "./home.ts";

const daysMax = 36_500;
const sessionsMax = 10_000;
const megabytesMax = 100_000_000;

const config = z.strictObject({
  retention: z
    .strictObject({
      /** A quarter of a year: longer than most people look back, and no log younger than a month goes by age. */
      maxAgeDays: limit("days", daysMax).default(90),
      /** Ten gigabytes of the ledger: more than a hundred floods of output, and little of a disk of today. */
      maxMegabytes: limit("megabytes", megabytesMax).default(10_000),
    })
    .prefault({}),
  /** What sessions may launch, and how many there may be; the reasons stand with the rules, in `runtime/lineage.ts`. */
  limits: z
    .strictObject({
      depth: count(100).default(3),
      children: count(sessionsMax).default(8),
      live: count(sessionsMax).default(32),
      /** Far above what one machine runs at once: it ends a loop, not work. */
      ownersLive: count(sessionsMax).default(1000),
      wakeChain: count(100_000).default(100),
    })
    .prefault({}),
});
export type Config = z.output<typeof config>;

function limit(unit: string, max: number) {
  const error = `must be ${unit} above 0 and at most ${max}, or null for no limit`;
  return z.number({ error }).positive({ error }).max(max, { error }).nullable();
}

function count(max: number) {
  const error = `must be a whole number from 0 to ${max}`;
  return z.int({ error }).min(0, { error }).max(max, { error });
}

export interface Setting {
  /** Its place in the file, `retention.maxAgeDays`. */
  readonly key: string;
  readonly value: number | null;
  readonly source: "default" | "config.json";
}

export interface LoadedConfig {
  readonly config: Config;
  readonly settings: readonly Setting[];
  /** Each names the file, the key and the reason. */
  readonly problems: readonly string[];
  /** False when something that was meant could not be read, and the defaults hold in its place. */
  readonly isWhole: boolean;
}

/** Reads it anew at every call, so that a change counts from the moment it is written. Throws nothing. */
export function loadConfig({ config: file }: Pick<Home, "config">): LoadedConfig {
  const problems: string[] = [];
  let given = readDocument(file, problems);
  let isWhole = problems.length === 0;
  for (;;) {
    const parsed = config.safeParse(given);
    if (parsed.success)
      return { config: parsed.data, settings: settingsOf(parsed.data, given), problems, isWhole };
    isWhole &&= parsed.error.issues.every(({ code }) => code === "unrecognized_keys");
    const wrong = parsed.error.issues.flatMap(placesOf);
    problems.push(
      ...wrong.map(({ path, reason }) => `${file}: ${path.join(".") || "(all of it)"}: ${reason}`),
    );
    given = wrong.reduce((left: unknown, { path }) => without(left, path), given);
  }
}

/** Largest file that is read, bytes: a thousand times what the settings need. */
const fileBytesMax = 1024 * 1024;

function readDocument(file: string, problems: string[]): unknown {
  try {
    const stats = statSync(file);
    if (!stats.isFile()) throw new Error("it is no regular file");
    if (stats.size > fileBytesMax) throw new Error(`it is larger than ${fileBytesMax} bytes`);
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return {};
    const why = error instanceof Error ? error.message : String(error);
    problems.push(`${file}: ${error instanceof SyntaxError ? "not JSON" : "cannot be read"}: ${why}`);
    return {};
  }
}

interface Wrong {
  readonly path: readonly PropertyKey[];
  readonly reason: string;
}

function placesOf(issue: z.core.$ZodIssue): Wrong[] {
  if (issue.code !== "unrecognized_keys") return [{ path: issue.path, reason: issue.message }];
  const reason = "is no setting of Coven";
  return issue.keys.map((key) => ({ path: [...issue.path, key], reason }));
}

/** The document without what stands at the path; where the document itself is wrong nothing of it is left. */
function without(document: unknown, [key, ...rest]: readonly PropertyKey[]): unknown {
  if (key === undefined || typeof document !== "object" || document === null) return {};
  const entries = Object.entries(document).flatMap(([name, value]): [string, unknown][] => {
    if (name !== key) return [[name, value]];
    return rest.length === 0 ? [] : [[name, without(value, rest)]];
  });
  return Object.fromEntries(entries);
}

function settingsOf(effective: Config, given: unknown): Setting[] {
  const has = (document: unknown, key: string): document is Record<string, unknown> =>
    typeof document === "object" && document !== null && Object.hasOwn(document, key);
  return Object.entries(effective).flatMap(([group, values]) =>
    Object.entries(values).map(([name, value]) => ({
      key: `${group}.${name}`,
      value,
      source: has(given, group) && has(given[group], name) ? ("config.json" as const) : ("default" as const),
    })),
  );
}

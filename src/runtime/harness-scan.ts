/**
 * What a harness finds in the user's folders by itself, for clients that show it: standing instructions and skills.
 * It is only looked at, never written. A harness that is not installed, or known by a manifest only, has nothing.
 */
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import type { Environment } from "./environment.ts";

export interface HarnessScan {
  readonly global_instructions: {
    readonly present: boolean;
    readonly path?: string;
    readonly byte_count?: number;
  };
  readonly skills: Skill[];
  readonly warnings: Warning[];
}

interface Skill {
  readonly id: string;
  readonly name: string;
  readonly source: "harness-native";
  readonly harness_id: string;
  readonly path: string;
  readonly description?: string;
  readonly tags: string[];
}

interface Warning {
  readonly kind: "permission_denied";
  readonly path: string;
  readonly message: string;
}

const places: ReadonlyMap<
  string,
  { readonly folder: (env: Environment) => string; readonly instructions: string }
> = new Map([
  [
    "codex",
    { folder: (env) => env["CODEX_HOME"] ?? join(env["HOME"] ?? "/", ".codex"), instructions: "AGENTS.md" },
  ],
  [
    "claude",
    {
      folder: (env) => env["CLAUDE_CONFIG_DIR"] ?? join(env["HOME"] ?? "/", ".claude"),
      instructions: "CLAUDE.md",
    },
  ],
]);

/** Never throws: what cannot be read is a warning. */
export function scanHarness(id: string, env: Environment): HarnessScan {
  const place = places.get(id);
  if (place === undefined) return { global_instructions: { present: false }, skills: [], warnings: [] };
  const folder = place.folder(env);
  const warnings: Warning[] = [];
  const read = <T>(path: string, otherwise: T, reader: (path: string) => T): T => {
    try {
      return existsSync(path) ? reader(path) : otherwise;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      warnings.push({ kind: "permission_denied", path, message });
      return otherwise;
    }
  };
  const skillFolders = read(join(folder, "skills"), [], (path) => readdirSync(path).sort());
  return {
    global_instructions: read<HarnessScan["global_instructions"]>(
      join(folder, place.instructions),
      { present: false },
      (path) => ({
        present: true,
        path,
        byte_count: statSync(path).size,
      }),
    ),
    skills: skillFolders
      .map((name) => join(folder, "skills", name))
      .filter((path) => existsSync(join(path, "SKILL.md")))
      .map((path) => skillOf(id, path, read(join(path, "SKILL.md"), noHead, headOf))),
    warnings,
  };
}

function skillOf(harness: string, path: string, head: ReadonlyMap<string, string>): Skill {
  const description = head.get("description");
  return {
    id: basename(path),
    name: head.get("name") ?? basename(path),
    source: "harness-native",
    harness_id: harness,
    path,
    ...(description === undefined ? {} : { description }),
    tags: [],
  };
}

const noHead: ReadonlyMap<string, string> = new Map();

/** The lines `key: value` between two lines of dashes at the start of a file. */
function headOf(path: string): ReadonlyMap<string, string> {
  const head = /^---\r?\n(.*?)\r?\n---/s.exec(readFileSync(path, "utf8"))?.[1] ?? "";
  const lines = [...head.matchAll(/^(\w+):[ \t]*["']?(.+?)["']?[ \t]*$/gm)];
  return new Map(lines.map(([, key = "", value = ""]) => [key, value]));
}

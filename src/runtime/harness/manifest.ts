/**
 * Adapters that a user declares: `<adapters dir>/*.json` in the published form, keys in snake_case or camelCase. A
 * manifest is configuration that starts programs, so what it says twice, or says and cannot mean, is refused by name
 * instead of guessed; the other adapters go on working.
 *
 * Such a harness runs in a pty in every mode, because nothing is known of what it prints.
 */
import * as z from "zod";
import type { Harness } from "./harness.ts";
import { adapter, type AdapterDeclaration, notices } from "./manifest-declaration.ts";
import { canResume, createManifestPlan } from "./manifest-plan.ts";

export interface Manifest {
  readonly harnesses: Harness[];
  /** Each names the file, the key and the reason. */
  readonly problems: string[];
}

export function parseManifest(text: string, source: string): Manifest {
  const harnesses: Harness[] = [];
  const problems: string[] = [];
  const document = readJson(text);
  if (document instanceof Error) return { harnesses, problems: [`${source}: not JSON: ${document.message}`] };
  const list = z.object({ adapters: z.array(z.unknown()) }).safeParse(document).data?.adapters;
  if (list === undefined) {
    return { harnesses, problems: [`${source}: adapters: a manifest is {"adapters": [ … ]}`] };
  }
  for (const [index, entry] of list.entries()) {
    const place = `${source}: adapters[${index}]`;
    const parsed = adapter.safeParse(withSnakeCaseKeys(entry));
    if (parsed.success) {
      harnesses.push(harnessOf(parsed.data, source));
      problems.push(...notices(parsed.data).map((notice) => `${place}.${notice}`));
    } else {
      problems.push(...parsed.error.issues.map((issue) => `${place}${keyOf(issue.path)}: ${issue.message}`));
    }
  }
  return { harnesses, problems };
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

const keyOf = (path: readonly PropertyKey[]): string =>
  path.map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`)).join("");

/** Keys only; values are left alone. Where both spellings stand, the one that is no known key is reported. */
function withSnakeCaseKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value;
  if (typeof value !== "object" || value === null) return value;
  const renamed = new Map<string, unknown>();
  for (const [key, inner] of Object.entries(value)) {
    const snake = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    renamed.set(Object.hasOwn(value, snake) ? key : snake, withSnakeCaseKeys(inner));
  }
  return Object.fromEntries(renamed);
}

function harnessOf(declaration: AdapterDeclaration, source: string): Harness {
  const label = declaration.label ?? declaration.id;
  return {
    id: declaration.id,
    label,
    executable: declaration.executable,
    modes: ["interactive", "nonInteractive"],
    authOwner: label,
    installHint: declaration.install_hint,
    source,
    plan: createManifestPlan(declaration, label),
    resumes: (mode) => mode === "nonInteractive" && canResume(declaration),
    message: undefined,
    screens: undefined,
    signOfHook: undefined,
  };
}

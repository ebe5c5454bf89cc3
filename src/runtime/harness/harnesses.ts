import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { builtIns } from "./built-ins.ts";
import type { Harness } from "./harness.ts";
import { parseManifest } from "./manifest.ts";
import { isMissing, readTrustedFile, whyUntrusted } from "./trusted-file.ts";

export interface Harnesses {
  readonly harnesses: ReadonlyMap<string, Harness>;
  /** What was wrong with manifests; the harnesses that are left work. */
  readonly problems: readonly string[];
}

/**
 * The built-in harnesses and what the user's manifests add, by id. A manifest decides which program is started, so one
 * that somebody else could have written is not read. Files are taken in the order of their names; the first that
 * takes an id keeps it.
 */
export function loadHarnesses(adaptersDir: string): Harnesses {
  const harnesses = new Map(builtIns.map((harness) => [harness.id, harness]));
  const problems: string[] = [];
  for (const file of manifestFiles(adaptersDir, problems)) {
    const read = readTrustedFile(file, manifestBytesMax);
    if (read.kind === "refused") problems.push(read.problem);
    if (read.kind !== "text") continue;
    const manifest = parseManifest(read.text, file);
    problems.push(...manifest.problems);
    for (const harness of manifest.harnesses) {
      const earlier = harnesses.get(harness.id);
      if (earlier === undefined) harnesses.set(harness.id, harness);
      else problems.push(`${file}: id: ${harness.id} is already taken by ${earlier.source}, which keeps it`);
    }
  }
  return { harnesses, problems };
}

function manifestFiles(directory: string, problems: string[]): string[] {
  try {
    const distrust = whyUntrusted(statSync(directory));
    if (distrust !== undefined) {
      problems.push(`${directory}: untrusted, no manifest in it is read: ${distrust}`);
      return [];
    }
    return readdirSync(directory)
      .filter((name) => name.endsWith(".json") && !name.startsWith("."))
      .sort()
      .map((name) => join(directory, name));
  } catch (error) {
    if (!isMissing(error)) problems.push(`${directory}: cannot be read: ${String(error)}`);
    return [];
  }
}

/** Bytes. A manifest of dozens of adapters has a tenth of it; a larger file is something else. */
const manifestBytesMax = 262_144;

import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  readdirSync,
  statSync,
  type Stats,
} from "node:fs";
import { join } from "node:path";
import { builtIns } from "./built-ins.ts";
import type { Harness } from "./harness.ts";
import { parseManifest } from "./manifest.ts";

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
    const text = readTrusted(file, problems);
    if (text === undefined) continue;
    const manifest = parseManifest(text, file);
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

/** The open file is what is checked and read, and no link is followed, so nothing can be exchanged in between. */
function readTrusted(file: string, problems: string[]): string | undefined {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const stats = fstatSync(descriptor);
    const reason = stats.isFile() ? whyUntrusted(stats) : "it is not a regular file";
    if (reason === undefined && stats.size <= manifestBytesMax) return readFileSync(descriptor, "utf8");
    problems.push(
      `${file}: ${reason === undefined ? `larger than ${manifestBytesMax} bytes` : `untrusted, not read: ${reason}`}`,
    );
  } catch (error) {
    problems.push(`${file}: cannot be read: ${String(error)}`);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
  return undefined;
}

const writableByOthers = 0o022;

/** Root could replace anything anyway, so what root owns is as trusted as one's own. */
function whyUntrusted({ uid, mode }: Stats): string | undefined {
  if (uid !== process.getuid?.() && uid !== 0) return `it belongs to another user (uid ${uid})`;
  if ((mode & writableByOthers) !== 0) return "others can write to it (chmod go-w)";
  return undefined;
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "ENOENT";

/** Reads and writes a file that another program shares with us. */
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { Failure } from "../errors.ts";

/** What stands there; undefined where nothing does. */
export function contentOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    throw unusable(path, "read", cause);
  }
}

/** Whoever reads it meanwhile sees the old text or the new one. A link stays a link, and the mode what it was. */
export function replaceFile(path: string, text: string, newMode: number): void {
  const made = `.coven-${process.pid}`;
  let aside: string | undefined;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const isThere = statSync(path, { throwIfNoEntry: false });
    const place = isThere === undefined ? path : realpathSync(path);
    aside = place + made;
    writeFileSync(aside, text, { mode: newMode, flag: "wx" });
    if (isThere !== undefined) chmodSync(aside, isThere.mode & 0o777);
    renameSync(aside, place);
  } catch (cause) {
    if (aside !== undefined) rmSync(aside, { force: true });
    throw unusable(path, "written", cause);
  }
}

function unusable(path: string, done: string, cause: unknown): Failure {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new Failure("invalid_request", `${path} cannot be ${done}: ${why}`, {
    hint: "Leave out --write to see what belongs in it.",
    details: { path },
    cause,
  });
}

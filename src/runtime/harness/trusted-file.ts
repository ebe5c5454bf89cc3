/** Files that decide what is started, or what an agent is told: one that somebody else could have written is not read. */
import { type Stats, closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";

export type TrustedFile =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "missing" }
  | { readonly kind: "refused"; readonly problem: string };

/** The open file is what is checked and read, and no link is followed, so nothing can be exchanged in between. */
export function readTrustedFile(file: string, bytesMax: number): TrustedFile {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const stats = fstatSync(descriptor);
    const reason = stats.isFile() ? whyUntrusted(stats) : "it is not a regular file";
    if (reason !== undefined) return { kind: "refused", problem: `${file}: untrusted, not read: ${reason}` };
    if (stats.size > bytesMax) return { kind: "refused", problem: `${file}: larger than ${bytesMax} bytes` };
    return { kind: "text", text: readFileSync(descriptor, "utf8") };
  } catch (error) {
    if (isMissing(error)) return { kind: "missing" };
    return { kind: "refused", problem: `${file}: cannot be read: ${String(error)}` };
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

const writableByOthers = 0o022;

/** Root could replace anything anyway, so what root owns is as trusted as one's own. */
export function whyUntrusted({ uid, mode }: Stats): string | undefined {
  if (uid !== process.getuid?.() && uid !== 0) return `it belongs to another user (uid ${uid})`;
  if ((mode & writableByOthers) !== 0) return "others can write to it (chmod go-w)";
  return undefined;
}

export const isMissing = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "ENOENT";

/**
 * The boundary of a session: the directory it may not leave. Both the root and the working directory are resolved
 * through every symbolic link first, so that a link cannot lead out.
 */
import { realpathSync, statSync } from "node:fs";
import { isAbsolute, relative, resolve } from "node:path";
import { Failure } from "../errors.ts";

export interface Place {
  readonly projectRoot: string;
  readonly cwd: string;
}

/** The canonical root and working directory; `cwd` may be relative to the root. Throws `invalid_request`. */
export function resolvePlace(projectRoot: string, cwd: string | undefined): Place {
  const root = canonicalDirectory("projectRoot", projectRoot);
  if (cwd === undefined) return { projectRoot: root, cwd: root };
  return { projectRoot: root, cwd: requireWithin(root, resolve(root, cwd)) };
}

/** The real path of a working directory that exists. Throws `invalid_request` where that is outside of its boundary. */
export function requireWithin(root: string, cwd: string): string {
  const place = canonicalDirectory("cwd", cwd);
  if (isInside(root, place)) return place;
  throw new Failure("invalid_request", `cwd ${place} is outside the project root ${root}`, {
    hint: "Pass a cwd inside the project root, or launch with another project root.",
    details: { cwd: place, projectRoot: root },
  });
}

/** An existing directory as its real path. */
export function canonicalDirectory(argument: string, path: string): string {
  const details = { [argument]: path };
  if (!isAbsolute(path)) {
    throw new Failure("invalid_request", `${argument} must be an absolute path: ${path}`, { details });
  }
  const real = realPath(path);
  if (real === undefined)
    throw new Failure("invalid_request", `${argument} does not exist: ${path}`, { details });
  if (!statSync(real).isDirectory()) {
    throw new Failure("invalid_request", `${argument} is not a directory: ${path}`, { details });
  }
  return real;
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined; // missing, or behind something this user cannot enter: the caller names the path
  }
}

export function isInside(root: string, path: string): boolean {
  const way = relative(root, path);
  return way !== ".." && !way.startsWith("../") && !isAbsolute(way);
}

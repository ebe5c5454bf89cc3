/** The project a run belongs to when none is named: the git root around the working directory, or that itself. */
import { existsSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";

export function gitRootAround(folder: string): string | undefined {
  // `.git` is a folder in a repository and a file in a worktree or submodule; both are a root.
  for (let place = realpathSync(folder); ; place = dirname(place)) {
    if (existsSync(join(place, ".git"))) return place;
    if (place === dirname(place)) return undefined;
  }
}

export const projectAround = (folder: string): string => gitRootAround(folder) ?? realpathSync(folder);

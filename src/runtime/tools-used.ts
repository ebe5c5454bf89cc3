/** What the tools that a structured harness used say: which they were, and which files they touched. */
import { relative } from "node:path";
import type { EventPayload } from "../events.ts";
import type { FileTouched } from "./handoff-packet.ts";

export interface UsedTool {
  readonly name: string;
  readonly input: string;
  readonly state: EventPayload<"tool">["state"];
}

/** Each use once, as it ended, in the order in which they began. */
export function toolsIn(events: readonly EventPayload<"tool">[]): UsedTool[] {
  const used = new Map<string, UsedTool>();
  for (const { toolId, name, state, input } of events)
    used.set(toolId, { name, state, input: input ?? used.get(toolId)?.input ?? "" });
  return [...used.values()];
}

/** Claude Code's tools that write a file; their input in the log is its path. */
const writing: ReadonlySet<string> = new Set(["Edit", "MultiEdit", "Write", "NotebookEdit"]);
/** Codex's, whose input is a list of what was done to which file. */
const codexChange = /^(add|update|delete) (.+)$/;
/** Where the log has shortened an input, it ends so. */
const cutOff = "…";

/** The files that tools were used on and did not fail, in the order of their first use. Commands may have touched others. */
export function filesIn(tools: readonly UsedTool[], projectRoot: string): FileTouched[] {
  const how = new Map<string, Set<string>>();
  const touch = (path: string, what: string): void => {
    if (path.endsWith(cutOff)) return;
    const inside = path.startsWith(`${projectRoot}/`) ? relative(projectRoot, path) : path;
    how.set(inside, (how.get(inside) ?? new Set()).add(what));
  };
  for (const { name, input, state } of tools) {
    if (state === "failed") continue;
    if (writing.has(name) && input !== "") touch(input, name);
    if (name !== "file_change") continue;
    for (const change of input.split(", ")) {
      const [, what, path] = codexChange.exec(change) ?? [];
      if (what !== undefined && path !== undefined) touch(path, what);
    }
  }
  return [...how].map(([path, what]) => ({
    path,
    changedFileArtifactId: null,
    summary: [...what].join(", "),
  }));
}

/** What can be seen of a live session from outside: its screen, its process's own status file, its structured output. */
import { readFile } from "node:fs/promises";
import type { SessionRecord } from "../store/sessions.ts";
import type { Store } from "../store/store.ts";
import type { Environments } from "./environment.ts";
import type { HarnessCatalog } from "./harness-catalog.ts";
import type { ActivitySign } from "./harness/activity-sign.ts";
import { claudeStatusFile, signOfClaudeStatus } from "./harness/claude-status-file.ts";
import type { ScreenPatterns } from "./harness/screen-patterns.ts";
import { type ScreenReading, readScreen } from "./harness/screen-reading.ts";
import type { Screens } from "./screens.ts";

/** What can be seen of a session from outside. */
export interface Sights {
  /** Whether its harness is one that gives signs: its screens are known, and its output in the other modes is structured. */
  readonly givesSigns: (session: SessionRecord) => boolean;
  /** Whether it was given something to do at its launch. */
  readonly hasPrompt: (session: string) => boolean;
  /** Undefined for a screen that is not known. */
  readonly screen: (session: string) => Promise<ScreenReading | undefined>;
  /** What its process's own status file says. */
  readonly statusFile: (session: string) => Promise<ActivitySign | undefined>;
  /** What it has said last in its structured output, after a place in the log. */
  readonly structured: (session: string, afterSeq: number) => ActivitySign | undefined;
}

export interface SightsOptions {
  readonly store: Store;
  readonly harnesses: HarnessCatalog;
  readonly environments: Environments;
  readonly screens: Screens;
}

export function createSights({ store, harnesses, environments, screens }: SightsOptions): Sights {
  const never = new AbortController().signal;
  const patternsOf = ({ harness }: SessionRecord): ScreenPatterns | undefined =>
    harnesses.all().find(({ id }) => id === harness)?.screens;

  return {
    givesSigns: (session) => patternsOf(session) !== undefined,

    hasPrompt: (id) => store.events.lastTyped(id, 0) !== undefined,

    async screen(id) {
      const session = store.sessions.find(id);
      const patterns = session && patternsOf(session);
      const view = patterns && (await screens.read(id, never));
      return view && readScreen(patterns, view);
    },

    async statusFile(id) {
      const pid = store.runs.newest(id)?.pid ?? undefined;
      if (pid === undefined || store.sessions.find(id)?.harness !== "claude") return undefined;
      return signIn(claudeStatusFile(await environments.forSession(id), pid));
    },

    structured(id, afterSeq) {
      const kind = store.events.lastTyped(id, afterSeq);
      if (kind === undefined) return undefined;
      if (kind === "result") return { state: "waiting", evidence: "structured output: result" };
      return { state: "busy", evidence: "structured output" };
    },
  };
}

/** A process that has just started or ended has none. */
async function signIn(path: string): Promise<ActivitySign | undefined> {
  try {
    return signOfClaudeStatus(await readFile(path, "utf8"));
  } catch {
    return undefined;
  }
}

/** What the daemon knows and does, as one value that the composition root makes and hands to the actions. */
import type { Answers } from "./answers.ts";
import type { Activities } from "./activities.ts";
import type { Casts } from "./casts.ts";
import type { Environments } from "./environment.ts";
import type { ExternalSessions } from "./external.ts";
import type { Familiars } from "./familiars.ts";
import type { Handoffs } from "./handoffs.ts";
import type { HarnessCatalog } from "./harness-catalog.ts";
import type { HarnessScan } from "./harness-scan.ts";
import type { StoreState } from "./host/protocol.ts";
import type { Hooks } from "./hooks.ts";
import type { Launches } from "./launches.ts";
import type { Leftovers } from "./leftovers.ts";
import type { LogReader } from "./reading.ts";
import type { Retention } from "./retention.ts";
import type { Rituals } from "./rituals.ts";
import type { Screens } from "./screens.ts";
import type { SessionChanges, SessionChangesAsked } from "./session-changes.ts";
import type { LiveSessions } from "./sessions.ts";
import type { Wakes } from "./wakes.ts";
import type { Watches } from "./watch.ts";
import type { Growth } from "./growth.ts";
import type { Refusal } from "../store/database.ts";
import type { ListFilter, SessionRecord } from "../store/sessions.ts";
import type { Store } from "../store/store.ts";

export interface DaemonIdentity {
  readonly pid: number;
  readonly startedAt: string;
  readonly socket: string;
  /** Where the API is also served on TCP, as `127.0.0.1:4680`. */
  readonly tcp?: string;
}

export interface Runtime {
  readonly version: string;
  readonly daemon: DaemonIdentity;
  readonly harnesses: HarnessCatalog;
  readonly familiars: Familiars;
  readonly environments: Environments;
  readonly sessions: LiveSessions;
  readonly launches: Launches;
  readonly rituals: Rituals;
  readonly leftovers: Leftovers;
  readonly external: ExternalSessions;
  readonly casts: Casts;
  readonly watches: Watches;
  readonly wakes: Wakes;
  readonly answers: Answers;
  readonly reader: LogReader;
  readonly handoffs: Handoffs;
  readonly screens: Screens;
  readonly growth: Growth;
  readonly activities: Activities;
  readonly hooks: Hooks;
  readonly intents: Store["intents"];
  /** Why the store takes no writes now, where the error says so. */
  readonly storeRefusal: (error: unknown) => Refusal | undefined;
  readonly retention: Retention;
  /** What a harness finds in the user's folders when it is launched. */
  readonly scanHarness: (id: string) => HarnessScan;
  /** What a session changed in its project. */
  readonly changesOf: (asked: SessionChangesAsked) => Promise<SessionChanges>;
  readonly listSessions: (filter: ListFilter) => SessionRecord[];
  /** Of one project, or of all. */
  readonly liveCount: (projectRoot?: string) => number;
  /** Whether the log can be written to, as the hosts last said. */
  readonly storeState: () => StoreState;
}

/** What the daemon knows and does, as one value that the composition root makes and hands to the actions. */
import type { Environments } from "./environment.ts";
import type { HarnessCatalog } from "./harness-catalog.ts";
import type { StoreState } from "./host/protocol.ts";
import type { LogReader } from "./reading.ts";
import type { LiveSessions } from "./sessions.ts";
import type { Watches } from "./watch.ts";
import type { Growth } from "./growth.ts";
import type { ListFilter, SessionRecord } from "../store/sessions.ts";

export interface DaemonIdentity {
  readonly pid: number;
  readonly startedAt: string;
  readonly socket: string;
}

export interface Runtime {
  readonly version: string;
  readonly daemon: DaemonIdentity;
  readonly harnesses: HarnessCatalog;
  readonly environments: Environments;
  readonly sessions: LiveSessions;
  readonly watches: Watches;
  readonly reader: LogReader;
  readonly growth: Growth;
  readonly listSessions: (filter: ListFilter) => SessionRecord[];
  readonly liveCount: () => number;
  /** Whether the log can be written to, as the hosts last said. */
  readonly storeState: () => StoreState;
}

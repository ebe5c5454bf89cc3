/** The host processes that a daemon of this home has started and that may still hold runs. */
import type { Ledger } from "./database.ts";
import { statement } from "./rows.ts";

export interface HostRecord {
  readonly pid: number;
  /** The operating system's start time of the process, so that a reused pid is not taken for the host. */
  readonly started_at: string;
  readonly socket: string;
  /** Version of the protocol it speaks. */
  readonly protocol: number;
}

export type Hosts = ReturnType<typeof openHosts>;

export function openHosts({ db }: Ledger) {
  const upsert = statement(
    db,
    "INSERT OR REPLACE INTO hosts (pid, started_at, socket, protocol) VALUES (:pid, :started, :socket, :protocol)",
  );
  const all = statement<HostRecord>(db, "SELECT * FROM hosts");
  const remove = statement(db, "DELETE FROM hosts WHERE pid = :pid");
  return {
    add: (host: HostRecord): void => {
      upsert.run({ pid: host.pid, started: host.started_at, socket: host.socket, protocol: host.protocol });
    },
    all: (): HostRecord[] => all.all(),
    remove: (pid: number): void => {
      remove.run({ pid });
    },
  };
}

/** Everything that is remembered, opened once per process and handed on. */
import { openLedger } from "./database.ts";
import { openEventLog } from "./events.ts";
import { openHosts } from "./hosts.ts";
import { openIntents } from "./intents.ts";
import { openPruning } from "./prune.ts";
import { openRuns } from "./runs.ts";
import { openSessions } from "./sessions.ts";
import { openWakes } from "./wakes.ts";

export type Store = ReturnType<typeof openStore>;

export function openStore(path: string) {
  const ledger = openLedger(path);
  const events = openEventLog(ledger);
  const wakes = openWakes(ledger, events);
  return {
    storeId: ledger.storeId,
    write: ledger.write,
    events,
    sessions: openSessions(ledger, events),
    wakes,
    runs: openRuns(ledger),
    hosts: openHosts(ledger),
    intents: openIntents(ledger),
    writeWhenFree: ledger.writeWhenFree,
    writeDurably: ledger.writeDurably,
    pruning: openPruning(ledger),
    scrub: ledger.scrub,
    writePatiently: ledger.writePatiently,
    close: ledger.close,
  };
}

/** A store with a long past: 10,000 sessions with a million events. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { openStore } from "../src/store/store.ts";

const sessions = 10_000;
const eventsEach = 100;
/** Sessions written in one transaction. */
const atOnce = 100;

export function fillStore(home: string): void {
  const store = openStore(join(home, "ledger.sqlite3"));
  for (let from = 0; from < sessions; from += atOnce)
    store.write(() => {
      for (let number = from; number < from + atOnce; number += 1) fillSession(store, number);
    });
  store.close();
}

function fillSession(store: ReturnType<typeof openStore>, number: number): void {
  const [id, run] = [randomUUID(), randomUUID()];
  const place = { project_root: "/srv/project", cwd: "/srv/project" };
  store.sessions.create(
    {
      id,
      ...place,
      harness: "bench-exits",
      title: `session ${number}`,
      launch_mode: "nonInteractive",
      permission: null,
      model: null,
      add_dirs: [],
      labels: [],
      conversation_id: null,
      familiar_id: null,
    },
    run,
  );
  store.runs.create({ id: run, session: id });
  store.sessions.move({ session: id, run, to: "running" });
  // Two moves before, two rows after.
  for (let line = 0; line < eventsEach - 4; line += 1)
    store.events.appendOutput(id, run, null, Buffer.from(`line ${line} of session ${number}\r\n`));
  store.runs.ended({ id: run, exitCode: 0, signal: null, reason: null });
  store.sessions.move({ session: id, run, to: "completed", exitCode: 0 });
  store.events.append(id, run, "exit", { status: "completed", exitCode: 0 });
}

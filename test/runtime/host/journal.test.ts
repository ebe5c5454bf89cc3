import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { silentLog } from "../../../src/log.ts";
import { type Entry, Journal } from "../../../src/runtime/host/journal.ts";
import { openReserve } from "../../../src/runtime/host/reserve.ts";
import { openStore } from "../../../src/store/store.ts";

function openJournal() {
  const folder = mkdtempSync(join(tmpdir(), "coven-journal-"));
  const path = join(folder, "ledger.sqlite3");
  const store = openStore(path);
  onTestFinished(() => {
    store.close();
    rmSync(folder, { recursive: true });
  });
  store.write(() => {
    const session = {
      id: "s",
      project_root: "/",
      cwd: "/",
      harness: "h",
      title: "t",
      launch_mode: "interactive",
    };
    const rest = {
      permission: null,
      model: null,
      add_dirs: [],
      labels: [],
      conversation_id: null,
      familiar_id: null,
    };
    store.sessions.create({ ...session, ...rest }, "r");
  });
  const told: number[] = [];
  const pressure: boolean[] = [];
  const journal = new Journal(store, silentLog, openReserve(join(folder, "reserve")), {
    grown: (seq) => told.push(seq),
    pressure: (isHigh) => pressure.push(isHigh),
    storeChanged: () => undefined,
  });
  const output = (text: string): Entry => ({
    sessionId: "s",
    bytes: text.length,
    write: () => store.events.appendOutput("s", "r", null, Buffer.from(text)),
  });
  const written = () => store.events.output("s", 0, 10_000).map(({ bytes }) => bytes.toString());
  return { path, journal, output, told, pressure, written };
}

test("while another writer holds the store nothing is lost, doubled or told, and all is written in order after it", async () => {
  const { path, journal, output, told, written } = openJournal();
  const other = new Database(path);
  other.exec("BEGIN IMMEDIATE");
  const settled = [1, 2, 3].map((number) => {
    journal.add(output(`line ${number}`));
    return journal.settled();
  });
  expect(told).toEqual([]);
  other.exec("COMMIT");
  other.close();
  await Promise.all(settled);
  expect(written()).toEqual(["line 1", "line 2", "line 3"]);
  expect(told.length).toBeGreaterThan(0);
});

test("an entry that the store refuses for good holds up none of the others, and none is written twice", async () => {
  const { journal, output, written } = openJournal();
  const refused: Entry = {
    sessionId: "s",
    bytes: 1,
    write: () => {
      throw new Error("never");
    },
  };
  for (const entry of [output("a"), output("b"), refused, output("c")]) journal.add(entry);
  await journal.settled();
  expect(written()).toEqual(["a", "b", "c"]);
});

test("a long queue says so once, and once it is short again", async () => {
  const { path, journal, output, pressure, written } = openJournal();
  const other = new Database(path);
  other.exec("BEGIN IMMEDIATE");
  for (let number = 0; number < 100; number += 1) journal.add(output("x".repeat(16_000)));
  expect(pressure).toEqual([true]);
  other.exec("COMMIT");
  other.close();
  await journal.settled();
  expect(pressure).toEqual([true, false]);
  expect(written()).toHaveLength(100);
});

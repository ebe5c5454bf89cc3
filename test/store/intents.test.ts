import { expect, test } from "vitest";
import Database from "better-sqlite3";
import { join } from "node:path";
import { openStore } from "../../src/store/store.ts";
import { makeHome } from "../support/daemon.ts";

test("an intent that is used again after its day is remembered for a day again", () => {
  const path = join(makeHome(), "ledger.sqlite3");
  const { intents, close } = openStore(path);
  const key = { caller: "owner", action: "prune", id: "nightly" };
  intents.finish(key, "first", null, "1");
  const ledger = new Database(path);
  ledger.prepare("UPDATE intents SET created_at = '2001-01-01T00:00:00.000Z'").run();
  ledger.close();
  expect(intents.find(key)).toBeUndefined();
  intents.finish(key, "second", null, "2");
  expect(intents.find(key)).toMatchObject({ fingerprint: "second", result: "2" });
  close();
});

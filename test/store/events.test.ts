import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openStore } from "../../src/store/store.ts";

const session = {
  project_root: "/project",
  cwd: "/project",
  harness: "shell",
  title: "title",
  launch_mode: "interactive",
  permission: null,
  model: null,
  add_dirs: [],
  labels: [],
  conversation_id: null,
  familiar_id: null,
};

test("rows of a few sessions are found in order among many of others, each once, however small the pages", () => {
  const folder = mkdtempSync(join(tmpdir(), "coven-store-"));
  const store = openStore(join(folder, "ledger.sqlite3"));
  onTestFinished(() => {
    store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const wanted: number[] = [];
  store.write(() => {
    for (const id of ["a", "b", "other"]) store.sessions.create({ ...session, id }, `run-${id}`);
    const say = (id: string): number => store.events.append(id, null, "input", { data: "x".repeat(100) });
    for (let index = 0; index < 12_000; index += 1) {
      say("other");
      if (index % 1000 < 3) wanted.push(say(index % 2 === 0 ? "a" : "b"));
    }
  });
  const first = wanted[0] ?? 0;
  for (const limits of [
    { limit: 2, bytesMax: 1_000_000 },
    { limit: 500, bytesMax: 250 },
    { limit: 500, bytesMax: 1_000_000 },
  ]) {
    const seen: number[] = [];
    for (let seq = first - 1, hasMore = true; hasMore;) {
      const page = store.events.following(["a", "b"], seq, limits);
      seen.push(...page.events.map((event) => event.seq));
      expect(page.seq).toBeGreaterThanOrEqual(page.events.at(-1)?.seq ?? seq);
      ({ seq, hasMore } = page);
    }
    expect(seen).toEqual(wanted);
  }
  const all = { limit: 100_000, bytesMax: 10 ** 9 };
  const seqs: number[] = [];
  for (let seq = 0, hasMore = true; hasMore;) {
    const page = store.events.following(["a", "b", "other"], seq, all);
    seqs.push(...page.events.map((event) => event.seq));
    ({ seq, hasMore } = page);
  }
  expect(seqs).toEqual(Array.from({ length: store.events.lastSeq() }, (_, index) => index + 1));
  expect(store.events.following(["a", "b"], 10 ** 9, { limit: 5, bytesMax: 10 })).toEqual({
    events: [],
    seq: 10 ** 9,
    hasMore: false,
  });
});

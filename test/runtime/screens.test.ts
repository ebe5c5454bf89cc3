/** The terminals of sessions, read while they are printed to. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { Failure } from "../../src/errors.ts";
import { Screens } from "../../src/runtime/screens.ts";
import { type Store, openStore } from "../../src/store/store.ts";

const workerFile = fileURLToPath(new URL("../../dist/serve-screens.js", import.meta.url));
const wanted = new AbortController().signal;

function open() {
  const folder = mkdtempSync(join(tmpdir(), "coven-screens-"));
  const store = openStore(join(folder, "ledger.sqlite3"));
  let rowsRead = 0;
  const counted: Store = {
    ...store,
    events: {
      ...store.events,
      terminal: (...asked) => {
        const rows = store.events.terminal(...asked);
        rowsRead += rows.length;
        return rows;
      },
    },
  };
  const get = (id: string) => {
    const found = store.sessions.find(id);
    if (found === undefined) throw new Failure("session_not_found", id);
    return found;
  };
  const tail = () => {
    throw new Error("nobody asked for a transcript");
  };
  const screens = new Screens({ store: counted, sessions: { get }, reader: { tail }, workerFile });
  onTestFinished(async () => {
    await screens.close();
    store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    screens,
    store,
    rowsRead: () => rowsRead,
    begin: (id: string, mode = "interactive") =>
      store.write(() => store.sessions.create({ ...session, id, launch_mode: mode }, `run-${id}`)),
    print: (id: string, text: string, stream: "stdout" | null = null) =>
      store.write(() => store.events.appendOutput(id, `run-${id}`, stream, Buffer.from(text))),
  };
}

const session = {
  project_root: "/project",
  cwd: "/project",
  harness: "shell",
  title: "title",
  permission: null,
  model: null,
  add_dirs: [],
  labels: [],
  conversation_id: null,
  familiar_id: null,
};

test("a terminal is read as it is drawn now, in its own size", async () => {
  const { screens, store, begin, print } = open();
  begin("one");
  print("one", "❯ \x1b[2msuggested\x1b[m\x1b[?25l");
  store.write(() => store.events.append("one", "run-one", "resize", { columns: 30, rows: 4 }));
  const empty = { text: "", dim: [], inverse: [] };
  expect(await screens.read("one", wanted)).toEqual({
    lines: [{ text: "❯ suggested", dim: [[2, 11]], inverse: [] }, empty, empty, empty],
    columns: 30,
    caret: { row: 1, column: 12, isVisible: false },
    isHalfDrawn: false,
  });
});

test("a session without a terminal has none to read", async () => {
  const { screens, begin, print } = open();
  begin("one", "nonInteractive");
  expect(await screens.read("one", wanted)).toBeUndefined();
  print("one", "text", "stdout");
  expect(await screens.read("one", wanted)).toBeUndefined();
  await expect(screens.read("nobody", wanted)).rejects.toMatchObject({ code: "session_not_found" });
});

test("many that are read in turns are each drawn on from where they were", async () => {
  const { screens, begin, print, rowsRead } = open();
  const ids = Array.from({ length: 20 }, (_, index) => `session-${index}`);
  for (const id of ids) begin(id);
  const firstLines = async () =>
    Promise.all(ids.map(async (id) => (await screens.read(id, wanted))?.lines[0]?.text));
  for (const id of ids) for (let part = 0; part < 40; part += 1) print(id, part === 0 ? id : ".");
  expect(await firstLines()).toEqual(ids.map((id) => id + ".".repeat(39)));
  const before = rowsRead();
  expect(before).toBe(20 * 40);
  for (const id of ids) print(id, "!");
  expect(await firstLines()).toEqual(ids.map((id) => `${id}${".".repeat(39)}!`));
  expect(rowsRead() - before).toBe(20);
});

test("more than are kept are drawn again, and shown right", async () => {
  const { screens, begin, print } = open();
  const ids = Array.from({ length: 40 }, (_, index) => `session-${index}`);
  for (const id of ids) {
    begin(id);
    print(id, id);
  }
  for (let round = 0; round < 2; round += 1)
    for (const id of ids) expect((await screens.read(id, wanted))?.lines[0]?.text).toBe(id);
});

test("nothing is drawn for nobody", async () => {
  const { screens, begin } = open();
  begin("one");
  await expect(screens.read("one", AbortSignal.abort())).rejects.toMatchObject({
    code: "runtime_unavailable",
  });
});

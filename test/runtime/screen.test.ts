/** What a session's terminal shows, drawn from the log. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { screen } from "../../src/capabilities/screen.ts";
import { attachTo } from "../support/attached.ts";
import { type TestDaemon, startDaemon } from "../support/daemon.ts";
import { launchOn, numberedFile } from "../support/lanes.ts";
import { eventsOf, launch } from "../support/launch.ts";

type Daemon = Pick<TestDaemon, "client">;

const look = async ({ client }: Daemon, session: string, args: object = {}) =>
  screen.output.parse(await client.call("screen", { session, ...args }));

/** Set as a title by a lane when everything before is printed: a screen does not show it. */
const drawn = "\u001b]2;drawn\u0007";
const drawnInShell = "printf '\\033]2;drawn\\007'";

/** A lane in a terminal that has printed this, and now echoes what it is given. */
async function showing(daemon: TestDaemon, printed: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "coven-printed-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "printed"), printed);
  const prompt = `stty -echo; cat ${join(folder, "printed")}; ${drawnInShell}; cat`;
  const { id } = await launch(daemon, prompt, { launchMode: "interactive" });
  await untilPrinted(daemon, id, drawn);
  return id;
}

const printedPage = z.object({ dataBase64: z.string(), nextCursor: z.object({ afterSeq: z.int() }) });

/** Answers the seq that the wanted text ends at. */
async function untilPrinted({ client }: Daemon, session: string, wanted: string): Promise<number> {
  for (let printed = "", afterSeq = 0; ;) {
    await client.call("watch", { sessions: [session], until: "output", cursor: String(afterSeq) });
    const page = printedPage.parse(await client.call("output", { session, afterSeq }));
    printed += Buffer.from(page.dataBase64, "base64").toString();
    afterSeq = page.nextCursor.afterSeq;
    if (printed.includes(wanted)) return afterSeq;
  }
}

const numbers = (last: number): string =>
  Array.from({ length: last }, (_, index) => `line ${index + 1}\n`).join("");

const cases: readonly (readonly [title: string, printed: string, text: string])[] = [
  [
    "text stands where the cursor was moved to",
    "\x1b[2J\x1b[3;5Hhere \x1b[31mred\x1b[0m\x1b[1;1Htop",
    "top\n\n    here red",
  ],
  ["what was overwritten is gone", "one two\r\x1b[Kthree\n", "three"],
  ["a cleared screen is empty", "much\ntext\n\x1b[2J\x1b[H", ""],
  ["a full-screen program hides what was there", "shell\n\x1b[?1049h\x1b[Hdialog", "dialog"],
  ["and gives it back", "shell\n\x1b[?1049h\x1b[Hdialog\x1b[?1049l", "shell"],
  ["wide characters take two columns", "漢字\x1b[5Gx\n✅ok\x1b[3G|\n😀\x1b[3G|", "漢字x\n✅|k\n😀|"],
  ["combining characters take none", "e\u0301te\u0301\x1b[4G!", "e\u0301te\u0301!"],
  [
    "what has scrolled out of view is not shown",
    numbers(30),
    numbers(30).split("\n").slice(7, 30).join("\n"),
  ],
];

describe("on a session's screen", () => {
  test.for(cases)("%s", async ([, printed, text]) => {
    const daemon = await startDaemon();
    const id = await showing(daemon, printed);
    expect(await look(daemon, id)).toMatchObject({ kind: "terminal", text, truncated: false });
  });

  test("the caret, the title and the size of the window are told", async () => {
    const daemon = await startDaemon();
    const id = await showing(daemon, "\x1b[5;1HContinue? [y/N] ");
    expect(await look(daemon, id)).toMatchObject({
      text: "\n\n\n\nContinue? [y/N]",
      columns: 80,
      rows: 24,
      caret: { row: 5, column: 17 },
      title: "drawn",
    });
  });

  test("more than a caller wants is cut from the top, never through a character", async () => {
    const daemon = await startDaemon();
    const id = await showing(daemon, "漢字".repeat(15) + "\nend");
    const cut = await look(daemon, id, { maxBytes: 64 });
    expect(cut).toMatchObject({ text: "漢字".repeat(10) + "\nend", truncated: true });
  });

  test("the window has the size that whoever is attached gives it, and had another before", async () => {
    const daemon = await startDaemon();
    const id = await showing(daemon, `${"x".repeat(60)}\n`);
    const person = await attachTo(daemon, id);
    const before = await look(daemon, id);
    person.resize(30, 10);
    person.type("go on\r");
    const after = await untilPrinted(daemon, id, "go on");
    expect(await look(daemon, id)).toMatchObject({
      columns: 30,
      rows: 10,
      text: `${"x".repeat(30)}\n${"x".repeat(30)}\ngo on`,
    });
    expect(after).toBeGreaterThan(before.seq);
    expect(await look(daemon, id, { seq: before.seq })).toEqual(before);
  });
});

describe("a screen", () => {
  test("is shown as it was at an earlier place, and goes on from any place to the next", async () => {
    const daemon = await startDaemon();
    const id = await showing(daemon, "first\n");
    const first = await look(daemon, id);
    const shown = [first];
    for (const word of ["second", "third"]) {
      await daemon.client.call("input", { session: id, data: word, keys: ["enter"] });
      await untilPrinted(daemon, id, word);
      shown.push(await look(daemon, id));
    }
    expect(shown.map(({ text }) => text)).toEqual(["first", "first\nsecond", "first\nsecond\nthird"]);
    for (const each of [...shown].reverse()) expect(await look(daemon, id, { seq: each.seq })).toEqual(each);
    for (const each of shown) expect(await look(daemon, id, { seq: each.seq })).toEqual(each);
  });

  test("answers a cursor from which a watch waits for what is printed next", async () => {
    const daemon = await startDaemon();
    const id = await showing(daemon, "ready> ");
    const { cursor } = await look(daemon, id);
    const watch = { sessions: [id], until: "output", cursor };
    expect(await daemon.client.call("watch", { ...watch, timeoutMs: 30 })).toMatchObject({
      outcome: "waiting",
    });
    await daemon.client.call("input", { session: id, data: "go", keys: ["enter"] });
    expect(await daemon.client.call("watch", watch)).toMatchObject({ outcome: "met" });
  });

  test("of a session that has printed nothing is empty", async () => {
    const daemon = await startDaemon();
    const { id } = await launch(daemon, "cat", { launchMode: "interactive" });
    expect(await look(daemon, id)).toMatchObject({
      kind: "terminal",
      text: "",
      rows: 24,
      caret: { row: 1, column: 1 },
    });
  });

  test("of an ended session is the last one, until it is pruned", async () => {
    const daemon = await startDaemon();
    const { id } = await launch(daemon, "echo goodbye", { launchMode: "interactive" });
    await daemon.client.call("watch", { sessions: [id] });
    expect(await look(daemon, id)).toMatchObject({ text: "goodbye" });
    await daemon.client.call("prune", { olderThanMs: 0 });
    expect(await look(daemon, id)).toMatchObject({ kind: "terminal", text: "", pruned: true });
  });

  test("of a session without a terminal is the end of its transcript", async () => {
    const daemon = await startDaemon();
    const { id } = await launchOn("pipes", daemon, "seq -f 'step %g' 30");
    await daemon.client.call("watch", { sessions: [id] });
    const shown = await look(daemon, id);
    expect(shown).toMatchObject({ kind: "transcript", truncated: true });
    expect(shown.text.trim().split("\n")).toEqual(
      Array.from({ length: 24 }, (_, index) => `step ${index + 7}`),
    );
    expect(shown.caret).toBeUndefined();
  });

  test("at a place where the session was not yet, or the log is not yet, is refused", async () => {
    const daemon = await startDaemon();
    const before = await launch(daemon, "cat", { launchMode: "interactive" });
    const { id } = await launch(daemon, "cat", { launchMode: "interactive" });
    const firstSeq = (await eventsOf(daemon, id))[0]?.seq ?? 0;
    const { seq } = await look(daemon, before.id);
    await expect(look(daemon, id, { seq: firstSeq - 1 })).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining(`begins at ${firstSeq}`),
    });
    await expect(look(daemon, id, { seq: seq + 1000 })).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining("the log ends at"),
    });
    await expect(look(daemon, "nobody")).rejects.toMatchObject({ code: "session_not_found" });
  });

  test("is each session's own, also when several are asked for at once", async () => {
    const daemon = await startDaemon();
    const words = ["ash", "birch", "cedar", "date", "elm", "fir", "gum", "hazel", "ivy", "juniper"];
    const ids = await Promise.all(words.map((word) => showing(daemon, word)));
    const all = async () => (await Promise.all(ids.map((id) => look(daemon, id)))).map(({ text }) => text);
    expect(await all()).toEqual(words);
    const [first = ""] = ids;
    const same = await Promise.all([1, 2, 3].map(() => look(daemon, first)));
    expect(same.map(({ text }) => text)).toEqual(["ash", "ash", "ash"]);
    expect(await all()).toEqual(words);
  });
});

const threadsOf = (pid: number): number => readdirSync(`/proc/${pid}/task`).length;

describe("drawing", () => {
  test("a large log lets the daemon answer everybody else, and the next call costs next to nothing", async () => {
    const daemon = await startDaemon();
    const { path } = numberedFile(20);
    const { id } = await launch(daemon, `cat ${path}`, { launchMode: "interactive" });
    await daemon.client.call("watch", { sessions: [id] });
    await daemon.client.call("health", {});

    const startedAt = performance.now();
    const isDrawn = new AbortController();
    const first = look(daemon, id).finally(() => isDrawn.abort());
    const waits: number[] = [];
    while (!isDrawn.signal.aborted) {
      const askedAt = performance.now();
      await daemon.client.call("health", {});
      waits.push(performance.now() - askedAt);
    }
    const firstMs = performance.now() - startedAt;
    const lines = readFileSync(path, "utf8").trimEnd().split("\n").slice(-23);
    expect((await first).text).toBe(
      lines.map((line) => line.replace(/\x1b\[\d+m/g, "").trimEnd()).join("\n"),
    );
    // Answers kept coming all the while; each alone is far below the whole.
    expect(waits.length).toBeGreaterThan(20);
    expect(Math.max(...waits)).toBeLessThan(firstMs / 4);

    const againAt = performance.now();
    expect(await look(daemon, id)).toEqual(await first);
    expect(performance.now() - againAt).toBeLessThan(firstMs / 4);
  });

  test.runIf(process.platform === "linux")(
    "has no thread before the first call, and keeps no daemon",
    async () => {
      const daemon = await startDaemon();
      const id = await showing(daemon, "hello");
      const before = threadsOf(daemon.pid);
      expect(await look(daemon, id)).toMatchObject({ text: "hello" });
      expect(threadsOf(daemon.pid)).toBeGreaterThan(before);
      await daemon.stop();
      expect(await daemon.exited).toBe(0);
    },
  );
});

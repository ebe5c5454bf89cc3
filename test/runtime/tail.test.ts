/** What a session said, in pages that fit a reader's budget. */
import { describe, expect, test } from "vitest";
import { tail } from "../../src/capabilities/tail.ts";
import { createTranscript } from "../../src/text/transcript.ts";
import { type TestDaemon, startDaemon } from "../support/daemon.ts";
import { allEventsOf, launchOn, numberedFile, transports } from "../support/lanes.ts";
import { launch } from "../support/launch.ts";
import { conversed, ended as hasEnded, wake } from "../support/wakes.ts";

type Daemon = Pick<TestDaemon, "client">;
type Page = ReturnType<typeof tail.output.parse>;

const tailOf = async ({ client }: Daemon, session: string, args: object = {}): Promise<Page> =>
  tail.output.parse(await client.call("tail", { session, ...args }));

/** Every page from a cursor to the end. */
async function pagesFrom(daemon: Daemon, session: string, from: string, maxBytes: number): Promise<Page[]> {
  const pages: Page[] = [];
  for (let cursor = from; ;) {
    const page = await tailOf(daemon, session, { cursor, maxBytes });
    pages.push(page);
    cursor = page.cursor;
    if (!page.more) return pages;
  }
}

const textOf = (pages: readonly Page[]): string => pages.map(({ text }) => text).join("");

/** All that a session said, in one piece. */
async function wholeText(daemon: Daemon, session: string): Promise<string> {
  const transcript = createTranscript();
  const events = await allEventsOf(daemon, session);
  return events.map((event) => transcript.push(event)).join("") + transcript.flush();
}

/** Ends when the lane has ended. */
async function ended(daemon: TestDaemon, script: string, transport: "pty" | "pipes" = "pty") {
  const lane = await launchOn(transport, daemon, script);
  await daemon.client.call("watch", { sessions: [lane.id] });
  return lane;
}

const scripts: readonly (readonly [what: string, script: string])[] = [
  ["short lines", "seq -f 'line %g of many' 400"],
  [
    "colours and a progress bar",
    "for i in $(seq 300); do printf '\\r\\033[32m%s\\033[0m %%' $i; done; echo; echo done",
  ],
  ["characters of several bytes", "for i in $(seq 60); do echo 'äöü 漢字 😀 e\u0301'; done"],
  ["a line much longer than a page", "seq -s ' ' 4000; echo; echo end; printf 'no line end'"],
  ["wide characters in a line longer than a page", "for i in $(seq 400); do printf '漢😀'; done"],
  [
    "a screen drawn word by word",
    "for i in $(seq 200); do printf '\\033[%s;3Hword %s' $((i % 20 + 1)) $i; done",
  ],
  [
    "slow pieces of lines",
    "for i in $(seq 20); do printf 'a\\033['; sleep 0.01; printf '1mb\\033[0m'; [ $((i % 7)) = 0 ] && echo; done",
  ],
  ["nothing", "true"],
];

describe("the pages of what a lane said", () => {
  // All lanes on one daemon, at once: what is shown is of the text, not of how a daemon starts.
  test.for(transports)("are its whole text, within the budget: on %s", async (transport) => {
    const daemon = await startDaemon();
    await Promise.all(scripts.map((each) => requirePages(daemon, each, transport)));
  });
});

async function requirePages(
  daemon: TestDaemon,
  [what, script]: readonly [string, string],
  transport: "pty" | "pipes",
): Promise<void> {
  const { id, cursor } = await ended(daemon, script, transport);
  const whole = await wholeText(daemon, id);
  for (const maxBytes of [64, 1000, 1_000_000]) {
    const pages = await pagesFrom(daemon, id, cursor, maxBytes);
    expect(textOf(pages), what).toBe(whole);
    for (const { text } of pages) {
      expect(Buffer.byteLength(text), what).toBeLessThanOrEqual(maxBytes);
      expect(text, what).not.toContain("\ufffd");
    }
    expect(pages.length > 1, what).toBe(Buffer.byteLength(whole) > maxBytes);
  }
}

describe("tail", () => {
  test("reads a large log in pages to its last byte", async () => {
    const daemon = await startDaemon();
    const { path } = numberedFile(3);
    const { id, cursor } = await ended(daemon, `cat ${path}`);
    const pages = await pagesFrom(daemon, id, cursor, 300_000);
    expect(textOf(pages)).toBe(await wholeText(daemon, id));
    expect(pages.length).toBeLessThan(20);
  });

  test("with a cursor answers only what came after it, and from there on what comes next", async () => {
    const daemon = await startDaemon();
    const { id, cursor } = await launch(daemon, "stty -echo; echo ready; cat", { launchMode: "interactive" });
    const say = async (line: string): Promise<void> => {
      await daemon.client.call("input", { session: id, data: line, keys: ["enter"] });
      await daemon.client.call("watch", { sessions: [id], matchText: line, cursor });
    };
    await daemon.client.call("watch", { sessions: [id], matchText: "ready", cursor });
    const first = await tailOf(daemon, id, { cursor });
    expect(first).toMatchObject({ text: expect.stringMatching(/ready\n$/), more: false });
    await say("one");
    const second = await tailOf(daemon, id, { cursor: first.cursor });
    expect(second).toMatchObject({ text: "one\n", more: false });
    expect(await tailOf(daemon, id, { cursor: second.cursor })).toEqual({ ...second, text: "" });
    await say("two");
    await say("three");
    expect(await tailOf(daemon, id, { cursor: first.cursor })).toMatchObject({ text: "one\ntwo\nthree\n" });
    expect(await tailOf(daemon, id, { cursor: second.cursor })).toMatchObject({ text: "two\nthree\n" });
    const last = await tailOf(daemon, id);
    await say("four");
    expect(await tailOf(daemon, id, { cursor: last.cursor })).toMatchObject({ text: "four\n" });
  });

  test("shows the line being written apart, and gives it once when it has ended", async () => {
    const daemon = await startDaemon();
    const { id, cursor } = await launch(
      daemon,
      "stty -echo; printf '10%%\\r'; read go; printf '50%%\\rDelete it? '; read answer; echo; echo \"said $answer\"",
      { launchMode: "interactive" },
    );
    const press = (data: string) => daemon.client.call("input", { session: id, data, keys: ["enter"] });
    await daemon.client.call("watch", { sessions: [id], matchText: "10%", cursor });
    const started = await tailOf(daemon, id, { cursor });
    expect(started).toMatchObject({ unfinished: "10%", more: false });

    await press("go");
    await daemon.client.call("watch", { sessions: [id], matchText: "Delete it?", cursor });
    const asked = await tailOf(daemon, id, { cursor: started.cursor });
    expect(asked).toMatchObject({ text: "", unfinished: "Delete it? ", more: false });
    // What has been read so far is not met again.
    expect(
      await daemon.client.call("watch", {
        sessions: [id],
        until: "output",
        cursor: asked.cursor,
        timeoutMs: 30,
      }),
    ).toMatchObject({ outcome: "waiting" });

    await press("y");
    await daemon.client.call("watch", { sessions: [id] });
    const done = await tailOf(daemon, id, { cursor: asked.cursor });
    expect(done).toMatchObject({ text: "Delete it? \nsaid y\n", more: false });
    expect(done.unfinished).toBeUndefined();
  });

  test("shows the end of an unfinished line that is longer than the budget", async () => {
    const daemon = await startDaemon();
    const { id, cursor } = await launch(daemon, "stty -echo; printf '%090d? ' 7; read answer", {
      launchMode: "interactive",
    });
    await daemon.client.call("watch", { sessions: [id], matchText: "7?", cursor });
    const pages = await pagesFrom(daemon, id, cursor, 64);
    expect(pages.at(-1)).toMatchObject({ text: "", unfinished: `${"0".repeat(61)}7? `.slice(-64) });
  });

  test("without a cursor says whether something older was left out", async () => {
    const daemon = await startDaemon();
    const { id } = await ended(daemon, "seq 30");
    const end = await tailOf(daemon, id, { lines: 3 });
    expect(end).toMatchObject({ text: "28\n29\n30\n", more: true });
    const all = await tailOf(daemon, id, { lines: 100 });
    expect(all).toMatchObject({ text: await wholeText(daemon, id), more: false });
  });

  test("goes on after a prune with what is left", async () => {
    const daemon = await startDaemon();
    const { id, cursor } = await ended(daemon, "seq -s ' ' 4000; printf 'no line end'");
    const first = await tailOf(daemon, id, { cursor, maxBytes: 1000 });
    expect(first.more).toBe(true);
    await daemon.client.call("prune", { olderThanMs: 0 });
    expect(textOf(await pagesFrom(daemon, id, first.cursor, 1000))).toMatch(/^(\[pruned\] .*\n)?$/);
    expect(textOf(await pagesFrom(daemon, id, cursor, 1000))).toMatch(/^\[pruned\] \d+ events.*\n$/);
  });

  test("refuses a cursor of another store, what is no cursor, and lines beside a cursor", async () => {
    const daemon = await startDaemon();
    const { id, cursor } = await ended(daemon, "echo hello");
    await expect(tailOf(daemon, id, { cursor: "00000000-1" })).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining("another store"),
    });
    for (const wrong of ["yesterday", `${cursor}~1`, `${cursor}~1.2.3.9`, `${cursor}~1.2.3.0x`])
      await expect(tailOf(daemon, id, { cursor: wrong })).rejects.toMatchObject({
        message: expect.stringContaining("not a cursor"),
      });
    await expect(tailOf(daemon, id, { cursor, lines: 3 })).rejects.toMatchObject({
      message: "tail: lines and cursor exclude each other",
    });
  });
});

test("a run that ended in the middle of a line does not share it with the next one", async () => {
  const daemon = await startDaemon();
  const { id, cursor } = await conversed(daemon, "printf 'no line end'");
  await wake(daemon, id, "echo second");
  await hasEnded(daemon, id, 2);
  const text = "> printf 'no line end'\nno line end\n> echo second\nsecond\n";
  expect(await wholeText(daemon, id)).toBe(text);
  expect((await tailOf(daemon, id)).text).toBe(text);
  expect(textOf(await pagesFrom(daemon, id, cursor, 64))).toBe(text);
});

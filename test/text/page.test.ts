/** Pages of text where lines do not end, or are no text: each page goes on, and stays within its budget. */
import { describe, expect, test } from "vitest";
import { type TextPlace, createPage } from "../../src/text/page.ts";
import { noMarks } from "../../src/text/transcript.ts";

interface LogEvent {
  readonly seq: number;
  readonly kind: string;
  readonly payload_json: string;
}

const rowLength = 16 * 1024;

/** A log that holds this, in rows as a host writes them. */
const printedLog = (data: string, stream?: "stdout"): LogEvent[] =>
  Array.from({ length: Math.ceil(data.length / rowLength) }, (_, index) => ({
    seq: 2 * index + 1,
    kind: "output",
    payload_json: JSON.stringify({ data: data.slice(index * rowLength, (index + 1) * rowLength), stream }),
  }));

function pagesOf(log: readonly LogEvent[], maxBytes: number): { texts: string[]; readAgain: number } {
  const texts: string[] = [];
  let readAgain = 0;
  let seen = 0;
  let place: TextPlace = { seq: 1, offset: 0, given: 0, marks: noMarks };
  for (let isMore = true; isMore;) {
    const page = createPage({ seen, place, maxBytes });
    const isWhole = log.filter(({ seq }) => seq >= place.seq).every((event) => page.add(event));
    const shown = page.end(isWhole);
    if (shown.more && shown.text === "") expect(shown.place.seq).toBeGreaterThan(place.seq);
    readAgain = Math.max(readAgain, shown.seen - shown.place.seq);
    expect(Buffer.byteLength(shown.text)).toBeLessThanOrEqual(maxBytes);
    texts.push(shown.text);
    ({ seen, place, more: isMore } = shown);
  }
  return { texts, readAgain };
}

const turning = "\r\x1b[32m⠋\x1b[0m working";

describe("in pages", () => {
  test("a line that never ends is cut now and then, so that little is read again", () => {
    const { texts, readAgain } = pagesOf(printedLog(turning.repeat(40_000) + "\r\x1b[Kdone\n"), 64);
    expect(texts.join("")).toMatch(/^(⠋ working)+done\n$/);
    expect(texts.join("").length).toBeLessThan(200);
    expect(readAgain).toBeLessThan(30);
  });

  test("pictures are passed over, however many follow each other", () => {
    const picture = `\x1bP${"x".repeat(900_000)}\x1b\\`;
    const { texts } = pagesOf(printedLog(`before\n${picture.repeat(10)}after\n`), 1000);
    expect(texts.length).toBeGreaterThan(1);
    expect(texts.join("")).toBe("before\nafter\n");
  });

  test("a line of JSON is passed over however long it is", () => {
    const log = printedLog(`warning\n{"text":"${"{x}".repeat(4_000_000)}"}\nbye\n`, "stdout");
    const { texts } = pagesOf(log, 1000);
    expect(texts.length).toBeGreaterThan(1);
    expect(texts.join("")).toBe("warning\nbye\n");
  });

  test("a message in several rows begins once", () => {
    const said = (seq: number, text: string, more?: true): LogEvent => ({
      seq,
      kind: "message",
      payload_json: JSON.stringify({ role: "user", text, more }),
    });
    const text = "äöü 漢字 ".repeat(200);
    const { texts } = pagesOf([said(1, text, true), said(2, text, true), said(3, text), said(4, "b")], 100);
    expect(texts.join("")).toBe(`> ${text.repeat(3)}\n> b\n`);
    expect(texts.length).toBeGreaterThan(80);
  });
});

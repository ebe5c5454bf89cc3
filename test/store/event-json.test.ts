import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { type EventRow, recordJson, toRecord } from "../../src/store/event-json.ts";

const row = (bytes: Buffer, payload: string | null = null): EventRow => ({
  seq: 7,
  session_id: 'a "session"',
  kind: "output",
  payload,
  bytes,
  created_at: "2026-01-02T03:04:05.678Z",
});

const expectSame = (printed: EventRow): void =>
  expect(recordJson(printed).toString("utf8")).toBe(JSON.stringify(toRecord(printed)));

test("whatever was printed is escaped as JSON in JSON, byte for byte as by JSON itself", () => {
  const everyAscii = Buffer.from(Array.from({ length: 128 }, (_, byte) => byte));
  const texts = ["", '"\\" \\\\ \\"', "\u001b[32m✓ ünï\u2028\u2029 😀\u001b[0m\r\n", "\u007f\u0080\ufeff"];
  for (const bytes of [everyAscii, ...texts.map((text) => Buffer.from(text))]) {
    for (const stream of [null, "stdout", "stderr"]) expectSame(row(bytes, stream));
  }
});

test("what is no text becomes replacement characters, as in the record", () => {
  expectSame(row(Buffer.from([0xe2, 0x9c])));
  for (let times = 0; times < 50; times += 1) expectSame(row(randomBytes(200)));
});

test("a row longer than any before is put together whole", () => {
  expectSame(row(Buffer.alloc(40_000, 1)));
  expectSame(row(Buffer.alloc(10, "x")));
});

test("a row that holds JSON is told as it is", () => {
  expectSame({ ...row(Buffer.alloc(0)), kind: "input", payload: '{"data":"\\"x\\""}', bytes: null });
});

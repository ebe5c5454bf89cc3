import { expect, test } from "vitest";
import { ReplayLog } from "../../src/mcp/replay.ts";

const note = (text: string) => ({ jsonrpc: "2.0" as const, method: "note", params: { text } });
const answer = (id: number) => ({ jsonrpc: "2.0" as const, id, result: {} });

async function replayed(log: ReplayLog, from: string): Promise<unknown[]> {
  const sent: unknown[] = [];
  await log.replayEventsAfter(from, { send: async (_, message) => void sent.push(message) });
  return sent;
}

test("what came after an event is told in order, of its own stream and no other", async () => {
  const log = new ReplayLog();
  const first = await log.storeEvent("a", note("one"));
  await log.storeEvent("b", note("other"));
  await log.storeEvent("a", note("two"));
  expect(log.leftAfter(first)).toBeUndefined();
  const last = await log.storeEvent("a", answer(1));
  expect(await replayed(log, first)).toEqual([note("two"), answer(1)]);
  expect([log.leftAfter(first), log.leftAfter(last)]).toEqual([2, 0]);
  for (const unknown of ["", "1", "99@a", "1@c", "x@a"])
    expect(await log.getStreamIdForEventId(unknown)).toBeUndefined();
});

test("only so much is kept, the newest first, but never the place of a call that still waits", async () => {
  const log = new ReplayLog();
  const waiting = await log.storeEvent("waiting", note("begun"));
  const over = await log.storeEvent("over", answer(1));
  const long = "x".repeat(10_000);
  const flood = await log.storeEvent("flood", note(long));
  for (let count = 0; count < 200; count += 1) await log.storeEvent("flood", note(long));
  // 512 KB of them.
  expect((await replayed(log, flood)).length).toBe(52);
  expect(await log.getStreamIdForEventId(over)).toBeUndefined();
  const small = await log.storeEvent("small", note(""));
  for (let count = 0; count < 2000; count += 1) await log.storeEvent("small", note(""));
  expect((await replayed(log, small)).length).toBe(1024);
  await log.storeEvent("waiting", answer(2));
  expect(await replayed(log, waiting)).toEqual([answer(2)]);
  await log.storeEvent("waiting", note("x".repeat(1_000_000)));
  expect((await replayed(log, waiting)).length).toBe(1);
});

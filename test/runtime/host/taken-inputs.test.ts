import { expect, test } from "vitest";
import { createTakenInputs } from "../../../src/runtime/host/taken-inputs.ts";

test("input under a known key is answered again without being typed again, unless it was refused", async () => {
  const taken = createTakenInputs();
  const typed: string[] = [];
  const type = (text: string) => async () => void typed.push(text);
  await taken.once("a", type("one"));
  await taken.once("a", type("one again"));
  await taken.once(undefined, type("no key"));
  await taken.once(undefined, type("no key"));
  const refusal = new Error("refused");
  await expect(taken.once("b", () => Promise.reject(refusal))).rejects.toBe(refusal);
  await taken.once("b", type("two"));
  expect(typed).toEqual(["one", "no key", "no key", "two"]);
});

test("only so many keys are remembered, the newest", async () => {
  const taken = createTakenInputs();
  const typed: number[] = [];
  const type = (key: number) => taken.once(String(key), async () => void typed.push(key));
  for (let key = 0; key <= 1000; key += 1) await type(key);
  await type(1000);
  await type(0);
  expect(typed.slice(-2)).toEqual([1000, 0]);
});

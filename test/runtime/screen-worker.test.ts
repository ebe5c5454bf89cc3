/** The thread that draws screens: there when it is needed. */
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { ScreenWorker } from "../../src/runtime/screen-worker.ts";

const file = fileURLToPath(new URL("../../dist/serve-screens.js", import.meta.url));

function openWorker(idleMs: number): { worker: ScreenWorker; ended: Promise<void> } {
  let tellEnded: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => (tellEnded = resolve));
  const worker = new ScreenWorker({ file, idleMs, ended: () => tellEnded() });
  onTestFinished(() => worker.end());
  return { worker, ended };
}

const hello = [{ bytes: Buffer.from("hello") }];

test("ends by itself when nobody has asked for a while, and begins anew with an empty screen", async () => {
  const { worker, ended } = openWorker(10);
  await worker.draw(1, hello);
  expect(await worker.show(1)).toMatchObject({ text: "hello" });
  await ended;
  expect(await worker.show(1)).toMatchObject({ text: "" });
});

test("tells those who wait when it is ended", async () => {
  const { worker, ended } = openWorker(60_000);
  const drawing = worker.draw(1, hello);
  const told = expect(drawing).rejects.toMatchObject({ code: "runtime_unavailable" });
  await worker.end();
  await Promise.all([told, ended]);
});

test("tells those who wait when it cannot start", async () => {
  const worker = new ScreenWorker({ file: `${file}.missing`, idleMs: 60_000, ended: () => undefined });
  await expect(worker.draw(1, hello)).rejects.toThrow("Cannot find module");
});

test("lets go of a screen that is closed", async () => {
  const { worker } = openWorker(60_000);
  await worker.draw(1, hello);
  await worker.close(1);
  expect(await worker.show(1)).toMatchObject({ text: "" });
});

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { listProcesses } from "../../src/runtime/host/processes.ts";

const demo = fileURLToPath(new URL("../../examples/demo.mjs", import.meta.url));
/** Six seconds on a quiet machine. */
const demoMsMax = 60_000;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "coven-demo-test-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function startDemo() {
  const child = spawn(process.execPath, [demo], {
    env: { ...process.env, TMPDIR: folder },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let errors = "";
  child.stderr.on("data", (bytes: Buffer) => (errors += bytes.toString("utf8")));
  const ended = once(child, "close").then(() => ({ code: child.exitCode, errors }));
  return { child, lines: createInterface({ input: child.stdout }), ended };
}

/** The demo names its daemon and its host. */
const pidsIn = (text: string): number[] => [...text.matchAll(/process (\d+)/g)].map(([, pid]) => Number(pid));

function expectNothingLeft(text: string): void {
  const pids = pidsIn(text);
  expect(pids).toHaveLength(2);
  const alive = listProcesses().filter(({ pid, state }) => pids.includes(pid) && state !== "zombie");
  expect(alive).toEqual([]);
  expect(readdirSync(folder)).toEqual([]);
}

test(
  "The demo shows a session's whole life and leaves nothing.",
  async () => {
    const { lines, ended } = startDemo();
    let text = "";
    for await (const line of lines) text += `${line}\n`;
    expect(await ended).toEqual({ code: 0, errors: "" });
    for (const command of [
      "daemon start",
      "run apprentice",
      "rejoin",
      "watch",
      "input",
      "tail",
      "events",
      "archive",
      "summon",
      "sacrifice",
      "daemon stop",
    ]) {
      expect(text).toMatch(new RegExp(`\\$ coven ${command}`));
    }
    expect(text).toContain("fix  │ ● The test passes.");
    expect(text).toContain("tidy │ ● Deleted old-greet.mjs.");
    expect(text).toContain("+  return `Hello, ${name}!`;");
    expectNothingLeft(text);
  },
  demoMsMax,
);

test(
  "A demo that is interrupted in the middle says so and leaves nothing either.",
  async () => {
    const { child, lines, ended } = startDemo();
    let text = "";
    let isInterrupted = false;
    for await (const line of lines) {
      text += `${line}\n`;
      if (isInterrupted || !line.includes("│")) continue;
      isInterrupted = child.kill("SIGINT");
    }
    expect((await ended).code).toBe(130);
    expectNothingLeft(text);
  },
  demoMsMax,
);

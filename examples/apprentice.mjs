#!/usr/bin/env node
// A scripted harness: it plays a small coding agent and knows two tasks, to be found in its prompt. Coven starts it in
// the project as `apprentice.mjs [--interactive] -- <prompt>`, on a terminal of its own.
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import { setTimeout as think } from "node:timers/promises";

const prompt = process.argv.at(-1) ?? "";
const task = [
  { word: "fix", work: fixTheGreeting },
  { word: "tidy", work: tidyUp },
].find(({ word }) => prompt.toLowerCase().includes(word));

if (task) await task.work();
else await say("I only know how to fix the greeting and how to tidy up.");
process.exitCode ??= task ? 0 : 2;

async function fixTheGreeting() {
  await say("Running the test first …");
  await say(runTest() ? "It passes already." : "It fails: the greeting forgets the name.");
  const source = readFileSync("greet.mjs", "utf8");
  writeFileSync("greet.mjs", source.replace('"Hello!"', "`Hello, ${name}!`"));
  await say("Edited greet.mjs. Running the test again …");
  const passed = runTest();
  await say(passed ? "The test passes." : "The test still fails.");
  process.exitCode = passed ? 0 : 1;
}

async function tidyUp() {
  await say("greet.mjs is used. old-greet.mjs is not imported by anything.");
  const terminal = createInterface({ input: process.stdin, output: process.stdout, terminal: false });
  const answer = await terminal.question("Delete the old file too? [y/N] ");
  terminal.close();
  if (answer.trim().toLowerCase() === "y") {
    rmSync("old-greet.mjs");
    await say("Deleted old-greet.mjs.");
  } else {
    await say("Left old-greet.mjs where it is.");
  }
  await say("All tidy.");
}

function runTest() {
  return spawnSync(process.execPath, ["greet.test.mjs"], { stdio: "ignore" }).status === 0;
}

/** An agent takes its time; so that it can be watched, this one takes a little. */
async function say(text) {
  await think(250);
  console.log(`\u001b[36m●\u001b[0m ${text}`);
}

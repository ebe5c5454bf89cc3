import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  asked,
  call,
  eventsOf,
  fileAppears,
  fileIn,
  launch,
  payloadsOf,
  processesOf,
  programOf,
  rawOutputOf,
  tailOf,
  watched,
} from "./lane.ts";
import versions from "./programs.json" with { type: "json" };
import { commandThen, launchWork, prompt } from "./work.ts";

/** Whatever number; `expect.any` is typed as any. */
const aNumber: unknown = expect.any(Number);

const programs = [
  {
    harness: "claude",
    version: versions["@anthropic-ai/claude-code"],
    model: "claude-sonnet-4-5",
    tools: ["Read", "Edit", "Bash"],
    costs: { costUsd: aNumber },
  },
  {
    harness: "codex",
    version: versions["@openai/codex"],
    model: "gpt-5.4-of-the-test",
    tools: ["command_execution", "file_change", "command_execution"],
    costs: {},
  },
] as const;

describe.each(programs)("a one-shot lane of $harness", ({ harness, version, model, tools, costs }) => {
  it("edits a file and runs the test under the default permission, and says how it went", async () => {
    const lane = await launchWork(harness);
    const outcome = {
      status: "completed",
      exitCode: 0,
      lastMessage: "The world is greeted.",
      usage: { inputTokens: 40, outputTokens: 80, cachedInputTokens: 0 },
      ...costs,
    };
    const seen = await watched(lane);
    expect(seen).toMatchObject({ met: true, ...outcome });
    expect(seen).not.toHaveProperty("denied");
    expect(fileIn(lane, "greeting.txt")).toBe("hello world\n");
    expect(fileIn(lane, "test-runs.txt")).toBe("test passed\n");
    expect(asked(lane).results.at(-1)).toContain("test passed");
    expect(await call(lane, "status")).toMatchObject({ ...outcome, active: false, pid: null, runs: 1 });
  });

  it("tells what was launched, said and done in typed events, its ending last", async () => {
    const lane = await launchWork(harness, { args: { model } });
    await watched(lane);
    expect(await payloadsOf(lane, "metadata")).toEqual([
      {
        harness,
        path: programOf(harness),
        version,
        launchMode: "nonInteractive",
        permission: "workspace-write",
        cwd: lane.project,
        model,
        pid: aNumber,
      },
    ]);
    expect(asked(lane).model).toBe(model);
    expect(await payloadsOf(lane, "message")).toEqual([
      { role: "user", text: prompt },
      { role: "assistant", text: "I look first." },
      { role: "assistant", text: "The world is greeted." },
    ]);
    const toolMoves = (await payloadsOf(lane, "tool")).map(({ name, state }) => `${name} ${state}`);
    expect(toolMoves).toEqual(tools.flatMap((name) => [`${name} started`, `${name} completed`]));
    expect(await payloadsOf(lane, "result")).toMatchObject([
      { outcome: "success", text: "The world is greeted." },
    ]);
    const [conversation] = await payloadsOf(lane, "conversation");
    expect(await call(lane, "record")).toMatchObject({
      harness_session_id: conversation?.harnessSessionId ?? "missing",
    });
    const last = (await eventsOf(lane)).at(-1);
    expect(last?.kind).toBe("exit");
    expect(await payloadsOf(lane, "exit")).toEqual([{ status: "completed", exitCode: 0 }]);
  });

  it("reads as a conversation, not as JSON", async () => {
    const lane = await launchWork(harness);
    await watched(lane);
    const lines = (await tailOf(lane)).trim().split("\n");
    expect(lines[0]).toBe(`> ${prompt}`);
    expect(lines).toContain("I look first.");
    expect(lines.at(-1)).toBe("The world is greeted.");
    expect(lines.filter((line) => line.startsWith("["))).toHaveLength(tools.length);
    expect(lines.filter((line) => line.includes(`{"`))).toEqual([]);
  });

  it("gives back what it printed byte for byte, each line of it JSON", async () => {
    const { folder, copy } = copyingProgram(harness);
    const lane = await launchWork(harness, { firstOnPath: folder });
    await watched(lane);
    const raw = await rawOutputOf(lane);
    expect(raw.equals(readFileSync(copy))).toBe(true);
    const lines = raw.toString("utf8").trimEnd().split("\n");
    expect(lines.length).toBeGreaterThan(5);
    for (const line of lines) expect(JSON.parse(line)).toHaveProperty("type");
  });

  it("is killed with the command it is running", async () => {
    const turns = (): object[] => commandThen(harness, "echo > begun.txt; sleep 1000", "Never said.");
    const lane = await launch(harness, { turns, prompt });
    await fileAppears(lane, "begun.txt");
    expect(processesOf(lane).length).toBeGreaterThan(1);
    expect(await call(lane, "kill")).toMatchObject({ status: "killed" });
    expect(processesOf(lane)).toEqual([]);
    expect(await watched(lane)).toMatchObject({ status: "killed", exitCode: null });
  });
});

/** A program of that name, to be found first, which keeps a copy of what the real one prints to standard output. */
function copyingProgram(harness: "claude" | "codex"): { folder: string; copy: string } {
  const folder = mkdtempSync(join(tmpdir(), "coven-copying-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const copy = join(folder, "copy.jsonl");
  const program = join(folder, harness);
  writeFileSync(program, `#!/bin/sh\n"${programOf(harness)}" "$@" 2>/dev/null | tee "${copy}"\n`);
  chmodSync(program, 0o755);
  return { folder, copy };
}

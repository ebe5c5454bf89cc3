/** What the next run is launched with, and what becomes of a follow-up that its harness can do nothing with. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { type TestDaemon, startDaemon } from "../support/daemon.ts";
import { makeProject } from "../support/launch.ts";
import { ended, reached, wake, wakesOf } from "../support/wakes.ts";

const conversation = "0191f8ec-b549-7992-9ee7-229f54d7ed6f";

/** A stand-in for a real program: it keeps its arguments, and then does what `rest` says. */
function program(name: "claude" | "codex", rest: string): { path: string; file: string } {
  const folder = mkdtempSync(join(tmpdir(), "coven-programs-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, name);
  const version = name === "claude" ? "2.1.197 (Claude Code)" : "codex-cli 0.169.0";
  writeFileSync(
    file,
    `#!/bin/sh
[ "$1" = --version ] && exec echo "${version}"
for each; do printf '%s\\n' "$each"; done > arguments.txt
echo '{"type":"thread.started","thread_id":"${conversation}"}'
${rest}
`,
  );
  chmodSync(file, 0o755);
  return { path: `${folder}:/usr/bin:/bin`, file };
}

interface Lane {
  readonly id: string;
  readonly project: string;
}

/** A lane of that program that has had its first run. */
async function begun(
  daemon: TestDaemon,
  harness: "claude" | "codex",
  path: string,
  more: object = {},
): Promise<Lane> {
  const project = makeProject();
  const { id } = z
    .object({ id: z.string() })
    .parse(
      await daemon.client.call(
        "run",
        { harness, projectRoot: project, prompt: "begin", ...more },
        { env: { PATH: path } },
      ),
    );
  await ended(daemon, id);
  return { id, project };
}

const argumentsOf = ({ project }: Lane): string[] =>
  readFileSync(join(project, "arguments.txt"), "utf8").trimEnd().split("\n");

const shownMode = (lane: Lane): boolean =>
  argumentsOf(lane).includes("--print") || argumentsOf(lane).includes("exec");

test("codex is resumed with sandbox, approval policy, model and directories stated again", async () => {
  const daemon = await startDaemon();
  const { path } = program("codex", "exit 0");
  const beside = makeProject();
  const lane = await begun(daemon, "codex", path, { model: "gpt-x", addDirs: [beside] });
  await wake(daemon, lane.id, "go on");
  await ended(daemon, lane.id, 2);
  const given = argumentsOf(lane);
  for (const setting of ['approval_policy="never"', 'sandbox_mode="workspace-write"'])
    expect(given).toContain(setting);
  expect(given).toContain(`sandbox_workspace_write.writable_roots=["${beside}"]`);
  expect(given[given.indexOf("--model") + 1]).toBe("gpt-x");
  expect(given.slice(-4)).toEqual(["resume", conversation, "--", "go on"]);
  await wake(daemon, lane.id, "with another", { model: "gpt-y" });
  await ended(daemon, lane.id, 3);
  expect(argumentsOf(lane)).toContain("gpt-y");
  await wake(daemon, lane.id, "as ever");
  await ended(daemon, lane.id, 4);
  expect(argumentsOf(lane)).toContain("gpt-x");
});

test("a session that was interactive is woken interactively, under its permission", async () => {
  const daemon = await startDaemon();
  const { path } = program("claude", "exit 0");
  const lane = await begun(daemon, "claude", path, { launchMode: "interactive", permission: "read-only" });
  expect(shownMode(lane)).toBe(false);
  const asked = await wake(daemon, lane.id, "go on");
  await ended(daemon, lane.id, 2);
  expect(shownMode(lane)).toBe(false);
  const given = argumentsOf(lane);
  expect(given.slice(0, 1)).toEqual(["--resume"]);
  expect(given[given.indexOf("--permission-mode") + 1]).toBe("plan");
  expect(given.slice(-2)).toEqual(["--", "go on"]);
  expect(await wakesOf(daemon, lane.id)).toMatchObject([{ wake: asked.wake, state: "delivered" }]);
});

const unknown = [
  ["claude", "nonInteractive", 'shift 5; echo "No conversation found with session ID: $1" >&2'],
  ["claude", "interactive", 'echo "No conversation found with session ID: $2"'],
  [
    "codex",
    "nonInteractive",
    `echo "Error: no rollout found for thread id ${conversation} (code -32600)" >&2`,
  ],
] as const;

test.each(unknown)(
  "%s, %s, that does not know the conversation any more fails the wake, and says so",
  async (harness, launchMode, says) => {
    const daemon = await startDaemon();
    const { path } = program(harness, `case "$*" in *resume*) ${says}; exit 1;; esac`);
    const lane = await begun(daemon, harness, path, { launchMode });
    const asked = await wake(daemon, lane.id, "go on");
    const { reason } = await reached(daemon, lane.id, asked, "failed");
    expect(reason).toContain("conversation_unknown");
    expect(await ended(daemon, lane.id, 2)).toMatchObject({ status: "failed", exitCode: 1, reason });
    expect(await wakesOf(daemon, lane.id)).toMatchObject([{ state: "failed", reason }]);
  },
);

test("a run that fails over something else has had its message", async () => {
  const daemon = await startDaemon();
  const { path } = program(
    "codex",
    'case "$*" in *resume*) echo "no rollout found for thread id other"; exit 1;; esac',
  );
  const lane = await begun(daemon, "codex", path);
  await wake(daemon, lane.id, "go on");
  await ended(daemon, lane.id, 2);
  expect(await wakesOf(daemon, lane.id)).toMatchObject([{ state: "delivered" }]);
});

test("a program that cannot be executed any more, or is gone, fails the wake with the reason", async () => {
  const daemon = await startDaemon();
  const { path, file } = program("codex", "exit 0");
  const lane = await begun(daemon, "codex", path);
  // Nobody but the system itself sees, when it is to run it, that what this program is loaded by is not there.
  const loaded = readFileSync("/bin/true");
  loaded.write("/gone", loaded.indexOf("/lib64/ld-linux"));
  writeFileSync(file, loaded);
  const unstartable = await wake(daemon, lane.id, "go on");
  expect((await reached(daemon, lane.id, unstartable, "failed")).reason).toContain("launch_failed");
  expect(await ended(daemon, lane.id, 2)).toMatchObject({ status: "failed" });
  rmSync(file);
  expect(existsSync(file)).toBe(false);
  const gone = await wake(daemon, lane.id, "go on");
  expect((await reached(daemon, lane.id, gone, "failed")).reason).toMatch(/codex/);
  expect(await wakesOf(daemon, lane.id)).toMatchObject([{ state: "failed" }, { state: "failed" }]);
});

/** The programs call back at their hooks, beside those that their user has, and nothing of the user's is touched. */
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { StandIn } from "../mock-models/stand-ins.ts";
import { type Lane, call, fileIn, launch, payloadsOf } from "./lane.ts";
import { screenOf } from "./screen.ts";
import { commandThen } from "./work.ts";

const interactive = { launchMode: "interactive" };

/** What the daemon was told, in order. */
const calledBack = ({ daemon }: Lane): string[] =>
  readdirSync(join(daemon.home, "logs"))
    .filter((name) => name.startsWith("daemon"))
    .flatMap((name) => readFileSync(join(daemon.home, "logs", name), "utf8").split("\n"))
    .flatMap((line) => /"evidence":"hook ([^"]+)","msg":"hook called"/.exec(line)?.[1] ?? []);

/** Resolves when it was told so often of that event. */
const told = (lane: Lane, event: string, times = 1): Promise<void> =>
  expect
    .poll(() => calledBack(lane).filter((name) => name === event).length, { timeout: 20_000 })
    .toBeGreaterThanOrEqual(times);

const twoTurns = ["UserPromptSubmit", "Stop", "UserPromptSubmit", "PermissionRequest", "PostToolUse", "Stop"];

const usersHook = "echo called >> users-hook.txt";

it("claude calls back at a prompt, a permission prompt and the end of a turn, and so do its user's own hooks", async () => {
  const settings = JSON.stringify({
    hooks: { Stop: [{ hooks: [{ type: "command", command: usersHook }] }] },
  });
  const prepare = ({ home }: StandIn): void => {
    mkdirSync(join(home, ".claude"));
    writeFileSync(join(home, ".claude/settings.json"), settings);
  };
  const turns = (): object[] => [
    { text: "First-answer." },
    ...commandThen("claude", "echo done > done.txt", "Second-answer."),
  ];
  const lane = await launch("claude", { turns, prompt: "Say something.", args: interactive, prepare });
  const screen = screenOf(lane);
  await screen.shows("First-answer.");
  await told(lane, "Stop");
  await call(lane, "input", { data: "Now do something.", keys: ["enter"] });
  await told(lane, "PermissionRequest");
  await screen.shows("Do you want to proceed?");
  await call(lane, "input", { keys: ["enter"] });
  await told(lane, "Stop", 2);
  await told(lane, "PostToolUse");
  // Nobody waits for what is called behind a tool, so it may come later than what follows it.
  expect(calledBack(lane).sort()).toEqual([...twoTurns].sort());
  expect(calledBack(lane).slice(0, 4)).toEqual(twoTurns.slice(0, 4));
  expect(fileIn(lane, "users-hook.txt")).toBe("called\ncalled\n");
  expect(await screen.shows("Second-answer.")).not.toMatch(/hook \w*\s*(error|failed)|hooks need review/i);

  // It has been given its first conversation; another is known by its hook alone.
  expect(await payloadsOf(lane, "conversation")).toEqual([]);
  await call(lane, "input", { data: "/clear", keys: ["enter"] });
  await expect.poll(() => payloadsOf(lane, "conversation"), { timeout: 20_000 }).toHaveLength(1);
  expect(readFileSync(join(lane.standIn.home, ".claude/settings.json"), "utf8")).toBe(settings);
});

it("codex calls back at a prompt, a permission prompt and the end of a turn, and names its conversation", async () => {
  let before = "";
  const prepare = ({ home }: StandIn): void => {
    const file = join(home, ".codex/config.toml");
    appendFileSync(file, usersCodexHook(file));
    before = readFileSync(file, "utf8");
  };
  const command = { cmd: "echo done > done.txt", sandbox_permissions: "require_escalated" };
  const turns = (): object[] => [
    { text: "First-answer." },
    { tool: "exec_command", input: { ...command, justification: "May it be done?" } },
    { text: "Second-answer." },
  ];
  const lane = await launch("codex", { turns, prompt: "Say something.", args: interactive, prepare });
  const screen = screenOf(lane);
  await screen.shows("First-answer.");
  await told(lane, "Stop");
  await call(lane, "input", { data: "Now do something.", keys: ["enter"] });
  await told(lane, "PermissionRequest");
  await screen.shows("Would you like to run the following command?");
  await call(lane, "input", { keys: ["enter"] });
  await told(lane, "Stop", 2);
  await told(lane, "PostToolUse");
  expect(calledBack(lane).sort()).toEqual([...twoTurns].sort());
  expect(fileIn(lane, "users-hook.txt")).toBe("called\ncalled\n");
  expect(await screen.shows("Second-answer.")).not.toMatch(/hook \w*\s*(error|failed)|hooks need review/i);

  const [first, ...others] = await payloadsOf(lane, "conversation");
  expect(others).toEqual([]);
  const { home } = lane.standIn;
  const rollouts = readdirSync(join(home, ".codex/sessions"), { recursive: true, encoding: "utf8" });
  expect(rollouts.join("\n")).toContain(`-${first?.harnessSessionId ?? "none"}.jsonl`);
  expect(await call(lane, "record")).toMatchObject({ harness_session_id: first?.harnessSessionId });
  // Codex adds what its own screen has shown, behind what stands there.
  expect(readFileSync(join(home, ".codex/config.toml"), "utf8").startsWith(before.trimEnd())).toBe(true);
  expect(readFileSync(join(home, ".codex/config.toml"), "utf8")).not.toContain("session-flags");
  expect(existsSync(join(home, ".codex/hooks.json"))).toBe(false);
});

it("codex is not made to trust a hook of the project that its user has not", async () => {
  const prepare = ({ home, project }: StandIn): void => {
    const file = join(home, ".codex/config.toml");
    appendFileSync(file, usersCodexHook(file));
    mkdirSync(join(project, ".codex"));
    const handler = { type: "command", command: "echo untrusted >> untrusted.txt" };
    writeFileSync(
      join(project, ".codex/hooks.json"),
      JSON.stringify({ hooks: { SessionStart: [{ hooks: [handler] }] } }),
    );
  };
  const turns = (): object[] => [{ text: "Never said." }];
  const lane = await launch("codex", { turns, prompt: "Say something.", args: interactive, prepare });
  // The program's own question, and the user's to answer: neither Coven's hooks nor the trusted one are counted.
  expect(await screenOf(lane).shows("Continue without trusting")).toContain("1 hook is new");
  expect(existsSync(join(lane.project, "untrusted.txt"))).toBe(false);
});

/** A hook that the user has, and has trusted. */
function usersCodexHook(file: string): string {
  const handler = { async: false, command: usersHook, timeout: 600, type: "command" };
  const hash = createHash("sha256")
    .update(JSON.stringify({ event_name: "stop", hooks: [handler] }))
    .digest("hex");
  return [
    "[[hooks.Stop]]",
    "[[hooks.Stop.hooks]]",
    'type = "command"',
    `command = ${JSON.stringify(usersHook)}`,
    `[hooks.state.${JSON.stringify(`${file}:stop:0:0`)}]`,
    `trusted_hash = "sha256:${hash}"`,
    "",
  ].join("\n");
}

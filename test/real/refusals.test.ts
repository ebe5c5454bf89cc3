import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { asked, call, launch, payloadsOf, tailOf, watched } from "./lane.ts";
import { brokenModel, commandThen, prompt } from "./work.ts";

describe("a lane that ends well but was denied what it needed says so", () => {
  const completed = { status: "completed", exitCode: 0, lastMessage: "I could not." };

  it("claude, asking for a tool that the default permission does not allow", async () => {
    const url = "http://127.0.0.1:9/";
    const turns = (): object[] => [
      { tool: "WebFetch", input: { url, prompt: "What is there?" } },
      { text: "I could not." },
    ];
    const lane = await launch("claude", { turns, prompt });
    const denied = [{ tool: "WebFetch", input: url }];
    expect(await watched(lane)).toMatchObject({ ...completed, denied });
    expect(await call(lane, "status")).toMatchObject({ ...completed, denied });
    expect(await tailOf(lane)).toContain(`[denied] WebFetch ${url}\n`);
  });

  it("claude, writing under read-only", async () => {
    const turns = (project: string): object[] => [
      { tool: "Write", input: { file_path: `${project}/new.txt`, content: "new" } },
      { text: "I could not." },
    ];
    const lane = await launch("claude", { turns, prompt, args: { permission: "read-only" } });
    const file = join(lane.project, "new.txt");
    const denied = [{ tool: "Write", input: file }];
    expect(await watched(lane)).toMatchObject({ ...completed, denied });
    expect(await call(lane, "status")).toMatchObject({ ...completed, denied, permission: "read-only" });
    expect(existsSync(file)).toBe(false);
  });

  it("codex, asking to leave its sandbox", async () => {
    const input = { cmd: "true", sandbox_permissions: "require_escalated", justification: "It is needed." };
    const turns = (): object[] => [{ tool: "exec_command", input }, { text: "I could not." }];
    const lane = await launch("codex", { turns, prompt });
    const denied = [{ tool: "exec_command" }];
    expect(await watched(lane)).toMatchObject({ ...completed, denied });
    expect(await call(lane, "status")).toMatchObject({ ...completed, denied });
  });

  it("codex, stopped by its read-only sandbox: only the model is told", async () => {
    const turns = (): object[] => commandThen("codex", "echo > new.txt", "I could not.");
    const lane = await launch("codex", { turns, prompt, args: { permission: "read-only" } });
    const outcome = await watched(lane);
    expect(outcome).toMatchObject(completed);
    expect(outcome).not.toHaveProperty("denied");
    expect(asked(lane).results.at(-1)).toContain("Read-only file system");
    expect(existsSync(join(lane.project, "new.txt"))).toBe(false);
  });
});

it.each(["claude", "codex"] as const)(
  "a lane of %s whose model answers an error fails and shows it",
  async (harness) => {
    const lane = await launch(harness, { turns: brokenModel, prompt });
    const error: unknown = expect.stringContaining("no such luck");
    const failed = { status: "failed", exitCode: 1, error };
    expect(await watched(lane)).toMatchObject(failed);
    expect(await call(lane, "status")).toMatchObject(failed);
    expect(await payloadsOf(lane, "result")).toMatchObject([{ outcome: "error" }]);
    expect(await tailOf(lane)).toMatch(/^\[error\] .*no such luck$/m);
  },
);

/** Each program gives its own shell some of these names, so each is looked for in the other's. */
it.each([
  ["claude", ["CODEX_THREAD_ID", "CODEX_SANDBOX", "CLAUDE_CODE_SSE_PORT"]],
  ["codex", ["CLAUDECODE", "CLAUDE_CODE_SSE_PORT", "CLAUDE_CODE_SESSION_ID"]],
] as const)("%s does not see the agent session that called Coven", async (harness, names) => {
  const outer = Object.fromEntries(names.map((name) => [name, "of-the-caller"]));
  const turns = (): object[] => commandThen(harness, "env", "Seen.");
  const lane = await launch(harness, { turns, prompt, env: { ...outer, CALLERS_OWN: "passes" } });
  await watched(lane);
  const env = asked(lane).results.at(-1)?.split("\n");
  expect(env).toContain("CALLERS_OWN=passes");
  expect(env).toContain(`COVEN_RUN_ID=${lane.runId}`);
  expect(env?.filter((line) => names.some((name) => line.startsWith(`${name}=`)))).toEqual([]);
});

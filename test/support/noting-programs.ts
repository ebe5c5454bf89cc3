/** Stand-ins for the harnesses that leave behind what they were called with. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

export interface NotingPrograms {
  /** What to launch with, so that they are found. */
  readonly env: Readonly<Record<string, string>>;
  /** The arguments of the last run. */
  readonly args: (program: "claude" | "codex") => string[];
  /** What stands behind a flag. */
  readonly after: (program: "claude" | "codex", flag: string) => string | undefined;
}

const thread = "0b8f4c1e-0000-4000-8000-000000000001";

/** What each prints: its conversation, a use of a tool, what it says and the end of its turn. */
const printed = {
  claude: [
    {
      type: "assistant",
      message: {
        content: [
          { type: "tool_use", id: "t1", name: "Edit", input: { file_path: "PROJECT/src/app.ts" } },
          { type: "text", text: "The app is changed, and api_key=abcdefgh12345678 was there." },
        ],
      },
    },
    { type: "user", message: { content: [{ type: "tool_result", tool_use_id: "t1", content: "done" }] } },
    {
      type: "result",
      subtype: "success",
      is_error: false,
      result: "The app is changed.",
      num_turns: 1,
      permission_denials: [{ tool_name: "Bash", tool_input: { command: "git push" } }],
    },
  ],
  codex: [
    { type: "thread.started", thread_id: thread },
    { type: "item.completed", item: { id: "i", type: "agent_message", text: "Looked at it." } },
    { type: "turn.completed", usage: { input_tokens: 1, output_tokens: 1 } },
  ],
} as const;

const versions = { claude: "2.1.197 (Claude Code)", codex: "codex-cli 0.169.0" } as const;

export function notingPrograms(): NotingPrograms {
  const folder = mkdtempSync(join(tmpdir(), "coven-noting-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ["claude", "codex"] as const) {
    const lines = printed[name].map((line) => JSON.stringify(line)).join("\n");
    const file = join(folder, name);
    writeFileSync(
      file,
      `#!/bin/sh
[ "$1" = --version ] && exec echo "${versions[name]}"
printf '%s\\0' "$@" > ${folder}/${name}.args
sed "s|PROJECT|$PWD|" <<'END'
${lines}
END
`,
    );
    chmodSync(file, 0o755);
  }
  const args = (program: string): string[] =>
    readFileSync(join(folder, `${program}.args`), "utf8")
      .split("\0")
      .slice(0, -1);
  return {
    env: { PATH: `${folder}:/usr/bin:/bin` },
    args,
    after: (program, flag) => {
      const given = args(program);
      const at = given.indexOf(flag);
      return at < 0 ? undefined : given[at + 1];
    },
  };
}

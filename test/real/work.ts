/** The same work as each program's model asks for it: greet the world in a file, then run the test. */
import type { StandInHarness } from "../mock-models/stand-ins.ts";
import { type Lane, type LaneRequest, launch } from "./lane.ts";

export const prompt = "Greet the whole world and run the test.";

const patch = `apply_patch <<'EOF'
*** Begin Patch
*** Update File: greeting.txt
@@
-hello
+hello world
*** End Patch
EOF`;

const turns: Readonly<Record<StandInHarness, LaneRequest["turns"]>> = {
  claude: (project) => [
    { text: "I look first.", tool: "Read", input: { file_path: `${project}/greeting.txt` } },
    {
      tool: "Edit",
      input: { file_path: `${project}/greeting.txt`, old_string: "hello", new_string: "hello world" },
    },
    { tool: "Bash", input: { command: "sh ./test.sh", description: "Run the test" } },
    { text: "The world is greeted." },
  ],
  codex: () => [
    { text: "I look first.", tool: "exec_command", input: { cmd: "cat greeting.txt" } },
    { tool: "exec_command", input: { cmd: patch } },
    { tool: "exec_command", input: { cmd: "sh ./test.sh" } },
    { text: "The world is greeted." },
  ],
};

export const workTurns = (harness: StandInHarness, project: string): readonly object[] =>
  turns[harness](project);

export const launchWork = (
  harness: StandInHarness,
  more: Partial<Omit<LaneRequest, "turns" | "prompt">> = {},
): Promise<Lane> => launch(harness, { turns: turns[harness], prompt, ...more });

/** A model that answers nothing but an error. */
export const brokenModel: LaneRequest["turns"] = () => [
  { error: { status: 400, type: "invalid_request_error", message: "no such luck", times: 99 } },
];

/** One turn that runs a command in the harness's shell, and a last word. */
export const commandThen = (harness: StandInHarness, command: string, last: string): object[] => [
  harness === "claude"
    ? { tool: "Bash", input: { command, description: "Run it" } }
    : { tool: "exec_command", input: { cmd: command } },
  { text: last },
];

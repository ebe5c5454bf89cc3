/** Follow-ups to the real programs: the same conversation goes on in a run of its own, with nothing shown twice. */
import { execFile } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import type { StandInHarness } from "../mock-models/stand-ins.ts";
import { ended, inStore, reached, wake, wakesOf } from "../support/wakes.ts";
import {
  type Lane,
  asked,
  call,
  eventsOf,
  fileAppears,
  launch,
  payloadsOf,
  programOf,
  tailOf,
} from "./lane.ts";

const coven = fileURLToPath(new URL("../../bin/coven", import.meta.url));
const harnesses = ["claude", "codex"] as const;

const shell = (harness: StandInHarness, command: string): object =>
  harness === "claude"
    ? { tool: "Bash", input: { command, description: "Run it" } }
    : { tool: "exec_command", input: { cmd: command } };

/** The real program, which leaves the arguments of each of its runs in a file. */
function notingProgram(harness: StandInHarness): { folder: string; runs: () => string[][] } {
  const folder = mkdtempSync(join(tmpdir(), "coven-noting-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const notes = join(folder, "runs.txt");
  const file = join(folder, harness);
  writeFileSync(
    file,
    `#!/bin/sh\n[ "$1" = --version ] || { printf '%s\\n' "$@" -- the end >> "${notes}"; }\nexec "${programOf(harness)}" "$@"\n`,
  );
  chmodSync(file, 0o755);
  return {
    folder,
    runs: () =>
      readFileSync(notes, "utf8")
        .split("--\nthe\nend\n")
        .slice(0, -1)
        .map((run) => run.trimEnd().split("\n")),
  };
}

const permissionOf: Readonly<Record<StandInHarness, (args: readonly string[]) => object>> = {
  claude: (args) => ({ mode: args[args.indexOf("--permission-mode") + 1] }),
  codex: (args) => ({
    sandbox:
      args[args.indexOf("--sandbox") + 1] === "workspace-write" ||
      args.includes('sandbox_mode="workspace-write"'),
    approval: args.includes('approval_policy="never"'),
  }),
};

/** As from another shell: a process of its own that asks and ends. */
async function wakeFromAnotherShell({ daemon, session }: Lane, message: string): Promise<void> {
  const env = { COVEN_HOME: daemon.home, PATH: "/usr/local/bin:/usr/bin:/bin" };
  await promisify(execFile)(coven, ["wake", session, message], { env });
}

describe.each(harnesses)("a lane of %s", (harness) => {
  it("that is woken during a long tool call goes on in the same conversation when that is over, under its permission", async () => {
    const { folder, runs } = notingProgram(harness);
    const turns = (): object[] => [
      shell(harness, "echo > begun.txt; until [ -e go.txt ]; do sleep 0.1; done; echo went on"),
      { text: "The first is done." },
      shell(harness, "echo written > second.txt"),
      { text: "The second is done." },
    ];
    const lane = await launch(harness, { turns, prompt: "Do the first.", firstOnPath: folder });
    await fileAppears(lane, "begun.txt");
    await wakeFromAnotherShell(lane, "Do the second.");
    expect(await wakesOf(lane.daemon, lane.session)).toMatchObject([{ state: "queued" }]);
    writeFileSync(join(lane.project, "go.txt"), "");
    expect(await ended(lane.daemon, lane.session, 2)).toMatchObject({ status: "completed", exitCode: 0 });

    expect(await payloadsOf(lane, "message")).toEqual([
      { role: "user", text: "Do the first." },
      { role: "assistant", text: "The first is done." },
      { role: "user", text: "Do the second." },
      { role: "assistant", text: "The second is done." },
    ]);
    // The model was shown what its tool had said in the run before.
    expect(asked(lane).results.join("\n")).toContain("went on");
    // A run that was not given its permission again could not have written it.
    expect(readFileSync(join(lane.project, "second.txt"), "utf8")).toBe("written\n");
    const permissions = runs().map(permissionOf[harness]);
    expect(permissions).toHaveLength(2);
    expect(permissions[1]).toEqual(permissions[0]);
    const metadata = await payloadsOf(lane, "metadata");
    expect(metadata.map(({ permission }) => permission)).toEqual(["workspace-write", "workspace-write"]);
    const conversations = (await payloadsOf(lane, "conversation")).map(
      ({ harnessSessionId }) => harnessSessionId,
    );
    expect(new Set(conversations).size).toBe(1);
    const tools = (await payloadsOf(lane, "tool")).map(({ state }) => state);
    expect(tools).toEqual(["started", "completed", "started", "completed"]);
    const text = await tailOf(lane);
    for (const once of ["Do the first.", "The first is done.", "Do the second."])
      expect(text.split(once)).toHaveLength(2);
    expect(await call(lane, "status")).toMatchObject({ runs: 2, lastMessage: "The second is done." });
    expect((await eventsOf(lane)).at(-1)?.kind).toBe("exit");
  });

  it("that wakes itself with a delay ends, and is resumed when the time has come", async () => {
    const remind: Readonly<Record<StandInHarness, object[]>> = {
      claude: [
        shell(harness, '"$COVEN_BIN" wake "$COVEN_SESSION_ID" "Look again." --delay 3s'),
        { text: "I wait." },
      ],
      // Its sandbox lets no command reach a socket: it has Coven's tools for that.
      codex: [
        { tool: "mcp__coven__list", input: {} },
        {
          tool: "mcp__coven__wake",
          input: { session: "{{result[0].sessions[0].id}}", message: "Look again.", delay: "3s" },
        },
        { text: "I wait." },
      ],
    };
    const turns = (): object[] => [...remind[harness], { text: "It is done by now." }];
    const lane = await launch(harness, { turns, prompt: "Wait for it.", args: { tools: true } });
    await ended(lane.daemon, lane.session);
    expect(await wakesOf(lane.daemon, lane.session)).toMatchObject([
      { state: "pending", from: lane.session },
    ]);
    expect(await ended(lane.daemon, lane.session, 2)).toMatchObject({ status: "completed", exitCode: 0 });
    expect(await payloadsOf(lane, "message")).toEqual([
      { role: "user", text: "Wait for it." },
      { role: "assistant", text: "I wait." },
      { role: "user", text: "Look again." },
      { role: "assistant", text: "It is done by now." },
    ]);
  });

  it.each(["nonInteractive", "interactive"] as const)(
    "whose program does not know the conversation any more fails the wake, mode %s",
    async (launchMode) => {
      const turns = (): object[] => [{ text: "Said." }, { text: "Never said." }];
      const lane = await launch(harness, { turns, prompt: "Say it." });
      await ended(lane.daemon, lane.session);
      for (const folder of [".claude/projects", ".codex/sessions"]) {
        const path = join(lane.standIn.home, folder);
        if (existsSync(path)) rmSync(path, { recursive: true });
      }
      // Launched so, it would not end by itself.
      inStore(lane.daemon.home, (db) => db.prepare("UPDATE sessions SET launch_mode = ?").run(launchMode));
      const woken = await wake(lane.daemon, lane.session, "Say more.");
      const { reason } = await reached(lane.daemon, lane.session, woken, "failed");
      expect(reason).toContain("conversation_unknown");
      expect(await call(lane, "status")).toMatchObject({ status: "failed", runs: 2 });
    },
  );
});

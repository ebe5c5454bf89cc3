/** How long a harness waits at a hook for `coven hook`, against a node that does nothing. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, readFileSync, watch } from "node:fs";
import { join } from "node:path";
import type { BenchDaemon } from "./daemon.ts";
import type { Measured } from "./report.ts";
import { median, timedInTurns } from "./statistics.ts";

const launcher = join(import.meta.dirname, "../bin/coven");

const event = JSON.stringify({
  session_id: "00000000-0000-4000-8000-000000000000",
  hook_event_name: "PermissionRequest",
  tool_name: "Bash",
  tool_input: { command: "echo done > done.txt", description: "Run it" },
});

export async function hook(daemon: BenchDaemon): Promise<Measured[]> {
  const { home } = daemon;
  const token = await tokenOfRun(daemon);
  const samples = await timedInTurns(
    {
      hook: () => run("/bin/sh", ["-c", `${launcher} hook claude`], { COVEN_HOME: home, COVEN_TOKEN: token }),
      none: () =>
        run("/bin/sh", ["-c", `${launcher} hook claude`], { COVEN_HOME: `${home}/none`, COVEN_TOKEN: "x" }),
      node: () => run(process.execPath, ["-e", "0"], {}),
    },
    { warmUp: 3, turns: 30 },
  );
  const baseline = median(samples.get("node") ?? []);
  return [
    {
      what: "a hook's call of coven hook, p50",
      value: median(samples.get("hook") ?? []),
      baseline,
      unit: "ms",
      limit: { of: "ratio", max: 1.3 },
    },
    {
      what: "the same where no daemon listens, p50",
      value: median(samples.get("none") ?? []),
      baseline,
      unit: "ms",
      limit: { of: "ratio", max: 1.3 },
    },
  ];
}

/** Of a live session whose harness, which has hooks, is played. */
async function tokenOfRun({ client, folder, program, project }: BenchDaemon): Promise<string> {
  cpSync(program("bench-token"), program("claude"));
  const watcher = watch(folder);
  const file = join(folder, "token");
  await client.launch({
    harness: "claude",
    projectRoot: project,
    prompt: `token ${file}`,
    launchMode: "interactive",
  });
  while (!existsSync(file)) await once(watcher, "change");
  watcher.close();
  return readFileSync(file, "utf8");
}

async function run(file: string, args: readonly string[], env: Record<string, string>): Promise<void> {
  const child = spawn(file, args, { env: { ...process.env, ...env }, stdio: ["pipe", "ignore", "inherit"] });
  child.stdin.on("error", () => undefined); // a node that does nothing reads nothing
  child.stdin.end(event);
  await once(child, "exit");
  if (child.exitCode !== 0) throw new Error(`${file} ended with ${child.exitCode ?? "a signal"}`);
}

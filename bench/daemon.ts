/** A daemon of the built Coven in a temporary home, with the bench's own programs as its harnesses. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, connect } from "./client.ts";

export const mainProgram = join(import.meta.dirname, "../dist/main.js");

export interface BenchDaemon {
  readonly client: Client;
  readonly project: string;
  readonly folder: string;
  readonly home: string;
  /** Where a harness's program stands, to be run bare. */
  readonly program: (name: string) => string;
  readonly stop: () => Promise<void>;
}

export async function startDaemon(): Promise<BenchDaemon> {
  const folder = mkdtempSync(join(tmpdir(), "coven-bench-"));
  const home = join(folder, "home");
  const project = join(folder, "project");
  const programs = join(folder, "programs");
  for (const path of [home, project, join(home, "adapters")]) mkdirSync(path, { mode: 0o700 });
  cpSync(join(import.meta.dirname, "programs"), programs, { recursive: true });
  const adapters = readdirSync(programs).map((name) => ({
    id: name,
    executable: name,
    install_hint: "none",
    ...(name === "bench-turns" ? conversing : {}),
  }));
  writeFileSync(join(home, "adapters", "bench.json"), JSON.stringify({ adapters }));
  // Only a harness with structured output runs on pipes, so one of those is played too.
  cpSync(join(programs, "bench-exits"), join(programs, "codex"));

  const env = { ...process.env, COVEN_HOME: home, PATH: `${programs}:${process.env["PATH"] ?? ""}` };
  const { child, client } = await serve(home, env);
  return {
    client,
    project,
    folder,
    home,
    program: (name) => join(programs, name),
    stop: async () => {
      await stop(child, client);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What a harness declares whose conversation can be gone on with. */
const conversing = {
  capabilities: { preassigned_session_id: true },
  continuity_args: {
    init_prefix_args: [],
    session_id_flag: "--id",
    resume_prefix_args: ["--resume"],
  },
};

/** Starts a daemon; resolves with its first answer. */
export async function serve(
  home: string,
  env: NodeJS.ProcessEnv,
): Promise<{ child: ChildProcess; client: Client }> {
  const child = spawn(process.execPath, [mainProgram, "daemon", "serve"], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  await Promise.race([
    once(child.stdout, "data"),
    once(child, "exit").then(() => Promise.reject(new Error("the daemon ended while it started"))),
  ]);
  const client = connect(join(home, "coven.sock"));
  await client.get("/health");
  return { child, client };
}

/** Stops the daemon, which sends its host away before it goes. */
export async function stop(child: ChildProcess, client: Client): Promise<void> {
  const ended = once(child, "exit");
  await client.post("/internal/lifecycle/shutdown", {});
  client.close();
  await ended;
}

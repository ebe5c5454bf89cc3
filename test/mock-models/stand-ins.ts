/**
 * The real Claude Code and Codex programs with a scripted model: a stand-in server on 127.0.0.1 and a throw-away home
 * in which the program finds no dialog to answer, no account and nothing of the user's. Whoever launches the program
 * with `env` (and PATH) gets the scenario, whose format stands in scenario.mjs, and asks no other model.
 *
 * Claude Code refuses `full` to root unless the launcher adds IS_SANDBOX=1, and shows a dialog for it in its TUI.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";

export type StandInHarness = "claude" | "codex";

export interface StandIn {
  readonly port: number;
  /** The directory the harness trusts; the one given, or a fresh one. */
  readonly project: string;
  /** The throw-away home; nothing outside it is read or written by the program. */
  readonly home: string;
  /** All the program needs besides PATH and TERM. */
  readonly env: Readonly<Record<string, string>>;
  /** What the model was asked and what it answered, oldest first. */
  readonly seen: () => readonly object[];
  readonly stop: () => Promise<void>;
}

export async function startStandIn(
  harness: StandInHarness,
  scenario: object,
  projectDir?: string,
): Promise<StandIn> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), `coven-stand-in-${harness}-`)));
  const home = join(folder, "home");
  const project = projectDir === undefined ? join(folder, "project") : realpathSync(projectDir);
  const temporary = join(folder, "tmp");
  for (const directory of [home, project, temporary]) mkdirSync(directory, { recursive: true });
  const scenarioFile = join(folder, "scenario.json");
  const log = join(folder, "seen.jsonl");
  writeFileSync(scenarioFile, JSON.stringify(scenario));
  writeFileSync(log, "");

  const server = fork(serverFile(harness), ["--scenario", scenarioFile, "--log", log], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    execArgv: [],
  });
  const port = await portOf(server);
  return {
    port,
    project,
    home,
    // Codex warns on standard error when its home is below the temporary directory, so it gets another one.
    env: {
      HOME: home,
      TMPDIR: temporary,
      ...(harness === "claude" ? claudeHome : codexHome)(home, project, port),
    },
    seen: () => readFileSync(log, "utf8").split("\n").filter(Boolean).map(parseObject),
    stop: async () => {
      if (server.exitCode === null && server.signalCode === null) {
        const ended = once(server, "exit");
        server.kill();
        await ended;
      }
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

const serverFile = (harness: StandInHarness): string =>
  fileURLToPath(
    new URL(harness === "claude" ? "./mock-anthropic.mjs" : "./mock-openai.mjs", import.meta.url),
  );

const listening = z.object({ port: z.int() });

const portOf = (server: ChildProcess): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once("message", (message) => resolve(listening.parse(message).port));
    server.once("error", reject);
    server.once("exit", () => reject(new Error("the stand-in model server ended before it listened")));
  });

const parseObject = (line: string): object => z.looseObject({}).parse(JSON.parse(line));

const apiKey = "dummy-key-for-the-stand-in-model";

/** No onboarding, no trust dialog, and a key that is already approved (Claude remembers its last 20 characters). */
function claudeHome(home: string, project: string, port: number): Record<string, string> {
  const state = {
    hasCompletedOnboarding: true,
    theme: "dark",
    customApiKeyResponses: { approved: [apiKey.slice(-20)], rejected: [] },
    projects: { [project]: { hasTrustDialogAccepted: true } },
  };
  writeFileSync(join(home, ".claude.json"), JSON.stringify(state));
  return {
    ANTHROPIC_BASE_URL: `http://127.0.0.1:${port}`,
    ANTHROPIC_API_KEY: apiKey,
    DISABLE_TELEMETRY: "1",
    DISABLE_AUTOUPDATER: "1",
    DISABLE_ERROR_REPORTING: "1",
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
  };
}

function codexHome(home: string, project: string, port: number): Record<string, string> {
  const codex = join(home, ".codex");
  mkdirSync(codex);
  const config = [
    `model = "gpt-5.4"`,
    `model_provider = "mock"`,
    `check_for_update_on_startup = false`,
    `[analytics]`,
    `enabled = false`,
    `[model_providers.mock]`,
    `name = "mock"`,
    `base_url = "http://127.0.0.1:${port}/v1"`,
    `env_key = "MOCK_KEY"`,
    `wire_api = "responses"`,
    `request_max_retries = 1`,
    `stream_max_retries = 0`,
    `[projects.${JSON.stringify(project)}]`,
    `trust_level = "trusted"`,
  ];
  writeFileSync(join(codex, "config.toml"), `${config.join("\n")}\n`);
  return { CODEX_HOME: codex, MOCK_KEY: "dummy" };
}

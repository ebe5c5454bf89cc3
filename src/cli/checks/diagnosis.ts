/**
 * What a bug report needs to know, in sections. Each is looked at by itself: a daemon that hangs, a broken home or a
 * log that cannot be read is told in its section and keeps nothing else from being told.
 */
import { accessSync, constants, realpathSync } from "node:fs";
import { arch, platform, release, version } from "node:os";
import { delimiter, join } from "node:path";
import * as z from "zod";
import { capabilities } from "../../capabilities/capabilities.ts";
import { status } from "../../capabilities/status.ts";
import { loadConfig } from "../../config.ts";
import { isAway } from "../../rpc/patience.ts";
import { createAnonymiser } from "./anonymous.ts";
import { answerMsMax } from "../../rpc/client.ts";
import { healthSoon } from "../daemon-process.ts";
import { allChecks } from "../verbs/doctor.ts";
import { recentLogs } from "./recent-logs.ts";
import type { Cli } from "../verb.ts";

export interface Complaint {
  readonly command: string | undefined;
  readonly code: string | undefined;
}

export type Section = readonly [name: string, value: unknown];

/** Everything in it is redacted. */
export async function sectionsOf(cli: Cli, complaint: Complaint): Promise<Section[]> {
  const { where } = cli;
  const looks: [string, () => unknown][] = [
    ["failure", () => complaint],
    ["coven", () => covenOf(cli)],
    ["system", () => ({ platform: platform(), kernel: release(), kernelVersion: version(), arch: arch() })],
    ["home", () => ({ isCustomised: !where.home.isDefault, isNamedByAddress: !where.isOwn })],
    ["daemon", () => daemonOf(cli)],
    ["sessions", () => sessionsOf(cli)],
    ["harnesses", () => harnessesOf(cli)],
    // Where the caller works is nobody's business.
    ["doctor", async () => (await allChecks(cli)).filter(({ name }) => name !== "project")],
  ];
  // Of a daemon that was named by an address neither is known here.
  if (where.isOwn) {
    looks.push(["config", () => configOf(cli)], ["logs", () => recentLogs(where.home.logs)]);
  }
  const anonymous = createAnonymiser(where.home);
  const look = async ([name, see]: [string, () => unknown]): Promise<Section> => {
    try {
      return [name, anonymous(await see())];
    } catch (error) {
      return [name, anonymous({ problem: error instanceof Error ? error.message : String(error) })];
    }
  };
  return Promise.all(looks.map(look));
}

function covenOf({ version, program, env }: Cli): object {
  const install = realpathSync(program);
  const { execPath, versions } = process;
  return {
    version,
    install,
    packageManager: packageManagerOf(install, env["npm_config_user_agent"]),
    node: versions.node,
    nodePath: execPath,
    nodeAbi: versions.modules,
  };
}

const packageManagers = [
  ["pnpm", /\/\.?pnpm\//],
  ["bun", /\/\.bun\//],
  ["yarn", /\/\.?yarn\//],
  ["npm", /\/node_modules\//],
] as const;

/** Each installs into folders of its own; where none of them is on the way, who runs the command may say. */
function packageManagerOf(install: string, userAgent: string | undefined): string {
  const [byPath] = packageManagers.find(([, folder]) => folder.test(install)) ?? [];
  return byPath ?? userAgent?.split("/")[0] ?? "none: run where it was built";
}

async function daemonOf({ client }: Cli): Promise<object> {
  const health = await healthSoon(client);
  if (health === undefined) return { running: false };
  const uptimeSeconds = Math.round((Date.now() - Date.parse(health.daemon.startedAt)) / 1000);
  return { running: true, uptimeSeconds, health };
}

/** Titles are prompts, so they are left out; and so are sessions that others registered under names of their own. */
async function sessionsOf({ client }: Cli): Promise<object> {
  const answer = status.output.parse(
    await client.call("status", {}, { signal: AbortSignal.timeout(answerMsMax) }),
  );
  if (!("live" in answer)) return {};
  const { live, sessions } = answer;
  return {
    live,
    sessions: sessions
      .filter(({ id }) => ownId.safeParse(id).success)
      .map(({ id, harness, status, lastActivityAt }) => ({ id, harness, status, lastActivityAt })),
  };
}

const ownId = z.uuid();

/** As the daemon sees them; without one, what a run from this shell would find. */
async function harnessesOf({ client, env }: Cli): Promise<object> {
  try {
    const signal = AbortSignal.timeout(answerMsMax);
    const { capabilities: records, problems } = capabilities.output.parse(
      await client.call("capabilities", {}, { signal }),
    );
    const harnesses = records
      .filter(({ id }) => id.startsWith("harness."))
      .map(({ id, status, path, modes }) => ({ id, status, path, modes }));
    return { seenBy: "the daemon", harnesses, problems };
  } catch (error) {
    if (!isAway(error)) throw error;
    const harnesses = ["codex", "claude"].map((name) => ({ name, path: onPath(name, env["PATH"]) ?? null }));
    return { seenBy: "this shell", harnesses };
  }
}

const onPath = (name: string, path = ""): string | undefined =>
  path
    .split(delimiter)
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, name))
    .find(isExecutable);

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function configOf({ where }: Cli): object {
  const { settings, problems } = loadConfig(where.home);
  return { settings, problems };
}

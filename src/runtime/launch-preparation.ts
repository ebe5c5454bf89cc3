/** Everything that can be known of a launch before anything is written or started. */
import { randomUUID } from "node:crypto";
import type { NewSession, SessionRecord } from "../store/sessions.ts";
import { redactText } from "../text/redact.ts";
import type { Environment, Environments } from "./environment.ts";
import type { HarnessCatalog } from "./harness-catalog.ts";
import type { Harness, HookCommand, LaunchMode, Permission, ToolServer } from "./harness/harness.ts";
import type { LaunchSpec } from "./host/protocol.ts";
import { childPermission } from "./lineage.ts";
import { canonicalDirectory, resolvePlace } from "./project-root.ts";
import { newRunToken } from "./run-tokens.ts";

/** Longest title, characters: what a list can show. Less of a prompt serves as one when the caller gives none. */
const titleCharactersMax = { given: 500, prompt: 200 } as const;

export interface LaunchInput {
  readonly harness: string;
  readonly projectRoot: string;
  readonly prompt: string;
  readonly cwd?: string | undefined;
  readonly title?: string | undefined;
  readonly model?: string | undefined;
  readonly launchMode: LaunchMode;
  readonly permission?: Permission | undefined;
  readonly addDirs: readonly string[];
  readonly labels: readonly string[];
  readonly conversationId?: string | undefined;
  readonly familiarId?: string | undefined;
  readonly callerFamiliarId?: string | undefined;
  /** The harness's own conversation: the one to resume, or the id a new one is to get. */
  readonly harnessSessionId?: string | undefined;
  readonly resume?: boolean | undefined;
  /** Whether the harness is given Coven's own tools. */
  readonly tools: boolean;
}

export interface Preparation {
  readonly harnesses: HarnessCatalog;
  readonly environments: Environments;
  readonly home: string;
  /** The launcher of Coven, for what runs in a session. */
  readonly bin: string;
}

/** A launch that only has to be written down and handed to a host. */
export interface Prepared {
  readonly session: NewSession;
  readonly tokenHash: string;
  readonly spec: LaunchSpec;
}

/** Throws what keeps it from being launched: nothing has happened then. */
export async function prepare(
  input: LaunchInput,
  from: { readonly env: Environment | undefined; readonly parent: SessionRecord | undefined },
  { harnesses, environments, home, bin }: Preparation,
): Promise<Prepared> {
  const place = resolvePlace(input.projectRoot, input.cwd);
  const addDirs = [...new Set(input.addDirs.map((dir) => canonicalDirectory("addDirs", dir)))];
  const permission = permissionOf(input, { ...place, addDirs }, from.parent);
  const harness = harnesses.get(input.harness);
  const env = await environments.forCaller(from.env);
  const plan = harness.plan({
    mode: input.launchMode,
    prompt: input.prompt,
    model: input.model,
    permission,
    addDirs,
    conversation: {
      kind: input.resume === true ? "resume" : "new",
      id: input.harnessSessionId ?? randomUUID(),
    },
    toolServer: input.tools ? toolServer(bin, place.projectRoot, env) : undefined,
    hook: input.launchMode === "interactive" ? hookOf(harness, bin) : undefined,
  });
  const { file, version } = await harnesses.find(input.harness, env);
  const sessionId = randomUUID();
  const runId = randomUUID();
  const { token, hash } = newRunToken();
  return {
    session: {
      id: sessionId,
      project_root: place.projectRoot,
      cwd: place.cwd,
      harness: input.harness,
      title: redactText(titleOf(input)),
      launch_mode: input.launchMode,
      permission: permission ?? null,
      model: input.model ?? null,
      add_dirs: addDirs,
      labels: input.labels,
      conversation_id: input.conversationId ?? null,
      familiar_id: input.familiarId ?? null,
      caller_familiar_id: input.callerFamiliarId ?? null,
      parent_id: from.parent?.id ?? null,
      depth: (from.parent?.depth ?? 0) + 1,
      tools: input.tools,
    },
    tokenHash: hash,
    spec: {
      runId,
      sessionId,
      harness: input.harness,
      file,
      args: [...plan.args],
      cwd: place.cwd,
      env: {
        ...env,
        COVEN_HOME: home,
        COVEN_BIN: bin,
        COVEN_SESSION_ID: sessionId,
        COVEN_RUN_ID: runId,
        COVEN_TOKEN: token,
        ...(plan.transport === "pty" ? { TERM: "xterm-256color" } : {}),
      },
      transport: plan.transport,
      format: plan.format,
      stdin: plan.stdin,
      prompt: input.prompt,
      harnessSessionId: plan.harnessSessionId,
      version,
      launchMode: input.launchMode,
      permission: permission ?? null,
      model: input.model ?? null,
      endsIdle: input.conversationId !== undefined,
    },
  };
}

function permissionOf(
  { launchMode, permission }: LaunchInput,
  { projectRoot, addDirs }: { readonly projectRoot: string; readonly addDirs: readonly string[] },
  parent: SessionRecord | undefined,
): Permission | undefined {
  if (parent !== undefined) return childPermission(parent, { projectRoot, permission, addDirs });
  return permission ?? (launchMode === "interactive" ? undefined : "workspace-write");
}

/** What a run needs to speak to its Coven, and to be known there. */
const runVariables = ["COVEN_HOME", "COVEN_BIN", "COVEN_SESSION_ID", "COVEN_RUN_ID", "COVEN_TOKEN"] as const;

/** Named in a setting of the harness, so nothing that a shell exports under a stranger name. */
const plainName = /^[A-Za-z_]\w*$/;

/** The server hands what it runs with to what it launches, so that a child finds the login and the PATH of its parent. */
const toolServer = (bin: string, projectRoot: string, env: Environment): ToolServer => ({
  name: "coven",
  command: bin,
  args: ["mcp"],
  variables: [...new Set([...runVariables, ...Object.keys(env)])].filter((name) => plainName.test(name)),
  approved: ["kill"],
  about: `You run as a session of Coven and have its tools (server coven). With run you launch other coding agents,
codex or claude, in this project (projectRoot ${projectRoot}): each does one task and ends. run answers an id and a
cursor; watch with both waits for the end and says how it ended; tail and status show what was said; kill ends one.
Use them where work can be done side by side, and do not end before what you launched has ended or is killed.`,
});

/** The run's variables stand in the environment that harnesses give their hooks. */
const hookOf = ({ id, signOfHook }: Harness, bin: string): HookCommand | undefined =>
  signOfHook && { command: bin, args: ["hook", id] };

const titleOf = ({ title, prompt }: LaunchInput): string =>
  title === undefined
    ? shorten(prompt.trim(), titleCharactersMax.prompt)
    : shorten(title, titleCharactersMax.given);

const shorten = (text: string, charactersMax: number): string =>
  text.length <= charactersMax ? text : `${text.slice(0, charactersMax)}…`;

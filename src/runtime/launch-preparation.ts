/** Everything that can be known of a launch before anything is written or started. */
import { randomUUID } from "node:crypto";
import { relative, resolve } from "node:path";
import { Failure } from "../errors.ts";
import type { NewSession, SessionRecord } from "../store/sessions.ts";
import { redactText } from "../text/redact.ts";
import type { Environment } from "./environment.ts";
import type { Familiars } from "./familiars.ts";
import type { HarnessCatalog } from "./harness-catalog.ts";
import {
  type Harness,
  type HookCommand,
  type LaunchMode,
  type LaunchRequest,
  type Permission,
  type ToolServer,
  launchModes,
  permissions,
} from "./harness/harness.ts";
import type { LaunchSpec } from "./host/protocol.ts";
import { childPermission } from "./lineage.ts";
import { type Place, canonicalDirectory, isInside, requireWithin, resolvePlace } from "./project-root.ts";
import { newRunToken } from "./run-tokens.ts";
import { type WorktreeWanted, isReachable } from "./session-worktrees.ts";

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
  /** Whether the session that launches it is woken when it ends. */
  readonly wakeParent: boolean;
  /** Whether it gets a git worktree and a branch of its own. */
  readonly worktree: boolean;
}

export interface Preparation {
  readonly harnesses: HarnessCatalog;
  readonly familiars: Pick<Familiars, "find">;
  readonly home: string;
  /** The launcher of Coven, for what runs in a session. */
  readonly bin: string;
}

/** A run that only has to be written down and handed to a host. */
export interface PreparedRun {
  /** A coding agent of ours to know, which asks its model before it does anything. */
  readonly isAgent: boolean;
  readonly tokenHash: string;
  readonly spec: LaunchSpec;
}

export interface Prepared extends PreparedRun {
  readonly session: NewSession;
  /** The worktree that is to be made for it. */
  readonly wanted: WorktreeWanted | undefined;
}

/** Throws what keeps it from being launched: nothing has happened then. */
export async function prepare(
  input: LaunchInput,
  from: { readonly env: Environment; readonly parent: SessionRecord | undefined },
  preparation: Preparation,
): Promise<Prepared> {
  const { wanted, worktree, ...place } = placeOf(input, from.parent);
  const addDirs = [...new Set(input.addDirs.map((dir) => canonicalDirectory("addDirs", dir)))];
  const permission = permissionOf(input, { ...place, addDirs }, from.parent);
  if (input.wakeParent && from.parent === undefined) throw nobodyToWake();
  const { harness, launchMode, model, tools, prompt } = input;
  const id = randomUUID();
  const run = await prepareRun(
    {
      session: { ...place, id, harness, launchMode, permission, addDirs, tools, familiar: input.familiarId },
      runId: randomUUID(),
      prompt,
      model,
      conversation: {
        kind: input.resume === true ? "resume" : "new",
        id: input.harnessSessionId ?? randomUUID(),
      },
      endsIdle: input.conversationId !== undefined,
      env: from.env,
    },
    preparation,
  );
  return {
    ...run,
    wanted,
    session: {
      id,
      project_root: place.projectRoot,
      cwd: place.cwd,
      harness,
      title: redactText(titleOf(input)),
      launch_mode: launchMode,
      permission: permission ?? null,
      model: model ?? null,
      add_dirs: addDirs,
      labels: input.labels,
      conversation_id: input.conversationId ?? null,
      familiar_id: input.familiarId ?? null,
      caller_familiar_id: input.callerFamiliarId ?? null,
      parent_id: from.parent?.id ?? null,
      depth: (from.parent?.depth ?? 0) + 1,
      tools,
      wake_parent: input.wakeParent,
      worktree,
    },
  };
}

/**
 * Where it works. To a session in a worktree that worktree is its project, by whichever name: what it launches works
 * there too, and never in the user's own work tree, or in a worktree of its own, and is a session of the project.
 */
function placeOf(
  { projectRoot, cwd, worktree: isWanted }: LaunchInput,
  parent: SessionRecord | undefined,
): Place & Pick<Prepared, "wanted"> & Pick<SessionRecord, "worktree"> {
  const place = resolvePlace(projectRoot, cwd);
  const around = parent?.worktree ?? null;
  if (parent === undefined || around === null) return placed(place, { isWanted, from: place.projectRoot });
  if (isInside(around.path, place.projectRoot)) {
    const there = { projectRoot: parent.project_root, cwd: place.cwd };
    return placed(there, { isWanted, from: around.directory, around });
  }
  if (isWanted || place.projectRoot !== parent.project_root)
    return placed(place, { isWanted, from: place.projectRoot });
  const way = relative(place.projectRoot, place.cwd);
  const there = requireWithin(around.path, resolve(around.directory, way));
  return placed({ ...place, cwd: there }, { isWanted, from: around.directory, around });
}

function placed(
  place: Place,
  { isWanted, from, around = null }: { isWanted: boolean; from: string; around?: SessionRecord["worktree"] },
): ReturnType<typeof placeOf> {
  return isWanted
    ? { ...place, worktree: null, wanted: { from, way: relative(from, place.cwd) } }
    : { ...place, worktree: around, wanted: undefined };
}

/** The same in the worktree that was made for it. */
export const inWorktree = <P extends Prepared>(prepared: P, session: P["session"]): P => ({
  ...prepared,
  session,
  spec: { ...prepared.spec, cwd: session.cwd },
});

export interface Resumption {
  readonly runId: string;
  readonly prompt: string;
  /** If another than the session's own. */
  readonly model: string | undefined;
  readonly env: Environment;
}

/**
 * The next run of an ended session: what it was launched with is stated again, since no harness keeps all of it.
 * Throws `not_resumable` where its conversation cannot be gone on with, and what `prepare` does.
 */
export async function prepareResumed(
  session: SessionRecord,
  { runId, prompt, model, env }: Resumption,
  preparation: Preparation,
): Promise<PreparedRun> {
  const kept = resumable(session, preparation.harnesses);
  return prepareRun(
    {
      session: {
        projectRoot: session.project_root,
        cwd: cwdOf(session),
        id: session.id,
        harness: session.harness,
        launchMode: kept.launchMode,
        permission: permissions.find((each) => each === session.permission),
        addDirs: session.add_dirs.map((dir) => canonicalDirectory("addDirs", dir)),
        tools: session.tools,
        familiar: session.familiar_id ?? undefined,
      },
      runId,
      prompt,
      model: model ?? session.model ?? undefined,
      conversation: { kind: "resume", id: kept.conversation },
      endsIdle: session.conversation_id !== null,
      env,
    },
    preparation,
  );
}

/** Where it worked before. Throws `invalid_request` where that is gone, or no longer in its boundary. */
const cwdOf = ({ project_root, worktree, cwd }: SessionRecord): string =>
  worktree === null ? resolvePlace(project_root, cwd).cwd : requireWithin(worktree.path, cwd);

/** Throws `not_resumable`. */
export function resumable(
  session: SessionRecord,
  harnesses: HarnessCatalog,
): { readonly launchMode: LaunchMode; readonly conversation: string } {
  const launchMode = launchModes.find((mode) => mode === session.launch_mode);
  if (launchMode === undefined || session.external) throw notResumable(session, "it runs outside Coven");
  const { label, resumes } = harnesses.get(session.harness);
  if (!resumes(launchMode)) throw cannotResume(session, label);
  if (session.harness_session_id === null)
    throw notResumable(session, `${label} never told the id of its conversation`);
  if (session.worktree !== null && !isReachable(session.worktree.path))
    throw notResumable(session, `its worktree ${session.worktree.path} is gone`);
  return { launchMode, conversation: session.harness_session_id };
}

/**
 * Of a live session: throws `not_resumable` where its follow-ups could only be the next run's, and there can be none.
 * Which conversation that would go on with it may yet tell.
 */
export function requireResumes(session: SessionRecord, harnesses: HarnessCatalog): void {
  const { label, resumes } = harnesses.get(session.harness);
  if (session.launch_mode === "nonInteractive" && !resumes("nonInteractive"))
    throw cannotResume(session, label);
}

const cannotResume = (session: SessionRecord, label: string): Failure =>
  notResumable(session, `${label} cannot go on with a conversation in mode ${session.launch_mode}`);

const notResumable = ({ id }: SessionRecord, why: string): Failure =>
  new Failure("not_resumable", `session ${id} cannot be woken: ${why}`, {
    hint: "Launch a new session, and tell it what it has to know.",
    details: { sessionId: id },
  });

const nobodyToWake = (): Failure =>
  new Failure(
    "invalid_request",
    "run: wakeParent: the owner launches this, and there is no session to wake",
    {
      hint: "Leave wakeParent out and watch the session; a session may pass it for what it launches.",
    },
  );

interface RunRequest {
  readonly session: {
    readonly id: string;
    readonly projectRoot: string;
    readonly cwd: string;
    readonly harness: string;
    readonly launchMode: LaunchMode;
    readonly permission: Permission | undefined;
    readonly addDirs: readonly string[];
    readonly tools: boolean;
    /** Whose instructions it is given, as they are now. */
    readonly familiar: string | undefined;
  };
  readonly runId: string;
  readonly prompt: string;
  readonly model: string | undefined;
  readonly conversation: LaunchRequest["conversation"];
  readonly endsIdle: boolean;
  readonly env: Environment;
}

async function prepareRun(
  { session, runId, prompt, model, conversation, endsIdle, env }: RunRequest,
  { harnesses, familiars, home, bin }: Preparation,
): Promise<PreparedRun> {
  const { cwd, launchMode, permission, addDirs } = session;
  const harness = harnesses.get(session.harness);
  const plan = harness.plan({
    mode: launchMode,
    prompt,
    model,
    permission,
    addDirs,
    conversation,
    toolServer: session.tools ? toolServer(bin, session, env) : undefined,
    instructions: session.familiar === undefined ? undefined : familiars.find(session.familiar)?.instructions,
    hook: launchMode === "interactive" ? hookOf(harness, bin) : undefined,
  });
  const { file, version } = await harnesses.find(session.harness, env);
  const { token, hash } = newRunToken();
  return {
    isAgent: harness.source === builtIn,
    tokenHash: hash,
    spec: {
      runId,
      sessionId: session.id,
      harness: session.harness,
      file,
      args: [...plan.args],
      cwd,
      env: {
        ...env,
        COVEN_HOME: home,
        COVEN_BIN: bin,
        COVEN_SESSION_ID: session.id,
        COVEN_RUN_ID: runId,
        COVEN_TOKEN: token,
        ...(plan.transport === "pty" ? { TERM: "xterm-256color" } : {}),
      },
      transport: plan.transport,
      format: plan.format,
      stdin: plan.stdin,
      prompt,
      harnessSessionId: plan.harnessSessionId,
      ...(plan.unknownConversation === undefined
        ? {}
        : { unknownConversation: [...plan.unknownConversation] }),
      version,
      launchMode,
      permission: permission ?? null,
      model: model ?? null,
      endsIdle,
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

/** What `Harness.source` says of those that Coven knows itself. */
const builtIn = "built in";

/** What a run needs to speak to its Coven, and to be known there. */
const runVariables = ["COVEN_HOME", "COVEN_BIN", "COVEN_SESSION_ID", "COVEN_RUN_ID", "COVEN_TOKEN"] as const;

/** Named in a setting of the harness, so nothing that a shell exports under a stranger name. */
const plainName = /^[A-Za-z_]\w*$/;

/** The server hands what it runs with to what it launches, so that a child finds the login and the PATH of its parent. */
const toolServer = (bin: string, session: RunRequest["session"], env: Environment): ToolServer => ({
  name: "coven",
  command: bin,
  args: ["mcp"],
  variables: [...new Set([...runVariables, ...Object.keys(env)])].filter((name) => plainName.test(name)),
  approved: ["kill"],
  about: `You run as session ${session.id} of Coven and have its tools (server coven). With run you launch other coding
agents, codex or claude, in this project (projectRoot ${session.projectRoot}): each does one task and ends. run answers
an id and a cursor; watch with both waits for the end and says how it ended; tail and status show what was said; kill
ends one. wake gives a session a follow-up: one that has ended goes on with its conversation. To wait for something
long, do not poll or sleep: wake your own id with a delay (30m) and end; you are resumed then. Use them where work can
be done side by side, and do not end before what you launched has ended or is killed, unless you launched it with
wakeParent: then you are woken when it ends.`,
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

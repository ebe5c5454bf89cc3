/**
 * What Coven knows of a harness: how to launch it in each mode, and how its structured output is read. An adapter is
 * data and pure functions; it never spawns, reads a file or looks at the environment.
 */
import type { TypedEvent } from "../../events.ts";
import type { ScreenPatterns } from "./screen-patterns.ts";
import type { ActivitySign } from "./activity-sign.ts";

export const launchModes = ["interactive", "nonInteractive", "stream"] as const;
export type LaunchMode = (typeof launchModes)[number];

export const permissions = ["read-only", "workspace-write", "full"] as const;
export type Permission = (typeof permissions)[number];

/** Which parser reads the harness's standard output. */
export type OutputFormat = "claude" | "codex";

/**
 * Reads what one harness process prints, one call per line, without its line end. A parser never throws: a line it
 * does not know gives nothing, because the raw output is in the log anyway. It remembers only what one turn needs.
 */
export interface OutputParser {
  /** A line of standard output. */
  readonly line: (text: string) => TypedEvent[];
  /** A line of standard error. It gives no events; what Codex was refused is told there only and joins the result. */
  readonly errorLine: (text: string) => void;
}

/** An MCP server that a harness is to start for itself, beside those of the user. */
export interface ToolServer {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** The environment variables it needs. */
  readonly variables: readonly string[];
  /** Its tools that end something, and are allowed all the same. */
  readonly approved: readonly string[];
  /** What the agent is told of it, a few lines. */
  readonly about: string;
}

/** A program that an interactive harness is to call at its hooks, with the event on standard input, beside the user's own. */
export interface HookCommand {
  readonly command: string;
  readonly args: readonly string[];
}

/** What one call of a hook tells. */
export interface HookSign {
  readonly sign?: ActivitySign;
  /** What is asked, or what is busy because it was asked and is answered: such a sign ends only the question that has the same. */
  readonly about?: string;
  /** The harness's own id of the conversation it is in. */
  readonly conversation?: string;
}

export interface LaunchRequest {
  readonly mode: LaunchMode;
  readonly prompt: string;
  readonly model: string | undefined;
  /** Undefined leaves an interactive harness to its own default. */
  readonly permission: Permission | undefined;
  /** Absolute directories beside the project that the harness may use. */
  readonly addDirs: readonly string[];
  /** A new conversation may be given this id beforehand (a UUID), an older one is resumed by the harness's own id. */
  readonly conversation: { readonly kind: "new" | "resume"; readonly id: string };
  readonly toolServer: ToolServer | undefined;
  /** What the agent is told beside its task: as its own system prompt is added to, or in front of a new conversation. */
  readonly instructions?: string | undefined;
  /** For an interactive launch. */
  readonly hook: HookCommand | undefined;
}

export interface LaunchPlan {
  readonly args: readonly string[];
  readonly transport: "pty" | "pipes";
  /** Written to standard input, which is then closed, except in mode stream. Without it a pipe is closed at once. */
  readonly stdin: string | undefined;
  readonly format: OutputFormat | undefined;
  /** The harness's own conversation id where it can be chosen beforehand. */
  readonly harnessSessionId: string | undefined;
  /** What it prints, and then fails, when it does not know the conversation that it is to go on with. */
  readonly unknownConversation?: readonly string[];
}

export interface Harness {
  readonly id: string;
  readonly label: string;
  /** A bare name, looked up on PATH. */
  readonly executable: string;
  readonly modes: readonly LaunchMode[];
  /** Who owns the login: Coven stores no credentials. */
  readonly authOwner: string;
  readonly installHint: string;
  /** Where the adapter comes from: built in, or the path of its manifest. */
  readonly source: string;
  /**
   * Throws `Failure`: `launch_failed` for a mode it does not have, `invalid_request` for what else it cannot do,
   * `payload_too_large` for the prompt.
   */
  readonly plan: (request: LaunchRequest) => LaunchPlan;
  /** Whether it can go on with an earlier conversation in that mode. */
  readonly resumes: (mode: LaunchMode) => boolean;
  /** In mode stream: what is written to standard input to say a text. Undefined where it has no such mode. */
  readonly message: ((text: string) => string) | undefined;
  /** How its screens in mode interactive look. Undefined where nobody has said. */
  readonly screens: ScreenPatterns | undefined;
  /** What a hook's event tells; undefined for one that tells nothing. Undefined where a harness has no hooks that Coven knows. */
  readonly signOfHook: ((event: unknown) => HookSign | undefined) | undefined;
}

/** Longest prompt given as an argument, bytes. Linux ends a single argument at 128 KiB. */
export const promptArgumentBytesMax = 100_000;

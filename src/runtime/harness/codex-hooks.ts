/**
 * Codex's hooks, given to one launch as configuration. Codex runs no hook that is not trusted, and stops with a dialog
 * for one that it does not know; trust is the hash of the very hook, and may be given with the same configuration. So
 * ours are trusted by themselves, for this launch alone: neither are the user's own, whatever they are, trusted with
 * them, as the flag that bypasses trust would, nor is anything written to the user's files.
 *
 * Measured with 0.169.0: they run beside the user's own and beside `notify`, which is left to the user (it fires for
 * side threads as well, under ids that are none of the conversation's). SessionStart comes with the first prompt, not
 * with the start. A timeout above three seconds of some events is cut to that, and then the hash is another.
 */
import { createHash } from "node:crypto";
import type { HookCommand, HookSign } from "./harness.ts";
import { type HookEvent, answered, asked, said, signOfHook } from "./hook-event.ts";
import { shellLine } from "./hook-command.ts";

const timeoutSeconds = 3;

/** By the name that the hash has for it. Behind a tool the harness need not wait, see `claude-hooks.ts`. */
const events = [
  { name: "SessionStart", label: "session_start", isAsync: false },
  { name: "UserPromptSubmit", label: "user_prompt_submit", isAsync: false },
  { name: "PermissionRequest", label: "permission_request", isAsync: false },
  { name: "PostToolUse", label: "post_tool_use", isAsync: true },
  { name: "Interrupt", label: "interrupt", isAsync: false },
  { name: "Stop", label: "stop", isAsync: false },
] as const;

export function codexHookArgs(hook: HookCommand | undefined): string[] {
  if (hook === undefined) return [];
  const command = shellLine(hook);
  const handlers = events.flatMap(({ name, isAsync }) => [
    "-c",
    `hooks.${name}=[{hooks=[{type="command",command=${toml(command)},timeout=${timeoutSeconds},async=${isAsync}}]}]`,
  ]);
  const trusted = events.map(({ label, isAsync }) => {
    const handler = { async: isAsync, command, timeout: timeoutSeconds, type: "command" };
    return `${toml(placeOf(label))}={trusted_hash=${toml(hashOf({ event_name: label, hooks: [handler] }))}}`;
  });
  return [...handlers, "-c", `hooks.state={${trusted.join(",")}}`];
}

/** Codex's own name of the first hook of an event that was given on its command line. */
const placeOf = (label: string): string => `/<session-flags>/config.toml:${label}:0:0`;

/** Of the JSON with its keys in order, as they are written above. */
const hashOf = (hook: object): string =>
  `sha256:${createHash("sha256").update(JSON.stringify(hook)).digest("hex")}`;

/** A string is written in TOML as in JSON. */
const toml = (text: string): string => JSON.stringify(text);

export const signOfCodexHook = (event: unknown): HookSign | undefined => signOfHook(event, signOf);

function signOf(event: HookEvent): HookSign | undefined {
  switch (event.hook_event_name) {
    case "UserPromptSubmit":
    case "PreToolUse":
      return said(event, "busy");
    case "PermissionRequest":
      return asked(event);
    case "PostToolUse":
      return answered(event);
    case "Interrupt":
    case "Stop":
      return said(event, "waiting");
    default:
      return undefined;
  }
}

/**
 * Claude Code's hooks, given to one launch by `--settings`: they run beside those of the user's own settings. Measured
 * with 2.1.197:
 *
 * - A permission prompt calls PermissionRequest when it opens; the Notification about it comes six seconds later and
 *   says less. No hook tells that it was answered before the tool has run, nor that a turn was interrupted: that the
 *   process's status file tells (`claude-status-file.ts`), and a minute later the Notification `idle_prompt`.
 * - Stop is called while the turn still ends: a hook of the user's own, which runs at the same time, may hold it up, or
 *   have the model go on.
 * - With `async` the harness does not wait for a hook. Two such may arrive out of order, so only those are that tell no
 *   more than that a question is answered.
 */
import type { HookCommand, HookSign } from "./harness.ts";
import { type HookEvent, answered, asked, cut, evidenceOf, said, signOfHook } from "./hook-event.ts";
import { shellLine } from "./hook-command.ts";

/** How long Claude Code waits for one, s; our own program gives up sooner. */
const timeoutSeconds = 5;

/** Tools that are questions. */
const questionTools = ["AskUserQuestion", "ExitPlanMode"];

/** All that `signOfClaudeHook` reads; of tools only those before which a person is asked, and all behind. */
const events: Readonly<Record<string, { readonly matcher?: string; readonly isAsync?: true }>> = {
  SessionStart: {},
  UserPromptSubmit: {},
  PreToolUse: { matcher: questionTools.join("|") },
  PermissionRequest: {},
  PermissionDenied: { isAsync: true },
  PostToolUse: { isAsync: true },
  PostToolUseFailure: { isAsync: true },
  Elicitation: {},
  ElicitationResult: {},
  Notification: {},
  Stop: {},
  StopFailure: {},
};

export function claudeHookArgs(hook: HookCommand | undefined): string[] {
  if (hook === undefined) return [];
  const command = shellLine(hook);
  const hooks = Object.entries(events).map(([name, { matcher, isAsync }]) => {
    const handler = { type: "command", command, timeout: timeoutSeconds, ...(isAsync && { async: true }) };
    return [name, [{ ...(matcher !== undefined && { matcher }), hooks: [handler] }]] as const;
  });
  return ["--settings", JSON.stringify({ hooks: Object.fromEntries(hooks) })];
}

export const signOfClaudeHook = (event: unknown): HookSign | undefined => signOfHook(event, signOf);

function signOf(event: HookEvent): HookSign | undefined {
  switch (event.hook_event_name) {
    case "UserPromptSubmit":
    case "ElicitationResult":
      return said(event, "busy");
    case "PreToolUse":
      return questionTools.includes(event.tool_name) ? asked(event) : said(event, "busy");
    case "PermissionRequest":
      return asked(event);
    case "PermissionDenied":
    case "PostToolUse":
    case "PostToolUseFailure":
      return answered(event);
    case "Elicitation":
      return elicitation(event);
    case "Notification":
      return notification(event);
    // With an error of the model, too, the composer waits for what is said next.
    case "Stop":
    case "StopFailure":
      return said(event, "waiting");
    default:
      return undefined;
  }
}

function elicitation(event: HookEvent): HookSign {
  const { mcp_server_name: server = "a tool server", message = "" } = event;
  const question = { text: cut([`${server} asks:`, message].join("\n").trim()), choices: [] };
  return { sign: { state: "attention", evidence: evidenceOf(event), question } };
}

/** What is asked was told before by a hook of its own; here stands only that something is. */
function notification(event: HookEvent): HookSign | undefined {
  switch (event.notification_type) {
    case "permission_prompt":
    case "elicitation_dialog":
    case "agent_needs_input":
      return said(event, "attention");
    case "idle_prompt":
      return said(event, "waiting");
    case undefined:
    default:
      return undefined;
  }
}

/**
 * What both built-in harnesses tell their hooks: Codex has taken over the names of Claude Code. Events are read
 * tolerantly, since a newer harness knows others; what is not known says nothing.
 */
import * as z from "zod";
import type { OpenQuestion } from "./activity-sign.ts";
import type { HookSign } from "./harness.ts";
import { toolInput } from "./output-text.ts";

/** Longest question, characters; a plan that is to be agreed to may be pages. */
const questionCharactersMax = 2000;

const text = z.string().min(1).optional().catch(undefined);

const hookEvent = z.object({
  hook_event_name: z.string(),
  session_id: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/)
    .optional()
    .catch(undefined),
  /** Of a subagent inside of the conversation. */
  agent_id: text,
  tool_name: z.string().default("").catch(""),
  tool_input: z.unknown().optional(),
  message: text,
  /** It stands in what is logged and shown as evidence. */
  notification_type: z
    .string()
    .regex(/^\w{1,40}$/)
    .optional()
    .catch(undefined),
  mcp_server_name: text,
});
export type HookEvent = z.output<typeof hookEvent>;

/** What an event says: the conversation's id, and by `signOf` of its harness what the session does. */
export function signOfHook(
  event: unknown,
  signOf: (event: HookEvent) => HookSign | undefined,
): HookSign | undefined {
  const parsed = hookEvent.safeParse(event).data;
  if (parsed === undefined) return undefined;
  const conversation = conversationOf(parsed);
  const sign = signOf(parsed);
  if (sign === undefined && conversation === undefined) return undefined;
  return { ...sign, ...(conversation !== undefined && { conversation }) };
}

/**
 * The harness's own id of the conversation. Only the events that begin and end a turn of the conversation itself tell
 * it: a subagent may have one of its own.
 */
function conversationOf({ agent_id, hook_event_name: name, session_id }: HookEvent): string | undefined {
  return agent_id === undefined && (name === "SessionStart" || name === "Stop") ? session_id : undefined;
}

/** A tool waits for a person, as a person would read it. */
export const asked = (event: HookEvent): HookSign => ({
  sign: { state: "attention", evidence: evidenceOf(event), question: questionOf(event) },
  about: aboutOf(event),
});

/**
 * The tool has run or was refused: whatever was asked about it is answered. It says nothing of another question that
 * may be open at the same time, which `about` tells apart.
 */
export const answered = (event: HookEvent): HookSign => ({
  sign: { state: "busy", evidence: evidenceOf(event) },
  about: aboutOf(event),
});

export const said = (event: HookEvent, state: "busy" | "waiting" | "attention"): HookSign => ({
  sign: { state, evidence: evidenceOf(event) },
});

export const evidenceOf = ({ hook_event_name: name, notification_type: type }: HookEvent): string =>
  type === undefined ? `hook ${name}` : `hook ${name} ${type}`;

const questions = z.object({ questions: z.array(z.object({ question: z.string() })).min(1) });
const plan = z.object({ plan: z.string() });
const described = z.object({ description: z.string() });

/** The same before and after the tool ran, when its input has grown by the answers or lost its reason. */
function aboutOf({ tool_name: tool, tool_input: input }: HookEvent): string {
  const put = questions.safeParse(input).data?.questions.map(({ question }) => question);
  return `${tool}: ${put === undefined ? toolInput(input) : toolInput(put.join(" "))}`;
}

function questionOf({ tool_name: tool, tool_input: input }: HookEvent): OpenQuestion {
  return { text: cut(questionText(tool, input)), choices: [] };
}

function questionText(tool: string, input: unknown): string {
  const put = questions.safeParse(input).data?.questions.map(({ question }) => question);
  if (put !== undefined) return put.join("\n");
  const made = plan.safeParse(input).data?.plan;
  if (made !== undefined) return `Go on with this plan?\n${made}`;
  const reason = described.safeParse(input).data?.description;
  return [`May ${tool} be used?`, toolInput(input), reason].filter(Boolean).join("\n");
}

export const cut = (text: string): string =>
  text.length <= questionCharactersMax
    ? text
    : `${text.slice(0, questionCharactersMax - 1).replace(/[\ud800-\udbff]$/, "")}…`;

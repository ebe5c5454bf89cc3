/** Handing work on: what the log and the record know of a session, as a packet. */
import { type EventPayload, eventPayloads, isLive } from "../events.ts";
import type { RunRecord } from "../store/runs.ts";
import type { SessionRecord } from "../store/sessions.ts";
import type { Store } from "../store/store.ts";
import type { WakeRecord } from "../store/wakes.ts";
import {
  type FileTouched,
  type HandoffPacket,
  type Risk,
  boundedPacket,
  readablePacket,
} from "./handoff-packet.ts";
import { directoryOf } from "./project-states.ts";
import type { LogReader } from "./reading.ts";
import type { LiveSessions } from "./sessions.ts";
import { filesIn, toolsIn } from "./tools-used.ts";

/** Packet in front of a prompt, bytes: much of a context is not to be spent on what was. */
const carriedBytesMax = 8 * 1024;

/** Events from the beginning among which the first prompt is. */
const firstEventsMax = 50;
/** Follow-ups that are told, the newest. */
const wakesMax = 32;
/** What a terminal showed last, where nothing else says what was said: lines and bytes. */
const tailMax = { lines: 20, maxBytes: 2000 };

export interface HandoffsOptions {
  readonly store: Store;
  readonly sessions: LiveSessions;
  readonly reader: LogReader;
  /** What a look at the project says was changed; undefined where it says nothing, and the tools used count. */
  readonly changed?: (session: SessionRecord) => Promise<readonly FileTouched[] | undefined>;
}

/** For whom, and how much of it. */
export interface HandoffWanted {
  readonly trigger: HandoffPacket["trigger"];
  readonly bytesMax: number;
}

export class Handoffs {
  readonly #options: HandoffsOptions;

  constructor(options: HandoffsOptions) {
    this.#options = options;
  }

  /** Throws `session_not_found`. */
  async packet(id: string, { trigger, bytesMax }: HandoffWanted): Promise<HandoffPacket> {
    const { store, sessions, reader, changed } = this.#options;
    const session = sessions.get(id);
    const run = sessions.newestRun(id);
    const cursor = reader.cursorAt(reader.lastSeq());
    const tools = toolsIn(store.events.newestTools(id));
    const wakes = store.wakes.list({
      session: id,
      projectRoot: undefined,
      isOpenOnly: false,
      limit: wakesMax,
    });
    const files = (await changed?.(session)) ?? filesIn(tools, directoryOf(session));
    const { title, familiar_id } = session;
    const packet: HandoffPacket = {
      schema: "coven.handoff.v1",
      trigger,
      from: {
        harness: session.harness,
        runId: run?.id ?? null,
        endedAt: run?.ended_at == null ? null : seconds(run.ended_at),
        hint: familiar_id === null ? title : `${familiar_id}: ${title}`,
      },
      to: { harness: "any", runId: null, endedAt: null, hint: null },
      taskContext: {
        originalGoal: this.#firstPrompt(session),
        constraints: toldSince(wakes),
        scopeNotes: scopeOf(session),
      },
      currentState: {
        lastAction: tools.length > 0 ? describedTool(tools.at(-1)) : standing(session, run),
        loadedContextSummary: [this.#lastSaid(session, run), usedTools(tools)].filter(isGiven).join("\n"),
        openQuestions: questionsOf(session),
      },
      filesTouched: files,
      risks: risksOf(session, run),
      verification: {
        latestVerdicts: [],
        stale: files.length > 0,
        notes: "Coven has checked nothing of this: the tests are to be run by whoever goes on.",
      },
      nextAction: {
        instruction: nextStep(session, run, wakes),
        doNotDo: deniedOf(run).map((what) => `Try again without permission: ${what}`),
        expectedOutcome: "The goal is met, and checked.",
      },
      meta: { sessionId: id, createdAt: Math.floor(Date.now() / 1000), redactionVersion: 1, cursor },
    };
    return boundedPacket(packet, bytesMax);
  }

  /** A task with the packet of a session in front of it. Throws `session_not_found`. */
  async carried(id: string, task: string): Promise<string> {
    const packet = await this.packet(id, { trigger: "user_initiated", bytesMax: carriedBytesMax });
    return readablePacket(packet, task);
  }

  /** As the log has it; where that was pruned, as the title begins. */
  #firstPrompt({ id, title }: SessionRecord): string {
    const { events } = this.#options.reader.page(id, 0, firstEventsMax);
    const pieces: string[] = [];
    for (const { kind, payload_json } of events) {
      if (kind !== "message") continue;
      const { role, text, more } = eventPayloads.message.parse(JSON.parse(payload_json));
      if (role !== "user") break;
      pieces.push(text);
      if (more === undefined) break;
    }
    const prompt = pieces.join("").trim();
    return prompt === "" ? title : prompt;
  }

  #lastSaid({ id }: SessionRecord, run: RunRecord | undefined): string {
    const said = run?.last_message ?? run?.result?.text;
    if (said) return `It said last: ${said}`;
    const { text } = this.#options.reader.tail(id, tailMax);
    return text.trim() === "" ? "" : `It printed last:\n${text.trim()}`;
  }
}

const seconds = (time: string): number => Math.floor(Date.parse(time) / 1000);
const isGiven = (text: string): boolean => text !== "";

const isWaiting = ({ state }: WakeRecord): boolean => state === "pending" || state === "queued";

/** What was said to it after its first prompt, oldest first. */
const toldSince = (wakes: readonly WakeRecord[]): string[] =>
  wakes
    .filter(({ state }) => state === "delivered")
    .map(({ preview }) => preview)
    .reverse();

function scopeOf(session: SessionRecord): string {
  const { project_root: root, cwd, worktree, launch_mode, permission, model } = session;
  const where = cwd === root ? root : `${cwd} in ${root}`;
  const branch = worktree === null ? "" : `branch ${worktree.branch}`;
  return [where, branch, launch_mode, permission ?? "", model ?? ""].filter(isGiven).join(", ");
}

type Tool = ReturnType<typeof toolsIn>[number];

function describedTool(tool: Tool | undefined): string {
  if (tool === undefined) return "";
  const { name, input, state } = tool;
  const how = state === "started" ? "begun, not ended" : state;
  return `${name}${input === "" ? "" : ` ${input}`} (${how})`;
}

function usedTools(tools: readonly Tool[]): string {
  if (tools.length === 0) return "";
  const counts = new Map<string, number>();
  for (const { name } of tools) counts.set(name, (counts.get(name) ?? 0) + 1);
  return `Tools it used: ${[...counts].map(([name, count]) => (count === 1 ? name : `${name} ×${count}`)).join(", ")}`;
}

function standing({ status, activity }: SessionRecord, run: RunRecord | undefined): string {
  if (isLive(status)) return `It runs (${activity?.state ?? "nothing says what it does"}).`;
  const exit = run?.exit_code == null ? "" : ` with exit code ${run.exit_code}`;
  return `Its last run is ${status}${exit}.`;
}

function questionsOf({ status, activity }: SessionRecord): string[] {
  if (!isLive(status) || activity?.question === undefined) return [];
  const { text, choices } = activity.question;
  return [choices.length === 0 ? text : `${text} (${choices.join(" / ")})`];
}

const deniedOf = (run: RunRecord | undefined): string[] =>
  (run?.result?.deniedPermissions ?? []).map(({ tool, input = "" }) => `${tool} ${input}`.trim());

function risksOf({ status }: SessionRecord, run: RunRecord | undefined): Risk[] {
  const denied = deniedOf(run).map((what) => risk("missing_permission", `It was denied: ${what}`, false));
  const error: EventPayload<"result">["error"] = run?.result?.error;
  return [
    ...(isLive(status)
      ? [risk("incomplete_edit", "It runs still, and may change what is told here.", true)]
      : []),
    ...(["failed", "killed", "orphaned"].includes(status)
      ? [risk("incomplete_edit", `It ended as ${status}: its work may be half done.`, true)]
      : []),
    ...(error ? [risk("other", `Its last turn failed: ${error}`, true)] : []),
    ...denied,
  ];
}

const risk = (kind: Risk["kind"], detail: string, blockingForNextStep: boolean): Risk => ({
  kind,
  detail,
  blockingForNextStep,
});

function nextStep(session: SessionRecord, run: RunRecord | undefined, wakes: readonly WakeRecord[]): string {
  const [question] = questionsOf(session);
  if (question !== undefined) return `Answer what it asks: ${question}`;
  const waiting = wakes.filter(isWaiting).at(-1);
  if (waiting !== undefined) return `Do what it was told and has not begun: ${waiting.preview}`;
  if (isLive(session.status)) return "Let it end, or end it, before you touch the same files.";
  if (session.status === "completed" || session.status === "idle")
    return deniedOf(run).length > 0
      ? "See what it could not do for want of a permission, and do it."
      : "Check what it did against the goal, and do what is missing.";
  return "See how far it came, and go on from there.";
}

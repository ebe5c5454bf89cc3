/** The rows of one run: everything goes through the journal in the order it happened, the ending last. */
import type { EventKind, EventPayload, LeftProcess, SessionStatus, TypedEvent } from "../../events.ts";
import type { OutputStream } from "../../store/events.ts";
import type { LeftBehind } from "../../store/runs.ts";
import type { Store } from "../../store/store.ts";
import { redactText } from "../../text/redact.ts";
import type { ChildEnd } from "./child.ts";
import type { Entry, Journal } from "./journal.ts";
import { rowJsonBytesMax } from "./output.ts";
import type { ProcessInfo } from "./process-info.ts";
import type { LaunchSpec } from "./protocol.ts";
import { textRows } from "./text-rows.ts";

/** How exact a session's `last_activity_at` is while it prints, ms. */
const touchEveryMs = 250;

/** Processes named in an ending: after some the pattern is clear, and the row stays small. */
const leftNamedMax = 50;

export interface RunContext {
  readonly store: Store;
  readonly journal: Journal;
  readonly hostPid: number;
}

export interface Ending extends ChildEnd {
  readonly status: SessionStatus;
  readonly reason: string | undefined;
  /** The harness did not know the conversation, and so heard nothing of what it was told. */
  readonly isUnheard: boolean;
  /** Asked for, so that the exit code says nothing about the harness. */
  readonly isAsked: boolean;
  readonly left: readonly ProcessInfo[];
}

interface OutputRow {
  readonly stream: OutputStream | null;
  readonly pieces: Buffer[];
  jsonBytes: number;
  readonly entry: Entry;
}

export class RunLog {
  readonly #spec: LaunchSpec;
  readonly #context: RunContext;
  #touchedAt = Number.NEGATIVE_INFINITY;
  /** The row of output that was queued last, as long as nothing was queued behind it and it was not written. */
  #row: OutputRow | undefined;
  #hasStarted = false;

  constructor(spec: LaunchSpec, context: RunContext) {
    this.#spec = spec;
    this.#context = context;
  }

  started(pid: number, startTime: string | undefined): void {
    this.#hasStarted = true;
    const spec = this.#spec;
    const { runs, sessions, wakes, events } = this.#context.store;
    this.#add(0, () => {
      runs.started(spec.runId, this.#context.hostPid, pid, startTime ?? null);
      if (spec.harnessSessionId !== undefined)
        sessions.setHarnessSession(spec.sessionId, spec.harnessSessionId);
      sessions.move({ session: spec.sessionId, run: spec.runId, to: "running" });
      events.append(spec.sessionId, spec.runId, "metadata", {
        harness: spec.harness,
        path: spec.file,
        version: spec.version,
        launchMode: spec.launchMode,
        permission: spec.permission,
        cwd: spec.cwd,
        model: spec.model,
        pid,
      });
      wakes.started(spec.runId);
    });
    this.#message("user", redactText(spec.prompt));
  }

  /** What a harness was given to read, or what was said to it. A row holds so much, so a long text is several. */
  input(bytes: Buffer, said: string | undefined): void {
    const text = redactText(said ?? bytes.toString("utf8"));
    for (const data of textRows(text)) this.#record("input", { data });
    if (said !== undefined) this.#message("user", text);
  }

  resized(size: EventPayload<"resize">): void {
    this.#record("resize", size);
  }

  /** The end of the log once everything queued so far is in it. */
  place(): Promise<number> {
    return new Promise((resolve) => this.#add(0, () => resolve(this.#context.store.events.lastSeq())));
  }

  /** Output that follows output joins its row while that waits to be written: few long rows cost less than many short. */
  output(stream: OutputStream | null, bytes: Buffer, jsonBytes: number): void {
    const row = this.#row;
    if (row?.stream === stream && row.jsonBytes + jsonBytes <= rowJsonBytesMax) {
      row.pieces.push(bytes);
      row.jsonBytes += jsonBytes;
      return this.#context.journal.extend(row.entry, bytes.length);
    }
    const { events, sessions } = this.#context.store;
    const { sessionId, runId } = this.#spec;
    const isDue = performance.now() - this.#touchedAt > touchEveryMs;
    if (isDue) this.#touchedAt = performance.now();
    const pieces = [bytes];
    const write = (): void => {
      if (this.#row?.pieces === pieces) this.#row = undefined;
      events.appendOutput(sessionId, runId, stream, Buffer.concat(pieces));
      if (isDue) sessions.touch(sessionId);
    };
    const entry = { sessionId, bytes: bytes.length, write };
    this.#context.journal.add(entry);
    this.#row = { stream, pieces, jsonBytes, entry };
  }

  typed(event: TypedEvent): void {
    const { sessions, runs } = this.#context.store;
    const { sessionId, runId } = this.#spec;
    switch (event.kind) {
      case "conversation":
        this.#add(0, () => sessions.setHarnessSession(sessionId, event.payload.harnessSessionId));
        return this.#record("conversation", event.payload);
      case "message":
        if (event.payload.role === "assistant")
          this.#add(0, () => runs.setLastMessage(runId, event.payload.text));
        return this.#message(event.payload.role, event.payload.text);
      case "tool":
        return this.#record("tool", event.payload);
      case "result":
        this.#add(0, () => runs.setResult(runId, event.payload));
        return this.#record("result", event.payload);
    }
  }

  ended({ status, exitCode, signal, reason, isUnheard, isAsked, left }: Ending): void {
    const { sessionId, runId } = this.#spec;
    const { runs, sessions, wakes, events } = this.#context.store;
    const shownCode = isAsked ? null : exitCode;
    const named = left.slice(0, leftNamedMax).map(forTheLog);
    const undelivered = this.#hasStarted ? "delivery_unknown" : `launch_failed: ${reason ?? ""}`;
    const write = (): void => {
      if (named.length > 0) {
        runs.setLeftBehind(runId, named);
        events.append(sessionId, runId, "left_behind", { processes: named.map(shown) });
      }
      runs.ended({ id: runId, exitCode, signal, reason: reason ?? null });
      if (isUnheard) wakes.unheard(runId, reason ?? "");
      else wakes.runEnded(runId, undelivered);
      if (status === "killed") {
        events.append(sessionId, runId, "kill", { status });
        wakes.cancelOpen(sessionId, "killed");
      }
      sessions.move({ session: sessionId, run: runId, to: status, exitCode: shownCode, reason });
      events.append(sessionId, runId, "exit", {
        status,
        exitCode: shownCode,
        ...(signal === null ? {} : { signal }),
        ...(reason === undefined ? {} : { reason }),
      });
    };
    this.#row = undefined;
    this.#context.journal.add({ sessionId, bytes: 0, write, isEnding: true });
  }

  #message(role: EventPayload<"message">["role"], text: string): void {
    const rows = textRows(text);
    for (const [index, row] of rows.entries())
      this.#record("message", {
        role,
        text: row,
        ...(index < rows.length - 1 ? { more: true as const } : {}),
      });
  }

  #record<K extends EventKind>(kind: K, payload: EventPayload<K>): void {
    const { sessionId, runId } = this.#spec;
    this.#add(rowBytesGuess(payload), () =>
      this.#context.store.events.append(sessionId, runId, kind, payload),
    );
  }

  #add(bytes: number, write: () => void): void {
    this.#row = undefined;
    this.#context.journal.add({ sessionId: this.#spec.sessionId, bytes, write });
  }
}

/** What waits in the journal is counted by its long texts; the rest of a row is small. */
const rowBytesGuess = (payload: object): number =>
  Object.values(payload).reduce(
    (bytes: number, value: unknown) => bytes + (typeof value === "string" ? value.length : 0),
    256,
  );

/** A command line may hold a prompt, and in it a secret. */
const forTheLog = ({ pid, startTime, command }: ProcessInfo): LeftBehind => ({
  pid,
  startTime,
  command: redactText(command),
});

const shown = ({ pid, command }: LeftBehind): LeftProcess => ({ pid, command });

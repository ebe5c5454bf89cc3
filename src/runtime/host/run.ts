/**
 * One harness process and what becomes of it, from its spawn to its ending.
 *
 * Everything goes through the journal in the order it happened, the ending last: remaining output, typed events and
 * the final message are queued before it, and the ending is one entry with the session's new status.
 */
import type { EventKind, EventPayload, SessionStatus, TypedEvent } from "../../events.ts";
import { Failure } from "../../errors.ts";
import type { OutputStream } from "../../store/events.ts";
import type { Store } from "../../store/store.ts";
import { redactText } from "../../text/redact.ts";
import { createOutputParser } from "../harness/output.ts";
import type { Child, ChildEnd } from "./child.ts";
import type { Journal } from "./journal.ts";
import { createLineSplitter } from "./lines.ts";
import { messageRows } from "./message-rows.ts";
import { type OutputPipe, createOutputPipe } from "./output.ts";
import { spawnOnPipes } from "./pipes.ts";
import { endTree } from "./end-tree.ts";
import type { ProcessInfo } from "./process-info.ts";
import { identify } from "./processes.ts";
import type { LaunchSpec } from "./protocol.ts";
import { initialSize, spawnInPty } from "./pty.ts";
import { createQueryAnswerer } from "./terminal-queries.ts";
import { createTypist } from "./typing.ts";

/** Longest line of structured output that is read as an event, bytes; a longer one stays raw output only. */
const structuredLineBytesMax = 8 * 1024 * 1024;

/** How exact a session's `last_activity_at` is while it prints, ms. */
const touchEveryMs = 250;

/** How long a kill may take altogether, ms. */
export const killDeadlineMs = 5000;

/** How a caller or a stopping daemon wants a run to be remembered. */
export type EndsAs = "killed" | "orphaned";

export interface RunInput {
  readonly bytes: Buffer;
  /** What the bytes say in a conversation; undefined for keystrokes. */
  readonly said: string | undefined;
  /** Closes the input behind the bytes. */
  readonly end: boolean;
}

export interface RunContext {
  readonly store: Store;
  readonly journal: Journal;
  readonly hostPid: number;
}

export class Run {
  readonly spec: LaunchSpec;
  /** Resolves when the ending is queued in the journal. */
  readonly ended: Promise<void>;
  readonly #context: RunContext;
  readonly #pipes: ReadonlyMap<OutputStream | null, OutputPipe>;
  readonly #lines = createLineSplitter(structuredLineBytesMax, () => undefined);
  readonly #errorLines = createLineSplitter(structuredLineBytesMax, () => undefined);
  readonly #parser: ReturnType<typeof createOutputParser> | undefined;
  readonly #queries = createQueryAnswerer();
  readonly #typist = createTypist((bytes) => this.#child?.write(bytes) ?? false);
  #tellEnded: () => void = () => undefined;
  #child: Child | undefined;
  #startTime: string | undefined;
  #hasEnded = false;
  #isInputClosed = false;
  #touchedAt = Number.NEGATIVE_INFINITY;
  #attachedCount = 0;
  #size = initialSize;
  #endsAs: EndsAs | undefined;

  constructor(spec: LaunchSpec, context: RunContext) {
    this.spec = spec;
    this.#context = context;
    this.ended = new Promise((resolve) => {
      this.#tellEnded = resolve;
    });
    this.#parser = spec.format && createOutputParser(spec.format);
    const streams: (OutputStream | null)[] = spec.transport === "pty" ? [null] : ["stdout", "stderr"];
    this.#pipes = new Map(streams.map((stream) => [stream, this.#openPipe(stream)]));
  }

  /** Spawns the harness; resolves when it runs and the log says so. Throws `launch_failed`, also logged, if it cannot. */
  async start(): Promise<{ pid: number }> {
    const { spec } = this;
    const spawn = spec.transport === "pty" ? spawnInPty : spawnOnPipes;
    try {
      this.#child = await spawn({
        ...spec,
        stdin: spec.stdin,
        inputStaysOpen: spec.launchMode === "stream",
      });
    } catch (error) {
      this.#recordEnd(
        "failed",
        { exitCode: null, signal: null },
        error instanceof Error ? error.message : String(error),
      );
      await this.#context.journal.settled();
      throw error;
    }
    const { pid } = this.#child;
    this.#startTime = identify(pid)?.startTime;
    this.#recordStart(pid);
    this.#child.listen({
      output: (stream, bytes) => this.#onOutput(stream, bytes),
      ended: (end) => this.#onEnded(end),
    });
    await this.#context.journal.settled();
    return { pid };
  }

  /** Logs the input, then hands it to the harness; resolves when it was written. */
  async input({ bytes, said, end }: RunInput): Promise<void> {
    this.#requireLive();
    this.#requireOpenInput();
    if (bytes.length > 0) this.#recordInput(redactText(said ?? bytes.toString("utf8")), said !== undefined);
    if (bytes.length === 0 || (await this.#typist.type(bytes))) {
      if (end) this.#child?.endInput();
      this.#isInputClosed ||= end;
      return;
    }
    this.#requireLive();
    throw new Failure("input_not_accepted", `session ${this.spec.sessionId} has too much input left unread`, {
      hint: "Wait until the harness reads again, or kill the session.",
    });
  }

  /** Gives the terminal another size, which stays when whoever gave it has left. */
  resize(columns: number, rows: number): void {
    const isSame = columns === this.#size.columns && rows === this.#size.rows;
    if (isSame || this.spec.transport !== "pty") return;
    this.#size = { columns, rows };
    this.#record("resize", this.#size);
    this.#child?.resize(columns, rows);
  }

  /** How many people are at the keys of the terminal now. */
  attached(count: number): void {
    this.#attachedCount = count;
  }

  /** Where in the log the run is now: what it has printed so far is up to here. */
  place(): Promise<number> {
    return new Promise((resolve) => this.#add(0, () => resolve(this.#context.store.events.lastSeq())));
  }

  slowDown(isSlow: boolean): void {
    if (isSlow) this.#child?.pause();
    else this.#child?.resume();
  }

  /** Ends the whole tree. With survivors the run stays live. */
  async kill(graceMs: number, endsAs: EndsAs): Promise<readonly ProcessInfo[]> {
    this.#requireLive();
    this.#endsAs ??= endsAs;
    const pid = this.#child?.pid ?? 0;
    const root = { pid, startTime: this.#startTime ?? "", runId: this.spec.runId };
    const { survivors } = await endTree(root, { graceMs, deadlineMs: killDeadlineMs });
    if (survivors.length > 0 && !this.#hasEnded) {
      this.#endsAs = undefined;
      return survivors;
    }
    await this.ended;
    await this.#context.journal.settled();
    return survivors;
  }

  #requireLive(): void {
    if (!this.#hasEnded && this.#child !== undefined) return;
    throw new Failure("session_not_live", `session ${this.spec.sessionId} has no live process`);
  }

  #requireOpenInput(): void {
    if (!this.#isInputClosed) return;
    throw new Failure("input_not_accepted", `the input of session ${this.spec.sessionId} is closed`, {
      hint: "It ends after its turn; watch it to its end.",
    });
  }

  #openPipe(stream: OutputStream | null): OutputPipe {
    return createOutputPipe((bytes) => {
      this.#recordOutput(stream, bytes);
      if (stream === "stdout") this.#recordTyped(this.#lines.push(bytes));
      if (stream === "stderr") this.#readErrors(this.#errorLines.push(bytes));
    });
  }

  #onOutput(stream: OutputStream | null, bytes: Buffer): void {
    if (stream === null) {
      this.#typist.heard();
      const answer = this.#queries.answersTo(bytes);
      if (answer !== "" && this.#attachedCount === 0) this.#child?.write(Buffer.from(answer));
    }
    this.#pipes.get(stream)?.push(bytes);
  }

  #onEnded(end: ChildEnd): void {
    for (const pipe of this.#pipes.values()) pipe.end();
    this.#readErrors(this.#errorLines.flush());
    this.#recordTyped(this.#lines.flush());
    const reason = this.#endsAs === "orphaned" ? "the daemon was stopped" : undefined;
    this.#recordEnd(this.#endsAs ?? this.#naturalEnd(end), end, reason);
  }

  #naturalEnd({ exitCode }: ChildEnd): SessionStatus {
    if (exitCode !== 0) return "failed";
    return this.spec.endsIdle ? "idle" : "completed";
  }

  #recordStart(pid: number): void {
    const { spec } = this;
    const { runs, sessions, events } = this.#context.store;
    this.#add(0, () => {
      runs.started(spec.runId, this.#context.hostPid, pid, this.#startTime ?? null);
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
    });
    this.#recordSaid(redactText(spec.prompt));
  }

  #recordInput(text: string, isSaid: boolean): void {
    for (const { text: data } of messageRows({ role: "user", text })) this.#record("input", { data });
    if (isSaid) this.#recordSaid(text);
  }

  #recordSaid(text: string): void {
    for (const row of messageRows({ role: "user", text })) this.#record("message", row);
  }

  #recordEnd(status: SessionStatus, { exitCode, signal }: ChildEnd, reason: string | undefined): void {
    const { spec } = this;
    const { runs, sessions, events } = this.#context.store;
    const shownCode = this.#endsAs === undefined ? exitCode : null;
    this.#hasEnded = true;
    this.#add(0, () => {
      runs.ended({ id: spec.runId, exitCode, signal, reason: reason ?? null });
      if (status === "killed") events.append(spec.sessionId, spec.runId, "kill", { status });
      sessions.move({ session: spec.sessionId, run: spec.runId, to: status, exitCode: shownCode, reason });
      events.append(spec.sessionId, spec.runId, "exit", {
        status,
        exitCode: shownCode,
        ...(signal === null ? {} : { signal }),
        ...(reason === undefined ? {} : { reason }),
      });
    });
    this.#tellEnded();
  }

  #recordOutput(stream: OutputStream | null, bytes: Buffer): void {
    const { events, sessions } = this.#context.store;
    const { sessionId, runId } = this.spec;
    const isDue = performance.now() - this.#touchedAt > touchEveryMs;
    if (isDue) this.#touchedAt = performance.now();
    this.#add(bytes.length, () => {
      events.appendOutput(sessionId, runId, stream, bytes);
      if (isDue) sessions.touch(sessionId);
    });
  }

  /** Some refusals are told on standard error only; they belong to the result that follows. */
  #readErrors(lines: readonly string[]): void {
    for (const line of lines) this.#parser?.errorLine(line);
  }

  #recordTyped(lines: readonly string[]): void {
    if (this.#parser === undefined) return;
    for (const line of lines) for (const event of this.#parser.line(line)) this.#recordTypedEvent(event);
  }

  #recordTypedEvent(event: TypedEvent): void {
    const { sessions, runs } = this.#context.store;
    const { sessionId, runId } = this.spec;
    switch (event.kind) {
      case "conversation":
        this.#add(0, () => sessions.setHarnessSession(sessionId, event.payload.harnessSessionId));
        return this.#record("conversation", event.payload);
      case "message":
        if (event.payload.role === "assistant")
          this.#add(0, () => runs.setLastMessage(runId, event.payload.text));
        for (const row of messageRows(event.payload)) this.#record("message", row);
        return;
      case "tool":
        return this.#record("tool", event.payload);
      case "result":
        this.#add(0, () => runs.setResult(runId, event.payload));
        return this.#record("result", event.payload);
    }
  }

  #record<K extends EventKind>(kind: K, payload: EventPayload<K>): void {
    const { sessionId, runId } = this.spec;
    this.#add(256, () => this.#context.store.events.append(sessionId, runId, kind, payload));
  }

  #add(bytes: number, write: () => void): void {
    this.#context.journal.add({ sessionId: this.spec.sessionId, bytes, write });
  }
}

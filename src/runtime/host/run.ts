/**
 * One harness process and what becomes of it, from its spawn to its ending.
 *
 * It ends once: remaining output, typed events and what it left running are queued in the journal before the ending.
 * Ending its processes needs no store; only the record of it does.
 */
import { type SessionStatus, initialTerminalSize } from "../../events.ts";
import { Failure } from "../../errors.ts";
import type { OutputStream } from "../../store/events.ts";
import { createOutputParser } from "../harness/output.ts";
import type { Child, ChildEnd } from "./child.ts";
import { createLineSplitter } from "./lines.ts";
import { type OutputPipe, createOutputPipe } from "./output.ts";
import { spawnOnPipes } from "./pipes.ts";
import { endTree } from "./end-tree.ts";
import type { ProcessInfo } from "./process-info.ts";
import { identify } from "./processes.ts";
import type { LaunchSpec } from "./protocol.ts";
import { spawnInPty } from "./pty.ts";
import { type RunContext, RunLog } from "./run-log.ts";
import { createTakenInputs } from "./taken-inputs.ts";
import { createQueryAnswerer } from "./terminal-queries.ts";
import type { TreeWatch } from "./tree-watch.ts";
import { createTypist } from "./typing.ts";

/** Longest line of structured output that is read as an event, bytes; a longer one stays raw output only. */
const structuredLineBytesMax = 8 * 1024 * 1024;

/** How long a kill may take altogether, ms. */
export const killDeadlineMs = 5000;

/** How long a caller waits for the log to have what was done, ms: a store that takes nothing must not hold it up. */
const settleMsMax = 500;

/** How long a harness that is gone may take to be read to its end, ms, until a kill is answered without it. */
const endMsMax = 500;

/** How much of the end of what a harness printed is looked at for why it failed, characters: its last lines. */
const lastWordsCharactersMax = 8192;

/** How a caller or a stopping daemon wants a run to be remembered. */
export type EndsAs = "killed" | "orphaned";

export interface RunInput {
  readonly bytes: Buffer;
  /** What the bytes say in a conversation; undefined for keystrokes. */
  readonly said: string | undefined;
  /** Closes the input behind the bytes. */
  readonly end: boolean;
}

export interface Killed {
  readonly survivors: readonly ProcessInfo[];
  /** What the session is, or is as soon as the store takes it. */
  readonly status: SessionStatus;
}

const nothingEnds = Promise.resolve({ survivors: [] });

export class Run {
  readonly spec: LaunchSpec;
  /** Resolves when the harness was spawned and can be ended, or could not be. */
  readonly spawned: Promise<void>;
  /** Resolves when the ending is queued in the journal. */
  readonly ended: Promise<void>;
  readonly #context: RunContext;
  readonly #log: RunLog;
  readonly #trees: TreeWatch;
  readonly #pipes: ReadonlyMap<OutputStream | null, OutputPipe>;
  readonly #lines = createLineSplitter(structuredLineBytesMax, () => undefined);
  readonly #errorLines = createLineSplitter(structuredLineBytesMax, () => undefined);
  readonly #parser: ReturnType<typeof createOutputParser> | undefined;
  readonly #queries = createQueryAnswerer();
  readonly #typist = createTypist((bytes) => this.#child?.write(bytes) ?? false);
  readonly #taken = createTakenInputs();
  #tellSpawned: () => void = () => undefined;
  #tellEnded: () => void = () => undefined;
  #child: Child | undefined;
  #hasExited = false;
  #endedAs: SessionStatus | undefined;
  #isInputClosed = false;
  #attachedCount = 0;
  #size = initialTerminalSize;
  #endsAs: EndsAs | undefined;
  /** The end of what was printed, where it may say why the harness fails. */
  #lastWords = "";
  /** What the newest kill does. */
  #ending: ReturnType<typeof endTree> = nothingEnds;

  constructor(spec: LaunchSpec, context: RunContext, trees: TreeWatch) {
    this.spec = spec;
    this.#context = context;
    this.#log = new RunLog(spec, context);
    this.#trees = trees;
    this.spawned = new Promise((resolve) => (this.#tellSpawned = resolve));
    this.ended = new Promise((resolve) => (this.#tellEnded = resolve));
    this.#parser = spec.format && createOutputParser(spec.format);
    const streams: (OutputStream | null)[] = spec.transport === "pty" ? [null] : ["stdout", "stderr"];
    this.#pipes = new Map(streams.map((stream) => [stream, this.#openPipe(stream)]));
  }

  /** Spawns the harness; resolves when it runs and the log says so. Throws `launch_failed`, also logged, if it cannot. */
  async start(): Promise<{ pid: number }> {
    try {
      const child = await this.#spawn();
      this.#follow(child);
      return { pid: child.pid };
    } finally {
      // Not before its tree is known: a kill that waits for this is to find it.
      this.#tellSpawned();
      await this.#context.journal.settledWithin(settleMsMax);
    }
  }

  #follow(child: Child): void {
    const { pid } = child;
    const startTime = identify(pid)?.startTime;
    this.#trees.add({ pid, startTime: startTime ?? "", runId: this.spec.runId });
    this.#log.started(pid, startTime);
    if (this.#context.journal.isPressed) child.pause();
    child.listen({
      output: (stream, bytes) => this.#onOutput(stream, bytes),
      ended: (end) => void this.#onEnded(end),
    });
  }

  async #spawn(): Promise<Child> {
    const spawn = this.spec.transport === "pty" ? spawnInPty : spawnOnPipes;
    try {
      const { stdin, launchMode } = this.spec;
      this.#child = await spawn({ ...this.spec, stdin, inputStaysOpen: launchMode === "stream" });
      return this.#child;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#recordEnd("failed", { exitCode: null, signal: null }, reason, []);
      throw error;
    }
  }

  /** Types, and logs what was taken, before anything that it causes. Resolves when all was written. */
  input(input: RunInput, key: string | undefined): Promise<void> {
    return this.#taken.once(key, () => this.#take(input));
  }

  async #take({ bytes, said, end }: RunInput): Promise<void> {
    this.#requireLive();
    this.#requireOpenInput();
    if (this.#context.journal.isPressed) throw this.#behind();
    if (bytes.length === 0 || (await this.#typist.type(bytes, () => this.#log.input(bytes, said)))) {
      if (end) this.#child?.endInput();
      this.#isInputClosed ||= end;
      return this.#context.journal.settledWithin(settleMsMax);
    }
    this.#requireLive();
    throw new Failure("input_not_accepted", `session ${this.spec.sessionId} has too much input left unread`, {
      hint: "Wait until the harness reads again, or kill the session.",
      details: { sessionId: this.spec.sessionId },
    });
  }

  resize(columns: number, rows: number): void {
    const isSame = columns === this.#size.columns && rows === this.#size.rows;
    if (isSame || this.#hasExited || this.spec.transport !== "pty") return;
    this.#size = { columns, rows };
    this.#log.resized(this.#size);
    this.#child?.resize(columns, rows);
  }

  /** How many people are at the keys of the terminal now. */
  attached(count: number): void {
    this.#attachedCount = count;
  }

  /** Where in the log the run is now: what it has printed so far is up to here. */
  place(): Promise<number> {
    return this.#log.place();
  }

  slowDown(isSlow: boolean): void {
    if (isSlow) this.#child?.pause();
    else this.#child?.resume();
  }

  /** Ends the whole tree. With survivors the run stays live. */
  async kill(graceMs: number, endsAs: EndsAs): Promise<Killed> {
    const root = this.#trees.root(this.spec.runId);
    if (root === undefined) {
      if (this.#endedAs === undefined) throw this.#notLive();
      return this.#killed([]); // it only waits to be logged
    }
    this.#endsAs ??= endsAs;
    this.#ending = endTree(root, { graceMs, deadlineMs: killDeadlineMs });
    const { survivors } = await this.#ending;
    if (survivors.length > 0 && this.#endedAs === undefined) {
      this.#endsAs = undefined;
      this.#ending = nothingEnds;
      return { survivors, status: "running" };
    }
    await Promise.race([this.ended, pause(endMsMax)]);
    return this.#killed(survivors);
  }

  async #killed(survivors: readonly ProcessInfo[]): Promise<Killed> {
    await this.#context.journal.settledWithin(settleMsMax);
    return { survivors, status: this.#endedAs ?? this.#endsAs ?? "killed" };
  }

  #requireLive(): void {
    if (this.#hasExited || this.#child === undefined) throw this.#notLive();
  }

  #requireOpenInput(): void {
    if (!this.#isInputClosed) return;
    throw new Failure("input_not_accepted", `the input of session ${this.spec.sessionId} is closed`, {
      hint: "It ends after its turn; watch it to its end.",
      details: { sessionId: this.spec.sessionId },
    });
  }

  #notLive(): Failure {
    return new Failure("session_not_live", `session ${this.spec.sessionId} has no live process`);
  }

  #behind(): Failure {
    const { state } = this.#context.journal;
    const isFull = state === "store_full";
    return new Failure(
      isFull ? "store_full" : "runtime_unavailable",
      `session ${this.spec.sessionId} takes no input now: ${isFull ? "the disk is full" : "the log is behind"}`,
      { hint: isFull ? "Free some disk space; the session goes on by itself then." : "Try again." },
    );
  }

  #openPipe(stream: OutputStream | null): OutputPipe {
    return createOutputPipe((bytes, jsonBytes) => {
      this.#log.output(stream, bytes, jsonBytes);
      if (this.spec.unknownConversation !== undefined)
        this.#lastWords = (this.#lastWords + bytes.toString("latin1")).slice(-lastWordsCharactersMax);
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

  async #onEnded(end: ChildEnd): Promise<void> {
    this.#hasExited = true;
    for (const pipe of this.#pipes.values()) pipe.end();
    this.#readErrors(this.#errorLines.flush());
    this.#recordTyped(this.#lines.flush());
    // A kill looks itself for what is left; it may also come while this is being looked for.
    // An ending is told whether the system lets itself be looked at or not.
    const left =
      this.#endsAs === undefined ? await this.#trees.leftBehind(this.spec.runId).catch(() => []) : [];
    // A harness that ended is not killed before the rest of its tree is gone, too.
    const { survivors } = await this.#ending.catch(() => ({ survivors: [] }));
    this.#recordEnd(
      this.#endsAs ?? this.#naturalEnd(end),
      end,
      this.#endsAs === "orphaned" ? "the daemon was stopped" : undefined,
      this.#endsAs === undefined && survivors.length === 0 ? left : survivors,
    );
  }

  #naturalEnd({ exitCode }: ChildEnd): SessionStatus {
    if (exitCode !== 0) return "failed";
    return this.spec.endsIdle ? "idle" : "completed";
  }

  /** Undefined unless the harness has failed over a conversation that it does not know. */
  #unknownConversation(status: SessionStatus): string | undefined {
    const { unknownConversation = [], harness, harnessSessionId = "" } = this.spec;
    if (status !== "failed" || !unknownConversation.some((words) => this.#lastWords.includes(words)))
      return undefined;
    return `conversation_unknown: ${harness} does not know its conversation ${harnessSessionId} any more`;
  }

  #recordEnd(
    status: SessionStatus,
    end: ChildEnd,
    reason: string | undefined,
    left: readonly ProcessInfo[],
  ): void {
    this.#endedAs = status;
    const unknown = this.#unknownConversation(status);
    this.#log.ended({
      ...end,
      status,
      reason: reason ?? unknown,
      isUnheard: unknown !== undefined,
      isAsked: this.#endsAs !== undefined,
      left,
    });
    this.#trees.remove(this.spec.runId);
    this.#tellEnded();
  }

  /** Some refusals are told on standard error only; they belong to the result that follows. */
  #readErrors(lines: readonly string[]): void {
    for (const line of lines) this.#parser?.errorLine(line);
  }

  #recordTyped(lines: readonly string[]): void {
    if (this.#parser === undefined) return;
    for (const line of lines) for (const event of this.#parser.line(line)) this.#log.typed(event);
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

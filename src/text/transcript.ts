/**
 * The log of a session as text to read: what a terminal harness printed without its escape sequences, and what a
 * structured harness said, instead of its JSON.
 */
import type * as z from "zod";
import { type EventPayload, eventPayloads } from "../events.ts";
import { type Held, createCleaner } from "./clean.ts";

export interface TranscriptEvent {
  readonly kind: string;
  readonly payload_json: string;
}

/** What the events so far mean for the next one. */
export interface TranscriptMarks {
  /** It goes on with a line of JSON, of which nothing is said. */
  readonly isInJson: boolean;
  /** It goes on with a message. */
  readonly isContinued: boolean;
}

export interface Transcript {
  /** The text that this event adds. */
  readonly push: (event: TranscriptEvent) => string;
  /** The same of a part of what was printed. */
  readonly printed: (output: EventPayload<"output">) => string;
  /** What a new transcript with the same marks that goes on from here would not know of. */
  readonly holds: () => Held;
  readonly marks: () => TranscriptMarks;
  /** What the terminal's unfinished line says so far: a question waits for its answer there. */
  readonly unfinished: () => string;
  /** What an unfinished line still held. */
  readonly flush: () => string;
}

export function createTranscript(marks: TranscriptMarks = noMarks): Transcript {
  const terminal = createCleaner();
  const errors = createCleaner();
  let unfinished = "";
  let { isInJson, isContinued } = marks;

  /** Of a structured harness's standard output only lines that are no JSON: the rest is told by typed events. */
  const plainLines = (data: string): string => {
    const pieces = data.split("\n");
    let text = "";
    pieces.forEach((piece, index) => {
      // Of a line that is JSON only that is remembered: it may be very long.
      if (unfinished === "" && piece.startsWith("{")) isInJson = true;
      if (!isInJson) unfinished += piece;
      if (index === pieces.length - 1) return;
      if (!isInJson && unfinished !== "") text += `${unfinished}\n`;
      unfinished = "";
      isInJson = false;
    });
    return text;
  };

  const printed = ({ data, stream }: EventPayload<"output">): string => {
    if (stream === undefined) return terminal.push(data);
    return stream === "stderr" ? errors.push(data) : plainLines(data);
  };

  const flush = (): string => terminal.flush() + errors.flush() + plainLines("\n");

  /** A run that ended in the middle of a line does not share it with the next one. */
  const newRun = (): string => {
    isContinued = false;
    const held = flush();
    return held === "" || held.endsWith("\n") ? held : `${held}\n`;
  };

  const says = {
    status: on(eventPayloads.status, ({ to }) => (to === "created" ? newRun() : "")),
    output: on(eventPayloads.output, printed),
    message: on(eventPayloads.message, ({ role, text, more }) => {
      const head = isContinued ? "" : role === "user" ? "> " : "";
      isContinued = more === true;
      return `${head}${text}${isContinued ? "" : "\n"}`;
    }),
    output_truncated: on(
      eventPayloads.output_truncated,
      ({ droppedEvents, droppedBytes }) =>
        `[pruned] ${droppedEvents} events with ${droppedBytes} bytes were here\n`,
    ),
    tool: on(eventPayloads.tool, ({ name, state, input, output }) => {
      if (state === "started") return `[${name}] ${input ?? ""}\n`;
      return state === "failed" ? `[${name} failed] ${output ?? ""}\n` : "";
    }),
    result: on(eventPayloads.result, ({ outcome, error, deniedPermissions = [] }) => {
      const denied = deniedPermissions.map(({ tool, input }) => `[denied] ${tool} ${input ?? ""}\n`).join("");
      return outcome === "error" ? `${denied}[error] ${error ?? "the harness reports an error"}\n` : denied;
    }),
  };
  const speakers = new Map<string, (json: string) => string>(Object.entries(says));

  return {
    push: ({ kind, payload_json }) => speakers.get(kind)?.(payload_json) ?? "",
    printed,
    holds() {
      const held = [terminal.holds(), errors.holds(), unfinished === "" ? "nothing" : "line"] as const;
      return held.find((each) => each === "sequence") ?? held.find((each) => each === "line") ?? "nothing";
    },
    marks: () => ({ isInJson, isContinued }),
    unfinished: () => terminal.unfinished(),
    flush,
  };
}

export const noMarks: TranscriptMarks = { isInJson: false, isContinued: false };

/** A payload that is not as expected adds nothing. */
const on =
  <T>(schema: z.ZodType<T>, say: (payload: T) => string) =>
  (json: string): string => {
    const payload = schema.safeParse(JSON.parse(json));
    return payload.success ? say(payload.data) : "";
  };

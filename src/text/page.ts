/**
 * The text of a session in pages: what one page leaves out the next one begins with, and nothing comes twice.
 *
 * What a terminal printed becomes text only with what was printed before it on its line. So a page remembers the last
 * place where nothing was unfinished, from which its text can be made again, and how much of that text was given. The
 * line that is being written may still change: it is shown apart, and given when it has ended.
 */
import { eventPayloads } from "../events.ts";
import { firstBytes, lastBytes } from "./clean.ts";
import { type TranscriptEvent, type TranscriptMarks, createTranscript } from "./transcript.ts";

export interface TextPlace {
  /** The first event to be read. */
  readonly seq: number;
  /** Characters of what it printed that are behind this place. */
  readonly offset: number;
  /** Characters of the text from here on that were given. */
  readonly given: number;
  readonly marks: TranscriptMarks;
}

export interface PageOfText {
  readonly text: string;
  /** Whether there is more to read now. */
  readonly more: boolean;
  /** The line that is being written, as it stands. */
  readonly unfinished?: string;
}

export interface PageWriter {
  /** Answers whether the page takes more. */
  readonly add: (event: TranscriptEvent & { readonly seq: number }) => boolean;
  /** `isOver`: nothing follows, so that what is unfinished stays so. */
  readonly end: (isOver: boolean) => PageOfText & { readonly seen: number; readonly place: TextPlace };
}

/** What one page reads at most, characters: what is no text (pictures, JSON) must not hold up an answer for long. */
const readMax = 4 * 1024 * 1024;

/**
 * How much is made again for the next page at most, characters, where lines do not end; then they are cut. Below
 * `readMax` together with the longest escape sequence, so that each page goes on.
 */
const againMax = 128 * 1024;

export function createPage({
  seen: seenBefore,
  place: start,
  maxBytes,
}: {
  seen: number;
  place: TextPlace;
  maxBytes: number;
}): PageWriter {
  const transcript = createTranscript(start.marks);
  let base = { ...start, given: 0 };
  /** Characters of text since the base, and how many of the next ones were given by earlier pages. */
  let made = 0;
  let known = start.given;
  let isFirst = true;
  let readSinceBase = 0;
  let read = 0;
  let seen = seenBefore;
  let text = "";
  let bytes = 0;
  let isFull = false;

  /** Adds what was made of everything before this place; false when it does not fit. */
  const take = (added: string, at: { seq: number; offset: number }): boolean => {
    const visible = added.slice(known);
    known -= added.length - visible.length;
    const part = fitting(visible, maxBytes - bytes, text === "");
    text += part;
    bytes += Buffer.byteLength(part);
    made += added.length - visible.length + part.length;
    isFull = part.length < visible.length;
    if (isFull) return false;
    const held = transcript.holds();
    if (held === "nothing") rest(at);
    else if (held === "line" && readSinceBase > againMax) return take(transcript.flush(), at);
    return true;
  };

  const rest = (at: { seq: number; offset: number }): void => {
    base = { ...at, given: 0, marks: transcript.marks() };
    made = 0;
    known = 0;
    readSinceBase = 0;
  };

  /** Line by line: where a line has ended, the next page can begin. */
  const takeOutput = (seq: number, payload_json: string): boolean => {
    const payload = eventPayloads.output.safeParse(JSON.parse(payload_json));
    if (!payload.success) return true; // says nothing, as in a transcript
    const { data, ...stream } = payload.data;
    let from = seq === start.seq ? start.offset : 0;
    while (from < data.length) {
      const to = Math.min(
        endOfLine(data, from),
        readSinceBase > againMax ? nextEscape(data, from) : data.length,
      );
      const at = to === data.length ? { seq: seq + 1, offset: 0 } : { seq, offset: to };
      if (!take(transcript.printed({ data: data.slice(from, to), ...stream }), at)) return false;
      from = to;
    }
    return true;
  };

  return {
    add(event) {
      const { seq, kind, payload_json } = event;
      // What the place was in has been pruned.
      if (isFirst && kind === "output_truncated") known = 0;
      isFirst = false;
      const isTaken =
        kind === "output"
          ? takeOutput(seq, payload_json)
          : take(transcript.push(event), { seq: seq + 1, offset: 0 });
      if (!isTaken) return false;
      readSinceBase += payload_json.length;
      read += payload_json.length;
      seen = Math.max(seen, seq);
      isFull = read > readMax;
      return !isFull;
    },

    end(isOver) {
      if (isOver) take(transcript.flush(), { seq: seen + 1, offset: 0 });
      const unfinished = transcript.unfinished();
      const isShown = text === "" || Buffer.byteLength(unfinished) <= maxBytes - bytes;
      const showsLine = !isFull && unfinished !== "" && isShown;
      return {
        text,
        more: isFull || (unfinished !== "" && !isShown),
        ...(showsLine ? { unfinished: lastBytes(unfinished, maxBytes) } : {}),
        seen,
        place: { ...base, given: made + known },
      };
    },
  };
}

const endOfLine = (data: string, from: number): number => data.indexOf("\n", from) + 1 || data.length;

/** Where lines do not end, a place between two escape sequences has to do. */
function nextEscape(data: string, from: number): number {
  const at = data.indexOf("\x1b", from + 1);
  return at < 0 ? data.length : at;
}

/** As many whole lines as fit; where not even one does and nothing else is on the page, as much of it as fits. */
function fitting(text: string, maxBytes: number, mayCutLine: boolean): string {
  const part = firstBytes(text, maxBytes);
  if (part.length === text.length) return part;
  const lineEnd = part.lastIndexOf("\n") + 1;
  return lineEnd === 0 && mayCutLine ? part : part.slice(0, lineEnd);
}

/** What the parsers of structured output share: reading a line, and shortening what tools were given and answered. */
import type { DeniedPermission } from "../../events.ts";

/** The object in a line of JSON, or undefined for anything else. */
export function parseObject(line: string): Readonly<Record<string, unknown>> | undefined {
  // Most lines that are no JSON end here, without the cost of an exception.
  if (!line.trimStart().startsWith("{")) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Characters. Together with the output below one tool row stays under the log's 16 KB, even when all is escaped. */
const toolInputMax = 500;
const toolOutputMax = 1000;

/** Characters. The whole text is in the message rows; the result names only what a screenful needs. */
const resultTextMax = 2000;

/** A lane that was refused again and again says so with its first refusals. */
const deniedMax = 20;
const deniedInputMax = 200;

/** One argument says what a call is about, where the tool is known for it; otherwise all of them as JSON. */
const tellingArguments = ["command", "cmd", "file_path", "notebook_path", "url", "query"] as const;

export function toolInput(input: unknown): string {
  if (typeof input === "string") return oneLine(input, toolInputMax);
  if (isRecord(input)) {
    for (const name of tellingArguments) {
      const value = input[name];
      if (typeof value === "string") return oneLine(value, toolInputMax);
    }
  }
  return input === undefined ? "" : oneLine(JSON.stringify(input), toolInputMax);
}

export const toolOutput = (text: string): string => bothEnds(text.trim(), toolOutputMax);

export const resultText = (text: string): string => bothEnds(text.trim(), resultTextMax);

export const denied = (tool: string, input?: string): DeniedPermission =>
  input === undefined ? { tool } : { tool, input: oneLine(input, deniedInputMax) };

export const firstDenied = (list: readonly DeniedPermission[]): DeniedPermission[] =>
  list.slice(0, deniedMax);

/** Only the part that can matter is looked at, so that a file of megabytes in a tool call costs nothing. */
function oneLine(text: string, max: number): string {
  const line = text
    .slice(0, max * 4)
    .replace(/\s+/g, " ")
    .trim();
  const isWhole = line.length <= max && text.length <= max * 4;
  return isWhole ? line : `${wholeCharacters(line.slice(0, max - 1))}…`;
}

/** The end of a command's output tells how it went, its beginning what it was: both are kept. */
function bothEnds(text: string, max: number): string {
  if (text.length <= max) return text;
  const mark = "\n…\n";
  const half = Math.floor((max - mark.length) / 2);
  return wholeCharacters(text.slice(0, half)) + mark + wholeCharacters(text.slice(-half));
}

/** A cut may fall inside a surrogate pair; the half that is left over is no text. */
const wholeCharacters = (text: string): string => text.replace(/^[\uDC00-\uDFFF]|[\uD800-\uDBFF]$/g, "");

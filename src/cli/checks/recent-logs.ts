/**
 * The end of the daemon's, the hosts' and the crash log, fit to be shown to others: of an entry only what is known to
 * be no prompt and no output. The message of a refused action may quote what was asked, so its code alone is told.
 */
import { closeSync, fstatSync, openSync, readSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { cleanText } from "../../text/clean.ts";

/** How much of each file is read, and how much of it is told, bytes: some two hundred entries. */
const readBytesMax = 512 * 1024;
const toldBytesMax = 40 * 1024;

export function recentLogs(folder: string): object {
  const names = readdirSync(folder)
    .filter((name) => name.endsWith(".log"))
    .map((name) => ({ name, at: statSync(join(folder, name)).mtimeMs }))
    .sort((one, other) => other.at - one.at)
    .map(({ name }) => name);
  const newest = (prefix: string, tell: (line: string) => string[]): string[] => {
    const name = names.find((each) => each.startsWith(prefix));
    return name === undefined ? [] : lastOf(linesAtEnd(join(folder, name)).flatMap(tell));
  };
  return {
    daemon: newest("daemon", toldOf),
    host: newest("host", toldOf),
    crash: newest("crash", (line) => (line.trim() === "" ? [] : [cleanText(line)])),
  };
}

function linesAtEnd(file: string): string[] {
  const descriptor = openSync(file, "r");
  try {
    const { size } = fstatSync(descriptor);
    const buffer = Buffer.alloc(Math.min(size, readBytesMax));
    const count = readSync(descriptor, buffer, 0, buffer.length, size - buffer.length);
    const lines = buffer.toString("utf8", 0, count).split("\n");
    // The first is cut unless the file was read whole.
    return size > readBytesMax ? lines.slice(1) : lines;
  } finally {
    closeSync(descriptor);
  }
}

/** The last lines that fit. */
function lastOf(lines: readonly string[]): string[] {
  const told: string[] = [];
  let bytes = 0;
  for (const line of lines.toReversed()) {
    bytes += Buffer.byteLength(line);
    if (bytes > toldBytesMax) break;
    told.push(line);
  }
  return told.reverse();
}

const plain = z.union([z.string(), z.number(), z.boolean()]).optional().catch(undefined);

const entry = z.object({
  time: z.string(),
  level: z.string(),
  msg: z.string().catch(""),
  action: z.string().optional().catch(undefined),
  code: plain,
  surface: plain,
  // An id of our own says nothing; one that a caller made up may say anything.
  session: z.uuid().optional().catch("(not shown)"),
  run: plain,
  pid: plain,
  host: plain,
  path: plain,
  socket: plain,
  version: plain,
  covenVersion: plain,
  reference: plain,
  queued: plain,
  err: z.object({ type: plain, code: plain, stack: plain }).optional().catch(undefined),
});

function toldOf(line: string): string[] {
  const parsed = entry.safeParse(jsonOf(line));
  if (!parsed.success) return [];
  const { time, level, msg, err, ...rest } = parsed.data;
  const isRefusal = rest.action !== undefined && level === "warn";
  const fields = Object.entries({ ...rest, error: err?.code ?? err?.type })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${value}`);
  const said = [time, level, isRefusal ? "action refused" : msg, ...fields].join(" ");
  const stack = isRefusal ? undefined : framesIn(err?.stack);
  return [cleanText(stack === undefined ? said : `${said} ${stack}`).replaceAll("\n", " ")];
}

/** Where it happened, without the message, which may quote anything. */
const framesIn = (stack: unknown): string | undefined =>
  typeof stack === "string" ? (stack.match(/^ +at .*$/gm) ?? []).slice(0, 8).join("\n") : undefined;

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined; // cut off by a crash
  }
}

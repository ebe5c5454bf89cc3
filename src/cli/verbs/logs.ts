/** `logs`: what daemon and hosts wrote, from all their files, in the order of time. Needs no daemon. */
import { closeSync, fstatSync, openSync, readSync, readdirSync, watch } from "node:fs";
import { basename, join } from "node:path";
import { Option } from "commander";
import * as z from "zod";
import { exitCodes } from "../exit-codes.ts";
import { write } from "../follow.ts";
import { count, isGiven, numberOf, textOf } from "../given.ts";
import { columns, inOneLine } from "../text.ts";
import type { Verb } from "../verb.ts";

const linesShown = 200;

export const logs: Verb = {
  name: "logs",
  summary:
    "What the daemon and its hosts logged: starts, refusals, failed launches, sessions by id and code.",
  options: [
    new Option("--session <id>", "only entries of this session (a prefix is enough)"),
    new Option("--lines <number>", "how many of the last entries").argParser(count).default(linesShown),
    new Option("--follow", "go on with what is logged from now on"),
  ],
  notes: "With --json the entries are printed as they stand in the files, one JSON object a line.",
  async run({ where, json }, { options }) {
    const session = textOf(options["session"]);
    const files = new LogFiles(where.home.logs);
    const wanted = (): Entry[] =>
      files.read().filter((entry) => session === undefined || entry.session.startsWith(session));
    const show = async (entries: readonly Entry[]): Promise<void> => {
      await write(entries.map((entry) => (json ? `${entry.line}\n` : readable(entry))).join(""));
    };
    const before = wanted();
    const shown = Math.max(0, before.length - (numberOf(options["lines"]) ?? linesShown));
    await show(before.slice(shown));
    if (session !== undefined && before.length === 0)
      process.stderr.write(`coven: nothing is logged of a session ${inOneLine(session)}\n`);
    if (!isGiven(options["follow"])) return exitCodes.done;
    await new Promise<void>((_, reject) => {
      watch(where.home.logs, () => void show(wanted()).catch(reject)).on("error", reject);
    });
    return exitCodes.done;
  },
};

const logLine = z.looseObject({
  time: z.string(),
  level: z.string().default(""),
  msg: z.string().default(""),
  process: z.string().default(""),
  session: z.string().default(""),
});
type Entry = z.output<typeof logLine> & { readonly line: string };

/** Remembers how far each file was read, so that the next read answers only what is new. */
class LogFiles {
  readonly #folder: string;
  readonly #read = new Map<number, { bytes: number; rest: string }>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** New entries of all files, by time. */
  read(): Entry[] {
    return this.#names()
      .flatMap((name) => this.#newLines(join(this.#folder, name)))
      .flatMap(entryOf)
      .sort((one, other) => (one.time < other.time ? -1 : one.time > other.time ? 1 : 0));
  }

  #names(): string[] {
    try {
      return readdirSync(this.#folder).filter(
        (name) => name.endsWith(".log") && basename(name) !== "crash.log",
      );
    } catch {
      return []; // nothing was ever logged here
    }
  }

  #newLines(file: string): string[] {
    const descriptor = openSync(file, "r");
    try {
      const { ino, size } = fstatSync(descriptor);
      const { bytes, rest } = this.#read.get(ino) ?? { bytes: 0, rest: "" };
      const buffer = Buffer.alloc(Math.max(0, size - bytes));
      const count = readSync(descriptor, buffer, 0, buffer.length, bytes);
      const lines = (rest + buffer.toString("utf8", 0, count)).split("\n");
      this.#read.set(ino, { bytes: bytes + count, rest: lines.pop() ?? "" });
      return lines;
    } finally {
      closeSync(descriptor);
    }
  }
}

function entryOf(line: string): Entry[] {
  try {
    const entry = logLine.safeParse(JSON.parse(line));
    return entry.success ? [{ ...entry.data, line }] : [];
  } catch {
    return []; // cut off by a crash
  }
}

const shownElsewhere: ReadonlySet<string> = new Set(["time", "level", "msg", "process", "daemonPid", "line"]);

function readable(entry: Entry): string {
  const { time, level, process, msg } = entry;
  const extra = Object.entries(entry)
    .filter(([name, value]) => !shownElsewhere.has(name) && value !== "" && value !== undefined)
    .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  return columns([[time, level.padEnd(5), process.padEnd(6), [msg, ...extra].join(" ")]]);
}

/** `changes`: what a session changed, as a table for people, or with `--diff` as one patch. */
import { Option } from "commander";
import type * as z from "zod";
import { changes as action } from "../../capabilities/changes.ts";
import { capabilityOf, jsonText } from "../action-verb.ts";
import { commandLineOf } from "../arguments.ts";
import { exitCodes } from "../exit-codes.ts";
import { isGiven } from "../given.ts";
import { resolveId, shortId } from "../ids.ts";
import { ended } from "../print.ts";
import { oneLine } from "../text.ts";
import type { Verb } from "../verb.ts";

const { decode, ...commandLine } = commandLineOf(capabilityOf("changes"));

type Changes = z.output<typeof action.output>;
type File = Changes["files"][number];

export const changes: Verb = {
  name: "changes",
  summary: action.summary,
  ...commandLine,
  options: [...commandLine.options, new Option("--diff", "the diffs themselves")],
  notes: "While the session lives this is what has changed so far; afterwards, what had when it ended.",
  async run(cli, given) {
    const input = decode(given);
    const session = await resolveId(cli, String(input["session"]));
    const answer = await cli.call("changes", { ...input, session });
    if (cli.json) process.stdout.write(jsonText(answer));
    else {
      const told = action.output.parse(answer);
      process.stdout.write(isGiven(given.options["diff"]) ? patch(told) : summary(told));
      process.stderr.write(remarks(told));
    }
    return exitCodes.done;
  },
};

function summary(told: Changes): string {
  if (!told.known) return "";
  const { files, filesTotal, insertions, deletions, commits } = told;
  const wide = Math.max(0, ...files.map((file) => nameOf(file).length));
  const rows = files.map((file) => `${nameOf(file).padEnd(wide)}  ${countsOf(file)}\n`);
  const more = filesTotal > files.length ? `… and ${filesTotal - files.length} more\n` : "";
  const sum = `${filesTotal} ${filesTotal === 1 ? "file" : "files"} changed, +${insertions} -${deletions}`;
  const made = commits?.newest.map(({ hash, subject }) => `${hash.slice(0, 10)} ${oneLine(subject, 80)}\n`);
  return [...rows, more, `${sum}\n`, ...(made ?? [])].join("");
}

const nameOf = ({ path, from }: File): string => oneLine(from === undefined ? path : `${from} → ${path}`);

function countsOf({ status, insertions, deletions, omitted }: File): string {
  const counts = insertions === null ? [] : [`+${insertions} -${deletions ?? 0}`];
  const why = omitted === undefined || omitted === "limit" || omitted === "deleted" ? [] : [omitted];
  return [...(status === "modified" ? [] : [status]), ...counts, ...why].join(", ");
}

const patch = ({ files }: Changes): string =>
  files
    .map((file) => {
      const { diff, truncated, omitted = "limit" } = file;
      if (diff === undefined) return `# ${nameOf(file)}: ${countsOf(file)} (no diff: ${omitted})\n`;
      return ended(diff) + (truncated === true ? "# the diff goes on\n" : "");
    })
    .join("");

/** On standard error, so that a patch stays one. */
function remarks({ known, reason, truncated, sharedWith = [], notes, after }: Changes): string {
  if (!known) return `coven: nothing is known of what it changed: ${reason ?? ""}\n`;
  return [
    ...(after === null ? ["as it is now"] : []),
    ...(truncated ? ["not everything is told: name a path, or raise --max-bytes"] : []),
    ...notes.map((note) => oneLine(note)),
    ...(sharedWith.length > 0 ? [`they are ${sharedWith.map(shortId).join(", ")}`] : []),
  ]
    .map((line) => `coven: ${line}\n`)
    .join("");
}

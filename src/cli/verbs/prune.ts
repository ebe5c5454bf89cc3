/** `prune`: the action, with a size as people write it. */
import { InvalidArgumentError, Option } from "commander";
import { prune as action } from "../../capabilities/prune.ts";
import { jsonText } from "../action-verb.ts";
import { exitCodes } from "../exit-codes.ts";
import { isGiven, numberOf, timeWithUnit } from "../given.ts";
import { size } from "../text.ts";
import type { Verb } from "../verb.ts";

export const prune: Verb = {
  name: "prune",
  summary: action.summary,
  options: [
    new Option("--dry-run", "only say what would be removed"),
    new Option("--older-than <time>", "sessions without activity for so long, such as 30d").argParser(
      timeWithUnit,
    ),
    new Option("--max-size <size>", "until the store is no larger, such as 5GB or 500MB").argParser(bytesOf),
  ],
  notes: `Without --older-than or --max-size config.json says how much is kept; the daemon prunes by it every hour.
Live sessions are never touched. Where something was removed the log says how much.`,
  async run(cli, { options }) {
    const olderThanMs = numberOf(options["olderThan"]);
    const maxBytes = numberOf(options["maxSize"]);
    const answer = await cli.call("prune", {
      dryRun: isGiven(options["dryRun"]),
      ...(olderThanMs === undefined ? {} : { olderThanMs }),
      ...(maxBytes === undefined ? {} : { maxBytes }),
    });
    if (cli.json) process.stdout.write(jsonText(answer));
    else {
      const { dryRun, sessions, events, bytes, usedBytes } = action.output.parse(answer);
      const what = `${events} events of ${sessions} sessions, ${size(bytes)}`;
      const did = dryRun ? "would remove" : "removed";
      process.stdout.write(
        `${did} ${what}\nthe store ${dryRun ? "has" : "now has"} ${size(usedBytes)} in use\n`,
      );
    }
    return exitCodes.done;
  },
};

const units: ReadonlyMap<string, number> = new Map([
  ["b", 1],
  ["kb", 1e3],
  ["mb", 1e6],
  ["gb", 1e9],
  ["tb", 1e12],
]);

/** `5GB` or `500mb`: a bare number is refused, since as bytes it would leave nothing. */
function bytesOf(text: string): number {
  const [, number = "", unit = ""] = /^(\d{1,9}(?:\.\d{1,3})?)([a-z]{1,2})$/.exec(text.toLowerCase()) ?? [];
  const factor = units.get(unit);
  if (number === "" || factor === undefined)
    throw new InvalidArgumentError("It must be a size such as 500MB or 5GB.");
  return Math.round(Number(number) * factor);
}

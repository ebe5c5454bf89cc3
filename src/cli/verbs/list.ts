/** `list`: the newest sessions, and the live ones among the older, since those are what one looks for. */
import { Option } from "commander";
import { list as action } from "../../capabilities/list.ts";
import { capabilityOf, jsonText } from "../action-verb.ts";
import { commandLineOf } from "../arguments.ts";
import { exitCodes } from "../exit-codes.ts";
import { isGiven } from "../given.ts";
import { printed, sessionTree } from "../print.ts";
import type { Verb } from "../verb.ts";

const treeOption = new Option("--tree", "each session below the one that launched it");

const { decode, ...commandLine } = commandLineOf(capabilityOf("list"));

export const list: Verb = {
  name: "list",
  summary: action.summary,
  ...commandLine,
  options: [...commandLine.options, treeOption],
  notes: "Live sessions come first, older ones than the page included; then the newest.",
  async run(cli, given) {
    const input = decode(given);
    const page = action.output.parse(await cli.call("list", input));
    const isWhole = page.nextCursor === null || "status" in input || "cursor" in input;
    if (!cli.json && !isWhole) {
      const shown = new Set(page.sessions.map(({ id }) => id));
      const live = action.output.parse(await cli.call("list", { ...input, status: "running" }));
      page.sessions.push(...live.sessions.filter(({ id }) => !shown.has(id)));
    }
    const isTree = isGiven(given.options["tree"]);
    const text = (): string => (isTree ? sessionTree(page.sessions) : printed("list", page));
    process.stdout.write(cli.json ? jsonText(page) : text());
    return exitCodes.done;
  },
};

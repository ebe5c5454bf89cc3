/** `list`: the newest sessions, and the live ones among the older, since those are what one looks for. */
import { Option } from "commander";
import type * as z from "zod";
import { list as action, listPage } from "../../capabilities/list.ts";
import type { wakeRecord } from "../../capabilities/records.ts";
import { wakes, wakesMax } from "../../capabilities/wakes.ts";
import { Failure } from "../../errors.ts";
import { capabilityOf, jsonText } from "../action-verb.ts";
import { commandLineOf } from "../arguments.ts";
import { exitCodes } from "../exit-codes.ts";
import { isGiven } from "../given.ts";
import { type Waiting, sessionList, sessionTree } from "../print.ts";
import type { Cli, Verb } from "../verb.ts";

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
    if (cli.json) {
      process.stdout.write(jsonText(await cli.call("list", input)));
      return exitCodes.done;
    }
    // What is printed of each is chosen below, whatever was asked for.
    const asked = { ...input, detail: "full" };
    const page = listPage.parse(await cli.call("list", asked));
    const isWhole = page.nextCursor === null || "status" in input || "cursor" in input;
    if (!isWhole) {
      const shown = new Set(page.sessions.map(({ id }) => id));
      const live = listPage.parse(await cli.call("list", { ...asked, status: "running" }));
      page.sessions.push(...live.sessions.filter(({ id }) => !shown.has(id)));
    }
    if ("attention" in input && page.sessions.length === 0) {
      process.stdout.write("no session asks anything\n");
      return exitCodes.done;
    }
    const waits = await waitingWakes(cli);
    const isTree = isGiven(given.options["tree"]);
    process.stdout.write(isTree ? sessionTree(page.sessions, waits) : sessionList(page, waits));
    return exitCodes.done;
  },
};

/** How many there are by session, of the newest that wait. */
async function waitingWakes(cli: Cli): Promise<Waiting> {
  const waits = new Map<string, { count: number; isHeld: boolean }>();
  for (const { session, held } of await openWakes(cli)) {
    const { count, isHeld } = waits.get(session) ?? { count: 0, isHeld: false };
    waits.set(session, { count: count + 1, isHeld: isHeld || held !== undefined });
  }
  return waits;
}

async function openWakes(cli: Cli): Promise<z.output<typeof wakeRecord>[]> {
  try {
    return wakes.output.parse(await cli.call("wakes", { limit: wakesMax })).wakes;
  } catch (error) {
    // A daemon that was started before an upgrade may not know it.
    if (error instanceof Failure && error.code === "unknown_action") return [];
    throw error;
  }
}

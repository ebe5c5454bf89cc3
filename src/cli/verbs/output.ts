/** `output`: all the raw bytes a session has printed, streamed; with `--json` one page of them, as the action has it. */
import { actionVerb, capabilityOf } from "../action-verb.ts";
import { exitCodes } from "../exit-codes.ts";
import { write } from "../follow.ts";
import { textOf } from "../given.ts";
import { resolveId } from "../ids.ts";
import type { Verb } from "../verb.ts";

const page = actionVerb("output");

export const output: Verb = {
  ...page,
  summary: "All the raw bytes a session printed, as they were; tail gives readable text instead.",
  notes: `With --json: ${capabilityOf("output").summary}`,
  async run(cli, given) {
    if (cli.json) return page.run(cli, given);
    const session = await resolveId(cli, textOf(given.arguments[0]) ?? "");
    await cli.call("record", { session });
    for await (const bytes of cli.client.output(session)) await write(bytes);
    return exitCodes.done;
  },
};

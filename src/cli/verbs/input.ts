/** `input`: text from the words or standard input; its last newline is Enter, as typing it would be. */
import { Argument, Option } from "commander";
import { keyNames } from "../../capabilities/keys.ts";
import { capabilityOf, intentOf, intentOption, jsonText } from "../action-verb.ts";
import { exitCodes } from "../exit-codes.ts";
import { isGiven, repeated, textOf, textsOf } from "../given.ts";
import { resolveId } from "../ids.ts";
import { standardInput } from "../standard-input.ts";
import type { Verb } from "../verb.ts";

export const input: Verb = {
  name: "input",
  summary: capabilityOf("input").summary,
  arguments: [
    new Argument("<session>", "session id"),
    new Argument("[text]", "text to type; standard input unless given"),
  ],
  options: [
    new Option(
      "--key <name>",
      `key to press after the text: ${keyNames.join(", ")} (may be repeated)`,
    ).argParser(repeated),
    new Option("--end", "close the input of a stream session, after the text: it ends after its turn"),
    new Option("--raw", "send exactly these bytes: the last newline stays a newline"),
    intentOption,
  ],
  notes: `A newline at the end of the text is sent as Enter, one inside it as it is; in mode stream the text is one message.
Standard input is not read when a key or --end is given.`,
  async run(cli, given) {
    const {
      arguments: [id, words],
      options,
    } = given;
    const keys = textsOf(options["key"]);
    const end = isGiven(options["end"]);
    const text =
      textOf(words) ??
      (keys.length > 0 || end
        ? undefined
        : await standardInput({
            verb: "input",
            missing: "no text and no key was given",
            hint: 'Pass a text, --key enter, or pipe it in: echo "y" | coven input <session>',
          }));
    const data = text === undefined || isGiven(options["raw"]) ? text : text.replace(/\r?\n$/, "\r");
    const session = await resolveId(cli, textOf(id) ?? "");
    const args = {
      session,
      ...(data === undefined ? {} : { data }),
      ...(keys.length === 0 ? {} : { keys }),
      ...(end ? { end } : {}),
    };
    const answer = await cli.call("input", args, intentOf(given));
    if (cli.json) process.stdout.write(jsonText(answer));
    return exitCodes.done;
  },
};

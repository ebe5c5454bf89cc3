/** `input`: text from the words or standard input; its last newline is Enter, as typing it would be. */
import { Argument, Option } from "commander";
import { keyNames } from "../capabilities/keys.ts";
import { Failure } from "../errors.ts";
import { capabilityOf, jsonText } from "./action-verb.ts";
import { exitCodes } from "./exit-codes.ts";
import { isGiven, repeated, textOf, textsOf } from "./given.ts";
import { resolveId } from "./ids.ts";
import type { Verb } from "./verb.ts";

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
    new Option("--raw", "send exactly these bytes: the last newline stays a newline"),
  ],
  notes: "A newline at the end of the text is sent as Enter, one inside it as it is.",
  async run(cli, { arguments: [id, words], options }) {
    const keys = textsOf(options["key"]);
    const text = textOf(words) ?? (keys.length > 0 ? undefined : await standardInput());
    const data = text === undefined || isGiven(options["raw"]) ? text : text.replace(/\r?\n$/, "\r");
    const session = await resolveId(cli, textOf(id) ?? "");
    const args = { session, ...(data === undefined ? {} : { data }), ...(keys.length === 0 ? {} : { keys }) };
    const answer = await cli.call("input", args);
    if (cli.json) process.stdout.write(jsonText(answer));
    return exitCodes.done;
  },
};

async function standardInput(): Promise<string> {
  if (process.stdin.isTTY) {
    throw new Failure("invalid_request", "input: no text and no key was given", {
      hint: 'Pass a text, --key enter, or pipe it in: echo "y" | coven input <session>',
    });
  }
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin)
    chunks.push(Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk)));
  const bytes = Buffer.concat(chunks);
  const text = bytes.toString("utf8");
  if (bytes.length === 0) {
    throw new Failure("invalid_request", "input: standard input is empty", {
      hint: "Pass a text, --key enter, or pipe something in.",
    });
  }
  if (Buffer.from(text).equals(bytes)) return text;
  throw new Failure("invalid_request", "input: standard input is no UTF-8 text", {
    hint: "Sessions take text; send other keys by name with --key.",
  });
}

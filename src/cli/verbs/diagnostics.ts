/** `diagnostics`: one small file for whoever is to help, without prompts, output, names or secrets. Starts nothing. */
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { Option } from "commander";
import { Failure } from "../../errors.ts";
import { jsonText } from "../action-verb.ts";
import { sectionsOf } from "../checks/diagnosis.ts";
import { exitCodes } from "../exit-codes.ts";
import { textOf } from "../given.ts";
import { columns, size } from "../text.ts";
import type { Verb } from "../verb.ts";

export const diagnostics: Verb = {
  name: "diagnostics",
  summary:
    "Writes a small file for a bug report: versions, system, daemon, config, harness paths and recent logs.",
  options: [
    new Option("--command <command>", "the command that failed"),
    new Option("--code <code>", "the code it failed with"),
    new Option(
      "--output <file>",
      "where to write it; coven-diagnostics-<time>.json in this folder unless given",
    ),
  ],
  notes: `Secrets, your name and the path of your home are replaced; prompts and what sessions printed are not in it.
Read it before you share it.`,
  async run(cli, { options }) {
    const file = resolve(textOf(options["output"]) ?? `coven-diagnostics-${timestamp()}.json`);
    const sections = await sectionsOf(cli, {
      command: textOf(options["command"]),
      code: textOf(options["code"]),
    });
    const text = jsonText(Object.fromEntries(sections));
    writeNew(file, text);
    const contents = sections.map(([name, value]) => ({
      name,
      bytes: Buffer.byteLength(JSON.stringify(value)),
    }));
    if (cli.json)
      process.stdout.write(jsonText({ file, bytes: Buffer.byteLength(text), sections: contents }));
    else {
      process.stdout.write(
        `wrote ${file} (${size(Buffer.byteLength(text))})\n` +
          columns(contents.map(({ name, bytes }) => [`  ${name}`, size(bytes)])) +
          "Review it before you share it.\n",
      );
    }
    return exitCodes.done;
  },
};

const timestamp = (): string => new Date().toISOString().replace(/\..*$/, "").replace(/[:]/g, "-");

/** The owner's alone, and never in place of another file. */
function writeNew(file: string, text: string): void {
  try {
    writeFileSync(file, text, { flag: "wx", mode: 0o600 });
  } catch (cause) {
    const isThere = cause instanceof Error && "code" in cause && cause.code === "EEXIST";
    const why = isThere ? "it exists" : cause instanceof Error ? cause.message : String(cause);
    throw new Failure("invalid_request", `${file} is not written: ${why}`, {
      hint: "Name another file with --output.",
      details: { file },
      cause,
    });
  }
}

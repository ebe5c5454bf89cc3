/** `cast`: does what Cast Codes say, in the project around the working directory unless another is named. */
import { cast as action } from "../../capabilities/cast.ts";
import { failures, isFailureCode } from "../../errors.ts";
import { intentOf, intentOption, jsonText } from "../action-verb.ts";
import { commandLineOf } from "../arguments.ts";
import { exitCodes } from "../exit-codes.ts";
import { textOf } from "../given.ts";
import { resolveId } from "../ids.ts";
import { printed } from "../print.ts";
import { projectAround } from "../project.ts";
import type { Verb } from "../verb.ts";

const { decode, ...commandLine } = commandLineOf(action);

export const cast: Verb = {
  name: "cast",
  summary: action.summary,
  ...commandLine,
  options: [...commandLine.options, intentOption],
  notes: `coven cast '~?'
coven cast '~sage: review this diff'
coven cast '~* "new constraint: local only"'
coven cast --dry-run '~^sage: go on'

Put the text in single quotes, or the shell takes the tilde for itself. Nothing is done where any of it is a problem.
The exit code is that of the first action that failed, if one did.`,
  async run(cli, given) {
    const input = decode(given);
    const target = textOf(input["target"]);
    const asked = {
      // Of a session that casts it is its own.
      ...(cli.env["COVEN_SESSION_ID"] === undefined ? { projectRoot: projectAround(process.cwd()) } : {}),
      ...input,
      ...(target === undefined ? {} : { target: await resolveId(cli, target) }),
    };
    const answer = action.output.parse(await cli.call("cast", asked, { env: cli.env, ...intentOf(given) }));
    process.stdout.write(cli.json ? jsonText(answer) : printed("cast", answer));
    const failed = answer.results?.find(({ error }) => error !== undefined)?.error?.code;
    return failed === undefined
      ? exitCodes.done
      : failures[isFailureCode(failed) ? failed : "internal_error"].exit;
  },
};

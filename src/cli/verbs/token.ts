/** `token`: shows the owner's token, for the daemon's port on TCP. Needs no daemon. */
import { Option } from "commander";
import { isRunToken } from "../../caller-token.ts";
import { Failure } from "../../errors.ts";
import { prepareHome } from "../../home.ts";
import { ensureOwnerToken, rotateOwnerToken } from "../../owner-token.ts";
import { endpointName } from "../../rpc/endpoint.ts";
import { jsonText } from "../action-verb.ts";
import { exitCodes } from "../exit-codes.ts";
import { isGiven } from "../given.ts";
import type { Verb } from "../verb.ts";

export const token: Verb = {
  name: "token",
  summary: "Prints the owner's token, which the daemon asks for on TCP (coven daemon start --tcp).",
  notes: `Whoever has it may do everything that you may: hand it on as COVEN_TOKEN, not in a command line.
It stands in the file token of COVEN_HOME, made when it is first asked for.`,
  options: [new Option("--rotate", "put a new one in its place; the old one counts no more")],
  run({ where, json, env }, { options }) {
    if (!where.isOwn) {
      throw new Failure(
        "invalid_request",
        `the token of the daemon at ${endpointName(where.endpoint)} is not here`,
        {
          hint: "Leave out --url and COVEN_URL to see the one of COVEN_HOME.",
        },
      );
    }
    // A confused agent must not become its owner by following a hint.
    const { token: own } = where.endpoint;
    if (env["COVEN_RUN_ID"] || (own !== undefined && isRunToken(own))) {
      throw new Failure("not_permitted", "the owner's token is not shown to a run of Coven", {
        hint: "A run has a token of its own in COVEN_TOKEN, which coven shows by itself.",
      });
    }
    prepareHome(where.home);
    const shown = isGiven(options["rotate"]) ? rotateOwnerToken(where.home) : ensureOwnerToken(where.home);
    process.stdout.write(json ? jsonText({ token: shown, file: where.home.token }) : `${shown}\n`);
    return Promise.resolve(exitCodes.done);
  },
};

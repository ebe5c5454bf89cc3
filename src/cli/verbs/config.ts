/** `config`: the settings that hold, where each comes from, and what is wrong in the file. Needs no daemon. */
import { loadConfig } from "../../config.ts";
import { Failure } from "../../errors.ts";
import { endpointName } from "../../rpc/endpoint.ts";
import { jsonText } from "../action-verb.ts";
import { exitCodes } from "../exit-codes.ts";
import { columns, inOneLine } from "../text.ts";
import type { Verb } from "../verb.ts";

export const config: Verb = {
  name: "config",
  summary: "The settings that hold and where each comes from: config.json of COVEN_HOME, or the default.",
  notes: `{"retention": {"maxAgeDays": 90, "maxMegabytes": 10000}} are the defaults; null is no limit.
The daemon reads the file again whenever it prunes. Exits 1 when something in it is wrong and does not count.`,
  run({ where, json }) {
    if (!where.isOwn) {
      const address = endpointName(where.endpoint);
      throw new Failure(
        "invalid_request",
        `the config of the daemon at ${address} cannot be read from here`,
        {
          hint: "Leave out --url and COVEN_URL to see the one of COVEN_HOME.",
        },
      );
    }
    const { settings, problems } = loadConfig(where.home);
    const file = where.home.config;
    if (json) process.stdout.write(jsonText({ file, settings, problems }));
    else {
      process.stdout.write(
        columns([
          ["SETTING", "VALUE", "FROM"],
          ...settings.map(({ key, value, source }) => [
            key,
            value === null ? "no limit" : String(value),
            source === "default" ? source : file,
          ]),
        ]),
      );
      for (const problem of problems) process.stderr.write(`coven: config: ${inOneLine(problem)}\n`);
    }
    return Promise.resolve(problems.length === 0 ? exitCodes.done : exitCodes.notAllWell);
  },
};

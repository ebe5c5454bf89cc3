/** `doctor`: one look at everything a session needs, each with what to do about it. Starts nothing, changes nothing. */
import { daemon, familiars, harnesses } from "../checks/check-daemon.ts";
import { config, disk, home, node, project, store } from "../checks/check-home.ts";
import type { Check } from "../checks/check.ts";
import { exitCodes } from "../exit-codes.ts";
import { columns } from "../text.ts";
import type { Cli, Verb } from "../verb.ts";

export const doctor: Verb = {
  name: "doctor",
  summary:
    "Checks home, store, disk, config, socket, project and harnesses, and says what to do about what is wrong.",
  notes: "Exits 1 when a check fails. A warning is no failure.",
  async run(cli) {
    const checks = await allChecks(cli);
    const isWell = checks.every(({ outcome }) => outcome !== "fail");
    process.stdout.write(cli.json ? `${JSON.stringify({ ok: isWell, checks }, null, 2)}\n` : report(checks));
    return isWell ? exitCodes.done : exitCodes.notAllWell;
  },
};

export async function allChecks(cli: Cli): Promise<Check[]> {
  const asked = await Promise.all([daemon(cli), harnesses(cli), familiars(cli)]);
  return [
    node(),
    // Of a daemon that was named by an address none of these is known here.
    ...(cli.where.isOwn ? [home(cli), store(cli), disk(cli), ...config(cli)] : []),
    ...asked[0],
    project(),
    ...asked[1],
    ...asked[2],
  ];
}

const report = (checks: readonly Check[]): string =>
  columns(
    checks.flatMap(({ name, outcome, found, hint }) => [
      [outcome.toUpperCase(), name, found],
      ...(hint === undefined ? [] : [["", "", `→ ${hint}`]]),
    ]),
  );

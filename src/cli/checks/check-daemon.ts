/** What doctor asks the daemon. Starts none, and waits for none that hangs. */
import { existsSync } from "node:fs";
import { capabilities } from "../../capabilities/capabilities.ts";
import { familiars as roster } from "../../capabilities/familiars.ts";
import type { CapabilityRecord } from "../../capabilities/records.ts";
import { Failure } from "../../errors.ts";
import { answerMsMax } from "../../rpc/client.ts";
import { endpointName } from "../../rpc/endpoint.ts";
import { type Check, fail, failed, pass, warn } from "./check.ts";
import { healthSoon } from "../daemon-process.ts";
import { otherDaemonHint } from "../../rpc/endpoint.ts";
import type { Cli } from "../verb.ts";

export async function daemon(cli: Cli): Promise<Check[]> {
  const { home, endpoint, isOwn } = cli.where;
  try {
    const running = await healthSoon(cli.client);
    if (running === undefined) {
      const socket = endpointName(endpoint);
      if (!isOwn) return [fail("daemon", `nothing listens on ${socket}`, otherDaemonHint)];
      const found = existsSync(home.socket)
        ? `${socket} is left over, nothing listens`
        : `nothing listens on ${socket}`;
      return [warn("daemon", found, "Any verb that needs it starts it, or: coven daemon start")];
    }
    const { daemon, covenVersion, apiVersion } = running;
    const found = `pid ${daemon.pid} on ${daemon.socket}, ${apiVersion}`;
    if (covenVersion === cli.version) return [pass("daemon", found)];
    return [
      warn(
        "daemon",
        `${found}: version ${covenVersion}, this is ${cli.version}`,
        "coven daemon restart keeps the sessions",
      ),
    ];
  } catch (error) {
    return [failed("daemon", error)];
  }
}

/** What of familiars.json is wrong; one that is right is worth a line. */
export async function familiars(cli: Cli): Promise<Check[]> {
  try {
    const signal = AbortSignal.timeout(answerMsMax);
    const {
      familiars: known,
      source,
      problems = [],
    } = roster.output.parse(await cli.client.call("familiars", {}, { signal }));
    const hint = "Correct the file: what is wrong is left out, the others work. coven familiars shows them.";
    if (problems.length > 0) return problems.map((problem) => warn("familiars", problem, hint));
    return source === "harnesses" ? [] : [pass("familiars", known.map(({ id }) => id).join(", "))];
  } catch (error) {
    // Why none answers, or an older one, is the daemon's check.
    if (error instanceof Failure && ["runtime_unavailable", "unknown_action"].includes(error.code)) return [];
    return [failed("familiars", error)];
  }
}

/** As the daemon finds them, and as a run from this shell would, which brings its own PATH. */
export async function harnesses(cli: Cli): Promise<Check[]> {
  try {
    const signal = AbortSignal.timeout(answerMsMax);
    const daemons = capabilities.output.parse(await cli.client.call("capabilities", {}, { signal }));
    const callers = capabilities.output.parse(
      await cli.client.call("capabilities", {}, { env: cli.env, signal }),
    );
    const here = new Map(callers.capabilities.map((record) => [record.id, record]));
    return [
      ...daemons.capabilities
        .filter(({ id }) => id.startsWith("harness."))
        .map((record) => harness(record, here.get(record.id)?.path)),
      ...(daemons.problems ?? []).map((problem) =>
        warn("manifest", problem, "Correct the manifest; coven daemon restart reads it again."),
      ),
    ];
  } catch (error) {
    // Why it does not answer is the daemon's check.
    if (error instanceof Failure && error.code === "runtime_unavailable")
      return [
        warn(
          "harnesses",
          "only a daemon can say which it finds",
          cli.where.isOwn ? "coven daemon start" : otherDaemonHint,
        ),
      ];
    return [failed("harnesses", error)];
  }
}

function harness({ id, path, hint = "" }: CapabilityRecord, pathHere: string | undefined): Check {
  const name = id.replace("harness.", "");
  if (path === undefined && pathHere === undefined)
    return warn(name, "not on the daemon's PATH, nor on yours", hint);
  if (path === pathHere) return pass(name, path ?? "");
  return warn(
    name,
    `the daemon finds ${path ?? "none"}, a run from this shell ${pathHere ?? "none"}`,
    "Other callers get the daemon's: coven daemon restart from this shell makes them the same.",
  );
}

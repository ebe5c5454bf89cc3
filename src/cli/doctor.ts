/** `doctor`: one look at everything a session needs, each with what to do about it. Starts nothing, changes nothing. */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  lstatSync,
  openSync,
  readSync,
  statSync,
} from "node:fs";
import { dirname } from "node:path";
import { capabilities } from "../capabilities/capabilities.ts";
import type { CapabilityRecord } from "../capabilities/records.ts";
import { Failure } from "../errors.ts";
import { hostSocketPath, requirePrivate } from "../home.ts";
import { endpointName } from "../rpc/client.ts";
import { healthOf, isNotListening } from "./daemon-process.ts";
import { otherDaemonHint } from "./endpoint.ts";
import { exitCodes } from "./exit-codes.ts";
import { gitRootAround } from "./project.ts";
import { columns } from "./text.ts";
import type { Cli, Verb } from "./verb.ts";

type Outcome = "pass" | "warn" | "fail";

interface Check {
  readonly name: string;
  readonly outcome: Outcome;
  readonly found: string;
  readonly hint?: string;
}

export const doctor: Verb = {
  name: "doctor",
  summary: "Checks home, store, socket, project and harnesses, and says what to do about what is wrong.",
  notes: "Exits 1 when a check fails. A warning is no failure.",
  async run(cli) {
    const checks = [
      node(),
      // Of a daemon that was named by an address neither is known here.
      ...(cli.where.isOwn ? [home(cli), store(cli)] : []),
      ...(await daemon(cli)),
      project(),
      ...(await harnesses(cli)),
    ];
    const isWell = checks.every(({ outcome }) => outcome !== "fail");
    process.stdout.write(cli.json ? `${JSON.stringify({ ok: isWell, checks }, null, 2)}\n` : report(checks));
    return isWell ? exitCodes.done : exitCodes.notAllWell;
  },
};

const report = (checks: readonly Check[]): string =>
  columns(
    checks.flatMap(({ name, outcome, found, hint }) => [
      [outcome.toUpperCase(), name, found],
      ...(hint === undefined ? [] : [["", "", `→ ${hint}`]]),
    ]),
  );

const pass = (name: string, found: string): Check => ({ name, outcome: "pass", found });
const warn = (name: string, found: string, hint: string): Check => ({ name, outcome: "warn", found, hint });
const fail = (name: string, found: string, hint: string): Check => ({ name, outcome: "fail", found, hint });

const failed = (name: string, error: unknown): Check =>
  error instanceof Failure
    ? fail(name, `${error.code}: ${error.message}`, error.hint ?? "See coven logs.")
    : fail(name, String(error), "See coven logs.");

const node = (): Check => pass("node", `${process.version} (${process.execPath})`);

/** As src/home.ts, which refuses them when a daemon starts. */
const socketPathBytesMax = process.platform === "darwin" ? 103 : 107;
const pidMax = 4_194_304;

function home({ where: { home } }: Cli): Check {
  const socketBytes = Buffer.byteLength(hostSocketPath(home, pidMax));
  if (socketBytes > socketPathBytesMax) {
    const found = `${home.root}: socket paths in it are ${socketBytes} bytes long; at most ${socketPathBytesMax} work`;
    return fail("home", found, "Set COVEN_HOME to a shorter path.");
  }
  try {
    if (!isThere(home.root)) return homeToBe(home.root);
    requirePrivate(home.root);
    return pass("home", `${home.root}${home.isDefault ? "" : " (COVEN_HOME)"}`);
  } catch (error) {
    return failed("home", error);
  }
}

/** Also a link that leads nowhere, which is no place for a home. */
function isThere(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** As the daemon will make it, with the folders on the way. */
function homeToBe(root: string): Check {
  let place = dirname(root);
  while (!existsSync(place)) place = dirname(place);
  const hint = "Set COVEN_HOME to a directory of your own.";
  if (!statSync(place).isDirectory())
    return fail("home", `${root} cannot be made: ${place} is not a directory`, hint);
  try {
    accessSync(place, constants.W_OK | constants.X_OK);
  } catch {
    return fail("home", `${root} cannot be made: ${place} is not writable`, hint);
  }
  return pass("home", `${root} (made when the daemon first starts)`);
}

/** What every SQLite file begins with, and where it says whose it is; the daemon looks closer when it opens it. */
const sqliteHead = "SQLite format 3\0";
const applicationIdAt = 68;
const ourApplicationId = 0x436f766e;

function store({ where: { home } }: Cli): Check {
  if (!existsSync(home.ledger)) return pass("store", "none yet");
  try {
    const head = firstBytes(home.ledger, 100);
    if (head.length === 0) return pass("store", `${home.ledger} (empty)`);
    const id = head.length < 100 ? 0 : head.readUInt32BE(applicationIdAt);
    const isOurs = id === ourApplicationId || (id === 0 && existsSync(`${home.ledger}-wal`));
    if (head.toString("latin1", 0, sqliteHead.length) === sqliteHead && isOurs)
      return pass("store", home.ledger);
    return fail(
      "store",
      `${home.ledger} is no store of this program`,
      "Move it away, or set COVEN_HOME to another folder.",
    );
  } catch (error) {
    return fail("store", `${home.ledger} cannot be read: ${String(error)}`, "It must belong to you.");
  }
}

function firstBytes(file: string, count: number): Buffer {
  const descriptor = openSync(file, "r");
  try {
    const bytes = Buffer.alloc(count);
    return bytes.subarray(0, readSync(descriptor, bytes));
  } finally {
    closeSync(descriptor);
  }
}

async function daemon(cli: Cli): Promise<Check[]> {
  const { home, endpoint, isOwn } = cli.where;
  try {
    const running = await healthOf(cli.client);
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

function project(): Check {
  const root = gitRootAround(process.cwd());
  if (root !== undefined) return pass("project", root);
  return warn(
    "project",
    `${process.cwd()} is in no git repository`,
    "Runs stay in this folder; git shows what they change.",
  );
}

/** As the daemon finds them, and as a run from this shell would, which brings its own PATH. */
async function harnesses(cli: Cli): Promise<Check[]> {
  try {
    const daemons = capabilities.output.parse(await cli.client.call("capabilities", {}));
    const callers = capabilities.output.parse(await cli.client.call("capabilities", {}, { env: cli.env }));
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
    if (isNotListening(error))
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

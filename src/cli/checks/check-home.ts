/** What doctor looks at on this machine: the home with store, config and disk, and the project. Changes nothing. */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  lstatSync,
  openSync,
  readSync,
  statSync,
  statfsSync,
} from "node:fs";
import { dirname } from "node:path";
import { loadConfig } from "../../config.ts";
import { hostSocketPath, requirePrivate } from "../../home.ts";
import { type Check, fail, failed, pass, warn } from "./check.ts";
import { gitRootAround } from "../project.ts";
import { size } from "../text.ts";
import type { Cli } from "../verb.ts";

export const node = (): Check => pass("node", `${process.version} (${process.execPath})`);

/** As src/home.ts, which refuses them when a daemon starts. */
const socketPathBytesMax = process.platform === "darwin" ? 103 : 107;
const pidMax = 4_194_304;

export function home({ where: { home } }: Cli): Check {
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

/** The place itself, or where it would be made. */
function nearestFolder(path: string): string {
  let place = path;
  while (!existsSync(place)) place = dirname(place);
  return place;
}

/** As the daemon will make it, with the folders on the way. */
function homeToBe(root: string): Check {
  const place = nearestFolder(dirname(root));
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

/** Room below which doctor warns, and below which a session could hardly begin, bytes: a flood fills it in a minute. */
const nearlyFullBytes = 1e9;
const fullBytes = 64e6;

export function disk({ where: { home } }: Cli): Check {
  const place = nearestFolder(home.root);
  try {
    const { bavail, bsize } = statfsSync(place);
    const free = bavail * bsize;
    const found = `${size(free)} free for ${home.root}`;
    const hint = "Make room on that disk; coven prune --older-than 30d makes some inside the store.";
    if (free < fullBytes) return fail("disk", `${found}: it is full`, hint);
    return free < nearlyFullBytes ? warn("disk", `${found}: it is nearly full`, hint) : pass("disk", found);
  } catch (error) {
    return failed("disk", error);
  }
}

export function config({ where: { home } }: Cli): Check[] {
  const { problems, settings } = loadConfig(home);
  const set = settings.filter(({ source }) => source !== "default").map(({ key }) => key);
  if (problems.length === 0)
    return [pass("config", set.length === 0 ? "all defaults" : `config.json sets ${set.join(", ")}`)];
  return problems.map((problem) =>
    warn(
      "config",
      problem,
      "Correct the file: what cannot be read counts as not given, and keeps logs from being pruned. coven config shows what holds.",
    ),
  );
}

/** What every SQLite file begins with, and where it says whose it is; the daemon looks closer when it opens it. */
const sqliteHead = "SQLite format 3\0";
const versionAt = 60;
const applicationIdAt = 68;
const ourApplicationId = 0x436f766e;
/** The steps of src/store/migrations.ts; a test holds the two together. */
const knownVersion = 5;

export function store({ where: { home } }: Cli): Check {
  if (!existsSync(home.ledger)) return pass("store", "none yet");
  try {
    const head = firstBytes(home.ledger, 100);
    if (head.length === 0) return pass("store", `${home.ledger} (empty)`);
    const id = head.length < 100 ? 0 : head.readUInt32BE(applicationIdAt);
    const isOurs = id === ourApplicationId || (id === 0 && existsSync(`${home.ledger}-wal`));
    if (head.toString("latin1", 0, sqliteHead.length) !== sqliteHead || !isOurs) {
      const hint = "Move it away, or set COVEN_HOME to another folder.";
      return fail("store", `${home.ledger} is no store of this program`, hint);
    }
    const version = head.readUInt32BE(versionAt);
    if (version <= knownVersion) return pass("store", home.ledger);
    return fail(
      "store",
      `${home.ledger} was written by a newer Coven (version ${version}, this one knows ${knownVersion})`,
      "Install the newer Coven again, or set COVEN_HOME to another folder.",
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

export function project(): Check {
  const root = gitRootAround(process.cwd());
  if (root !== undefined) return pass("project", root);
  return warn(
    "project",
    `${process.cwd()} is in no git repository`,
    "Runs stay in this folder; git shows what they change.",
  );
}

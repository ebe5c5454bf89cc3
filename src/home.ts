/**
 * COVEN_HOME: where everything that Coven keeps on this machine stands. The folder is the owner's alone (0700);
 * whoever can write to it could launch programs as the owner, so anything looser is refused rather than repaired.
 */
import { chmodSync, lstatSync, mkdirSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import { Failure } from "./errors.ts";

export interface Home {
  readonly root: string;
  /** The socket of the API. */
  readonly socket: string;
  readonly ledger: string;
  /** Held (flock) by the one daemon of this home. */
  readonly lock: string;
  /** Disk space kept for the endings of runs. */
  readonly reserve: string;
  readonly adapters: string;
  readonly config: string;
  readonly familiars: string;
  /** The owner's token, see `owner-token.ts`. */
  readonly token: string;
  readonly logs: string;
  /** Of sessions that have one, a folder each. */
  readonly worktrees: string;
  /** What is remembered of projects, so that what runs change can be told. */
  readonly projects: string;
  readonly isDefault: boolean;
}

/** Longest path a Unix socket can be bound to, bytes: `sun_path` without its closing zero, Linux 108, macOS 104. */
const socketPathBytesMax = process.platform === "darwin" ? 103 : 107;

/** The home that the environment names, `~/.coven` otherwise. Touches nothing. */
export function locateHome(env: NodeJS.ProcessEnv): Home {
  const named = env["COVEN_HOME"];
  const root = named || join(homedir(), ".coven");
  return {
    root,
    socket: join(root, "coven.sock"),
    ledger: join(root, "ledger.sqlite3"),
    lock: join(root, "daemon.lock"),
    reserve: join(root, "reserve"),
    adapters: join(root, "adapters"),
    config: join(root, "config.json"),
    familiars: join(root, "familiars.json"),
    token: join(root, "token"),
    logs: join(root, "logs"),
    worktrees: join(root, "worktrees"),
    projects: join(root, "projects"),
    isDefault: !named,
  };
}

export const hostSocketPath = (home: Home, pid: number): string => join(home.root, `host-${pid}.sock`);

/** Makes the home where it is missing and refuses one that others could read or write. */
export function prepareHome(home: Home): void {
  if (!isAbsolute(home.root)) {
    throw new Failure("home_unsafe", `COVEN_HOME is not an absolute path: ${home.root}`, {
      hint: "A relative one would be another home in every folder.",
      details: { path: home.root },
    });
  }
  requireShortSocketPath(hostSocketPath(home, 4_194_304));
  make(home.root);
  requirePrivate(home.root);
  make(home.logs);
}

function make(folder: string): void {
  try {
    makeWithParents(folder);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Failure("home_unsafe", `${folder} cannot be made: ${why}`, {
      hint: "Set COVEN_HOME to a directory of your own.",
      details: { path: folder },
      cause,
    });
  }
}

/** One after the other: Node's recursive way never ends where no folder can be made in one that is there, as in /proc. */
function makeWithParents(folder: string): void {
  if (isDirectory(folder)) return;
  makeWithParents(dirname(folder));
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    // Somebody else may have been quicker.
    if (!isDirectory(folder)) throw error;
  }
}

const isDirectory = (path: string): boolean =>
  statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** The longest socket of a home is a host's, so both are checked at once, before anything is bound. */
function requireShortSocketPath(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes <= socketPathBytesMax) return;
  throw new Failure(
    "home_unsafe",
    `the socket path ${path} is ${bytes} bytes long; at most ${socketPathBytesMax} work`,
    {
      hint: "Set COVEN_HOME to a shorter path.",
      details: { path, bytes, bytesMax: socketPathBytesMax },
    },
  );
}

/** Throws unless the folder belongs to this user alone. */
export function requirePrivate(folder: string): void {
  const stat = lstatSync(folder);
  const details = { path: folder };
  if (!stat.isDirectory()) {
    throw new Failure("home_unsafe", `${folder} is not a directory`, {
      hint: "Set COVEN_HOME to a directory of your own; a symbolic link is not followed.",
      details,
    });
  }
  if (stat.uid !== process.getuid?.()) {
    throw new Failure("home_unsafe", `${folder} belongs to another user (uid ${stat.uid})`, {
      hint: "Set COVEN_HOME to a directory of your own.",
      details,
    });
  }
  if ((stat.mode & 0o077) !== 0) {
    const mode = (stat.mode & 0o777).toString(8);
    throw new Failure("home_unsafe", `${folder} is open to other users (mode ${mode})`, {
      hint: `Close it: chmod 700 ${folder}`,
      details: { ...details, mode },
    });
  }
}

/** The socket is the owner's alone, whatever the umask was. */
export const makePrivate = (path: string): void => chmodSync(path, 0o600);

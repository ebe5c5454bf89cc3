/**
 * The ledger: one SQLite file in WAL mode with two writers, the daemon and a host.
 *
 * Every write is an immediate transaction and short, because the other writer waits for it. Both writers commit in
 * turn, so `seq` grows in commit order and a reader that has seen N misses nothing below it. No read is held across
 * an await: an open read keeps the WAL from being folded back, and it grows without end.
 */
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import Database from "better-sqlite3";
import * as z from "zod";
import { Failure } from "../errors.ts";
import { migrations } from "./migrations.ts";

/** "Covn" read as a big-endian number: tells our file from any other program's. */
const applicationId = 0x436f766e;

/**
 * How long a writer waits for the other one inside a call, ms, which stops everything else that its process does: a
 * little longer than a transaction of the other one takes. Only at its start and end may a process wait for long.
 */
const busyTimeoutMs = 20;
const patientTimeoutMs = 2000;

/** How long `writeWhenFree` tries, and between two tries at most, ms. */
const patienceMs = 2000;
const pauseMsMax = 50;

/** Pages in the WAL before it is folded back, about 16 MB: each fold waits for the disk. */
const walPagesMax = 2000;

export type Db = Database.Database;

export interface Ledger {
  readonly db: Db;
  /** Random, made with the file: a cursor names it, so that one of another store is known. */
  readonly storeId: string;
  /** Runs `work` in one immediate transaction; nested calls join the outer one. */
  readonly write: <T>(work: () => T) => T;
  /** The same for who can wait: while the store is held it tries again, up to two seconds, and blocks nothing. */
  readonly writeWhenFree: <T>(work: () => T) => Promise<T>;
  /** The same, and on the disk before it resolves, so that not even a power failure takes it back. */
  readonly writeDurably: <T>(work: () => T) => Promise<T>;
  /** Folds the WAL back and empties it, so that what was deleted is not readable there either. */
  readonly scrub: () => Promise<void>;
  /** Lets the one write wait long inside the call. */
  readonly writePatiently: <T>(work: () => T) => T;
  readonly close: () => void;
}

/** Opens the ledger, making or migrating it. Throws `store_unusable` for a file that is not ours or newer. */
export function openLedger(path: string): Ledger {
  const isNew = !existsSync(path);
  const db = openDatabase(path, patientTimeoutMs);
  try {
    if (isNew) chmodSync(path, 0o600);
    requireOurs(db, path);
    // An output row spans pages: with the usual 4 KB ones a replay took half as long again.
    if (isNew) db.pragma("page_size = 8192");
    db.pragma("journal_mode = WAL");
    db.pragma(`wal_autocheckpoint = ${walPagesMax}`);
    db.pragma("synchronous = NORMAL");
    db.pragma("foreign_keys = ON");
    // What is deleted is overwritten, not only unlinked.
    db.pragma("secure_delete = ON");
    migrate(db);
    db.pragma(`busy_timeout = ${busyTimeoutMs}`);
    const write = <T>(work: () => T): T => (db.inTransaction ? work() : db.transaction(work).immediate());
    return {
      db,
      storeId: db.prepare<[], string>("SELECT id FROM store").pluck().get() ?? "",
      write,
      writeWhenFree: (work) => whenFree(() => write(work)),
      writePatiently: (work) => {
        db.pragma(`busy_timeout = ${patientTimeoutMs}`);
        try {
          return write(work);
        } finally {
          db.pragma(`busy_timeout = ${busyTimeoutMs}`);
        }
      },

      writeDurably: (work) =>
        whenFree(() => {
          db.pragma("synchronous = FULL");
          try {
            return write(work);
          } finally {
            db.pragma("synchronous = NORMAL");
          }
        }),

      scrub: () => whenFree(() => emptyWal(db)),

      close: () => db.close(),
    };
  } catch (error) {
    db.close();
    if (error instanceof Failure) throw error;
    throw unusable(path, error);
  }
}

function openDatabase(path: string, timeout: number): Db {
  try {
    return new Database(path, { timeout });
  } catch (error) {
    throw unusable(path, error);
  }
}

function unusable(path: string, cause: unknown): Failure {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new Failure("store_unusable", `the store ${path} cannot be opened: ${why}`, {
    hint: "Move the file away to begin with an empty store, or set COVEN_HOME to another folder.",
    details: { path },
    cause,
  });
}

/** Why the store takes no writes now: another writer has it, there is no room, or the disk gives an error. */
export type Refusal = "held" | "full" | "broken";

/** Undefined for what will fail again however often it is tried. */
export function refusalOf(error: unknown): Refusal | undefined {
  if (!(error instanceof Database.SqliteError)) return undefined;
  if (/^SQLITE_(BUSY|LOCKED)/.test(error.code)) return "held";
  if (error.code === "SQLITE_FULL") return "full";
  return error.code.startsWith("SQLITE_IOERR") ? "broken" : undefined;
}

async function whenFree<T>(write: () => T): Promise<T> {
  const until = performance.now() + patienceMs;
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, pauseMsMax)) {
    try {
      return write();
    } catch (error) {
      if (refusalOf(error) !== "held" || performance.now() >= until) throw error;
    }
    await pause(pauseMs);
  }
}

/** Readers and the other writer keep the WAL for as long as they use it. */
function emptyWal(db: Db): void {
  const [done] = z.array(z.object({ busy: z.int() })).parse(db.pragma("wal_checkpoint(TRUNCATE)"));
  if (done?.busy !== 0) throw new Database.SqliteError("the WAL is in use", "SQLITE_BUSY");
}

function requireOurs(db: Db, path: string): void {
  const tables = Number(db.prepare("SELECT count(*) FROM sqlite_schema").pluck().get());
  const id = Number(db.pragma("application_id", { simple: true }));
  const version = Number(db.pragma("user_version", { simple: true }));
  if (tables > 0 && id !== applicationId) {
    throw new Failure("store_unusable", `${path} belongs to another program, perhaps the published Coven`, {
      hint: "Set COVEN_HOME to another folder; the file was left as it is.",
      details: { path, applicationId: id },
    });
  }
  if (version > migrations.length) {
    throw new Failure(
      "store_unusable",
      `${path} was written by a newer Coven (version ${version}, this one knows ${migrations.length})`,
      {
        hint: "Install the newer Coven again, or set COVEN_HOME to another folder.",
        details: { path, version, knownVersion: migrations.length },
      },
    );
  }
}

function migrate(db: Db): void {
  if (Number(db.pragma("user_version", { simple: true })) === migrations.length) return;
  const step = db.transaction(() => {
    // Read again under the write lock: a host or another daemon may have migrated meanwhile.
    const from = Number(db.pragma("user_version", { simple: true }));
    for (const sql of migrations.slice(from)) db.exec(sql);
    if (from === 0) {
      db.pragma(`application_id = ${applicationId}`);
      db.prepare("INSERT INTO store (id) VALUES (?)").run(randomBytes(4).toString("hex"));
    }
    db.pragma(`user_version = ${migrations.length}`);
  });
  step.immediate();
}

/**
 * The token that stands for the owner where no file permission does: `$COVEN_HOME/token`, one line, readable by the
 * owner alone. A file that others could read has told them, and is refused rather than closed.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import {
  type Stats,
  closeSync,
  constants,
  fstatSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { Failure } from "./errors.ts";
import type { Home } from "./home.ts";

const prefix = "coven_";
/** 256 bits: nobody guesses them. */
const randomBytesOfToken = 32;
const shape = /^coven_[A-Za-z0-9_-]{43}$/;

/** The token of a home; undefined where none was made yet. Throws `home_unsafe` for a file that is not the owner's alone. */
function readOwnerToken({ token: path }: Home): string | undefined {
  const text = contentOf(path)?.trim();
  if (text === undefined || shape.test(text)) return text;
  throw new Failure("home_unsafe", `${path} holds no token of Coven`, {
    hint: "coven token --rotate makes a new one.",
    details: { path },
  });
}

/** The same, made where it is missing. Of two that make it at once, both get the one that was there first. */
export function ensureOwnerToken(home: Home): string {
  const known = readOwnerToken(home);
  if (known !== undefined) return known;
  withNewToken(home, (made) => {
    try {
      linkSync(made, home.token);
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error;
    }
  });
  const token = readOwnerToken(home);
  if (token === undefined) throw new Error(`${home.token} was removed while it was made`);
  return token;
}

/** Puts a new token in the place of the old one, which counts no more from then on. */
export function rotateOwnerToken(home: Home): string {
  return withNewToken(home, (made) => renameSync(made, home.token));
}

/** Whether this is the owner's token, told in the same time wherever they differ. */
export function isOwnerToken(home: Home, token: string): boolean {
  const owners = readOwnerToken(home);
  return owners !== undefined && timingSafeEqual(digest(token), digest(owners));
}

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

/** A reader sees a whole token or none: it is written aside and then put in its place. */
function withNewToken({ token: path }: Home, place: (made: string) => void): string {
  const token = prefix + randomBytes(randomBytesOfToken).toString("base64url");
  const made = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    writeFileSync(made, `${token}\n`, { mode: 0o600, flag: "wx" });
    place(made);
  } catch (cause) {
    throw new Failure("home_unsafe", `${path} cannot be written: ${messageOf(cause)}`, {
      hint: "COVEN_HOME must be a directory of your own with room on its disk.",
      details: { path },
      cause,
    });
  } finally {
    rmSync(made, { force: true });
  }
  return token;
}

function contentOf(path: string): string | undefined {
  const fd = openHere(path);
  if (fd === undefined) return undefined;
  try {
    requireOwn(path, fstatSync(fd));
    return readFileSync(fd, "utf8");
  } finally {
    closeSync(fd);
  }
}

function openHere(path: string): number | undefined {
  try {
    // A pipe in its place would be waited for.
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return undefined;
    throw new Failure("home_unsafe", `${path} cannot be read: ${messageOf(cause)}`, {
      hint: "It must be a file of your own, no link. coven token --rotate puts a new one there.",
      details: { path },
      cause,
    });
  }
}

function requireOwn(path: string, stat: Stats): void {
  const mode = (stat.mode & 0o777).toString(8);
  const wrong = !stat.isFile()
    ? "is no file"
    : stat.uid !== process.getuid?.()
      ? `belongs to another user (uid ${stat.uid})`
      : (stat.mode & 0o077) !== 0
        ? `is open to other users (mode ${mode})`
        : undefined;
  if (wrong === undefined) return;
  throw new Failure("home_unsafe", `${path} ${wrong}`, {
    hint: "Others may know the token in it: coven token --rotate makes a new one.",
    details: { path, mode },
  });
}

const codeOf = (error: unknown): unknown =>
  error instanceof Error && "code" in error ? error.code : undefined;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

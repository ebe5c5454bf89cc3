/**
 * Which program a bare name means, and whether the kernel would run it. A launch never depends on the working
 * directory: an empty or relative PATH entry names the project itself, where an agent may have put anything.
 */
import { accessSync, closeSync, constants, openSync, readSync, statSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";

export function findExecutable(name: string, path: string): string | undefined {
  if (!isBareName(name)) return undefined;
  return path
    .split(delimiter)
    .filter((directory) => isAbsolute(directory))
    .map((directory) => join(directory, name))
    .find((file) => permissionProblem(file) === undefined);
}

export const isBareName = (name: string): boolean =>
  /^[^\s/\\\0-][^\s/\\\0]*$/.test(name) && name !== "." && name !== "..";

/**
 * Why exec would refuse the file, so that a failed launch is known before anything is started. What cannot be known
 * without reading it (a program that may be run but not read) is not held against it.
 */
export const whyNotExecutable = (file: string): string | undefined => reasonAgainst(file, interpretersMax);

/** Linux follows this many scripts that are interpreters of scripts. */
const interpretersMax = 4;

function reasonAgainst(file: string, interpretersLeft: number): string | undefined {
  const problem = permissionProblem(file);
  if (problem !== undefined) return problem;
  const head = firstBytes(file);
  if (head === undefined) return undefined;
  if (head.length === 0) return `${file} is empty`;
  if (head.toString("latin1", 0, 2) === "#!") return scriptProblem(file, head, interpretersLeft);
  return isProgram(head)
    ? undefined
    : `${file} is neither a program for this system nor a script that begins with #!`;
}

function permissionProblem(file: string): string | undefined {
  try {
    if (!statSync(file).isFile()) return `${file} is not a regular file`;
  } catch {
    return `${file} does not exist`;
  }
  try {
    accessSync(file, constants.X_OK);
    return undefined;
  } catch {
    return `${file} may not be executed by this user`;
  }
}

/** The kernel, too, looks at 256 bytes and no more. */
const headBytes = 256;

function firstBytes(file: string): Buffer | undefined {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, "r");
    const head = Buffer.alloc(headBytes);
    return head.subarray(0, readSync(descriptor, head));
  } catch {
    return undefined;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function scriptProblem(file: string, head: Buffer, interpretersLeft: number): string | undefined {
  const [line = ""] = head.toString("utf8", 2).split("\n", 1);
  const [interpreter = ""] = line.trim().split(/[ \t]/, 1);
  // Trimming would hide what the kernel takes for a part of the name.
  if (/\r$/.test(line))
    return `${file} ends its first line with a carriage return, so its interpreter is not found`;
  if (interpreter === "") return `${file} names no interpreter after #!`;
  if (!isAbsolute(interpreter))
    return `${file} names the interpreter ${interpreter}, which is not an absolute path`;
  if (interpretersLeft === 0) return `${file} has an interpreter that is a script, and so on too often`;
  const reason = reasonAgainst(interpreter, interpretersLeft - 1);
  return reason === undefined ? undefined : `${file} cannot be run by its interpreter: ${reason}`;
}

const elf = ["7f454c46"] as const;
const machO = ["feedface", "feedfacf", "cefaedfe", "cffaedfe", "cafebabe", "cafebabf"] as const;

function isProgram(head: Buffer): boolean {
  const magic = head.toString("hex", 0, 4);
  const accepted: readonly string[] = process.platform === "darwin" ? machO : elf;
  return accepted.includes(magic);
}

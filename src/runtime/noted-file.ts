/**
 * Files of a work tree as a tree of git can stand for them. What is too large to be copied is noted: as the link that
 * git keeps of a submodule, whose hash needs no object, made of the file's size and time, so that two trees differ
 * where such a file does.
 */
import { existsSync } from "node:fs";
import { access, constants, lstat } from "node:fs/promises";
import { pathBytes } from "./git.ts";
import { type Repository, topOf } from "./git-repository.ts";

type Look =
  "gone" | "small" | { readonly hash: string; readonly bytes: number; readonly isReadable: boolean };

/** `small`: what git stores by name, a symbolic link or a repository in the project. */
export async function look(repository: Repository, path: string): Promise<Look> {
  const file = Buffer.from(`${pathBytes(topOf(repository))}/${path}`, "latin1");
  try {
    const stat = await lstat(file);
    if (stat.isSymbolicLink()) return "small";
    if (stat.isDirectory()) return existsSync(Buffer.concat([file, Buffer.from("/.git")])) ? "small" : "gone";
    if (!stat.isFile()) return "gone";
    const isReadable = await access(file, constants.R_OK).then(
      () => true,
      () => false,
    );
    return { hash: noteOf(repository, stat), bytes: stat.size, isReadable };
  } catch {
    return "gone"; // removed since git looked, or behind a folder that this user cannot enter
  }
}

/** Twelve zeros, which no real hash begins with, then size and time: 14 hexadecimal digits each. */
const noteForm = /^0{12}([0-9a-f]{14})([0-9a-f]{14})0*$/;

function noteOf({ format }: Repository, { size, mtimeMs }: { size: number; mtimeMs: number }): string {
  const digits = (value: number): string =>
    Math.floor(Math.abs(value)).toString(16).padStart(14, "0").slice(-14);
  return `${"0".repeat(12)}${digits(size)}${digits(mtimeMs + 1)}`.padEnd(format === "sha1" ? 40 : 64, "0");
}

/** The note of a file that could not be read just now: another than its own, so that it is tried again. */
export const passingNote = (hash: string): string => `${hash.slice(0, 26)}${"f".repeat(14)}${hash.slice(40)}`;

/** Whether the entry of a tree stands for a file that was only noted, and its size. */
export function notedBytes(mode: string, hash: string): number | undefined {
  const size = mode === "160000" ? noteForm.exec(hash)?.[1] : undefined;
  return size === undefined ? undefined : Number.parseInt(size, 16);
}

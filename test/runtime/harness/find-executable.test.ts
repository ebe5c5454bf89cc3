import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findExecutable, whyNotExecutable } from "../../../src/runtime/harness/find-executable.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "coven-executable-"));
  for (const name of ["one", "two"]) mkdirSync(join(folder, name));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, content: string | Buffer, mode = 0o755): string {
  const file = join(folder, name);
  writeFileSync(file, content);
  chmodSync(file, mode);
  return file;
}

describe("looking a program up on PATH", () => {
  it("takes the first entry that holds a file this user may execute", () => {
    write("one/tool", "#!/bin/sh\n", 0o644);
    const second = write("two/tool", "#!/bin/sh\n");
    expect(findExecutable("tool", `${folder}/nowhere:${folder}/one:${folder}/two`)).toBe(second);
    expect(findExecutable("tool", `${folder}/one`)).toBeUndefined();
  });

  it("passes over directories and follows links", () => {
    mkdirSync(join(folder, "one/tool"));
    symlinkSync(process.execPath, join(folder, "two/tool"));
    expect(findExecutable("tool", `${folder}/one:${folder}/two`)).toBe(join(folder, "two/tool"));
  });

  it("never looks into the working directory, which empty and relative entries name", () => {
    write("tool", "#!/bin/sh\n");
    const before = process.cwd();
    process.chdir(folder);
    try {
      for (const path of ["", ":", ".", "./", "one/..", ":.:"]) {
        expect(findExecutable("tool", path)).toBeUndefined();
      }
    } finally {
      process.chdir(before);
    }
  });

  it.each(["", "../tool", "one/tool", ".", "..", "a b", "a\\b", "-tool", "tool\0"])(
    "finds nothing for %j, which is no bare name",
    (name) => {
      write("one/tool", "#!/bin/sh\n");
      expect(findExecutable(name, `${folder}/one:${folder}`)).toBeUndefined();
    },
  );
});

describe("what exec would refuse", () => {
  it("is nothing about a program and a script with an interpreter", () => {
    expect(whyNotExecutable(process.execPath)).toBeUndefined();
    expect(whyNotExecutable(write("script", "#!/bin/sh\nexit 0\n"))).toBeUndefined();
    expect(whyNotExecutable(write("spaced", "#!  /usr/bin/env   node\n"))).toBeUndefined();
    const interpreter = write("interpreter", "#!/bin/sh\n");
    expect(whyNotExecutable(write("nested", `#!${interpreter} -x\n`))).toBeUndefined();
  });

  it.each([
    ["a text without an interpreter", "echo hello\n", "neither a program for this system nor a script"],
    ["an empty file", "", "is empty"],
    ["an interpreter that is not there", "#!/nowhere/sh\n", "/nowhere/sh does not exist"],
    ["an interpreter by its bare name", "#!sh\n", "which is not an absolute path"],
    ["no interpreter at all", "#!\n", "names no interpreter"],
    ["Windows line ends", "#!/bin/sh\r\n", "carriage return"],
    ["an interpreter that is a directory", "#!/tmp\n", "is not a regular file"],
  ])("is %s", (_, content, reason) => {
    expect(whyNotExecutable(write("script", content))).toContain(reason);
  });

  it("is a missing file, a directory, and a file without the permission", () => {
    expect(whyNotExecutable(join(folder, "nothing"))).toContain("does not exist");
    expect(whyNotExecutable(folder)).toContain("is not a regular file");
    expect(whyNotExecutable(write("plain", "#!/bin/sh\n", 0o644))).toContain("may not be executed");
  });

  it("is a script that is its own interpreter", () => {
    const file = join(folder, "self");
    write("self", `#!${file}\n`);
    expect(whyNotExecutable(file)).toContain("so on too often");
  });
});

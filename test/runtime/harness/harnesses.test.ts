import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { loadHarnesses } from "../../../src/runtime/harness/harnesses.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "coven-adapters-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, ...ids: string[]): string {
  const file = join(folder, name);
  const adapters = ids.map((id) => ({
    id,
    executable: `${id}-${name.slice(0, 1)}`,
    install_hint: "Install it.",
  }));
  writeFileSync(file, JSON.stringify({ adapters }), { mode: 0o600 });
  return file;
}

const idsOf = ({ harnesses }: ReturnType<typeof loadHarnesses>) => [...harnesses.keys()];

it("knows the built-in harnesses when there are no manifests and no directory for them", () => {
  expect(loadHarnesses(folder)).toMatchObject({ problems: [] });
  expect(idsOf(loadHarnesses(folder))).toEqual(["codex", "claude"]);
  expect(idsOf(loadHarnesses(join(folder, "nowhere")))).toEqual(["codex", "claude"]);
  expect(loadHarnesses(join(folder, "nowhere")).problems).toEqual([]);
});

it("adds the manifests in the order of their names, and the first that takes an id keeps it", () => {
  write("b.json", "pi", "aider");
  const first = write("a.json", "pi");
  write("c.txt", "ignored");
  write(".hidden.json", "hidden");
  const loaded = loadHarnesses(folder);
  expect(idsOf(loaded)).toEqual(["codex", "claude", "pi", "aider"]);
  expect(loaded.harnesses.get("pi")).toMatchObject({ executable: "pi-a", source: first });
  expect(loaded.problems).toEqual([
    `${join(folder, "b.json")}: id: pi is already taken by ${first}, which keeps it`,
  ]);
});

it("never lets a manifest take the place of a built-in harness", () => {
  write("a.json", "claude");
  const loaded = loadHarnesses(folder);
  expect(loaded.harnesses.get("claude")).toMatchObject({ executable: "claude", source: "built in" });
  expect(loaded.problems).toHaveLength(1);
});

it.each([0o660, 0o602])("reads no manifest that others can write to (%o)", (mode) => {
  const file = write("a.json", "pi");
  write("b.json", "aider");
  chmodSync(file, mode);
  const loaded = loadHarnesses(folder);
  expect(idsOf(loaded)).toEqual(["codex", "claude", "aider"]);
  expect(loaded.problems).toEqual([`${file}: untrusted, not read: others can write to it (chmod go-w)`]);
});

it("reads no manifest in a directory that others can write to", () => {
  write("a.json", "pi");
  chmodSync(folder, 0o770);
  const loaded = loadHarnesses(folder);
  expect(idsOf(loaded)).toEqual(["codex", "claude"]);
  expect(loaded.problems).toEqual([
    `${folder}: untrusted, no manifest in it is read: others can write to it (chmod go-w)`,
  ]);
});

it("reads only regular files of a sensible size, and follows no link out of the directory", () => {
  mkdirSync(join(folder, "adapters"), { mode: 0o700 });
  symlinkSync(write("a.json", "pi"), join(folder, "adapters/link.json"));
  mkdirSync(join(folder, "adapters/folder.json"));
  writeFileSync(join(folder, "adapters/large.json"), " ".repeat(262_145), { mode: 0o600 });
  const loaded = loadHarnesses(join(folder, "adapters"));
  expect(idsOf(loaded)).toEqual(["codex", "claude"]);
  expect(loaded.problems).toEqual([
    expect.stringContaining("it is not a regular file"),
    expect.stringContaining("larger than 262144 bytes"),
    expect.stringContaining("link.json: cannot be read: Error: ELOOP"),
  ]);
});

/** Real repositories in temporary folders, made without the settings of whoever runs the tests. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { onTestFinished } from "vitest";

const identity = {
  GIT_AUTHOR_NAME: "Somebody",
  GIT_AUTHOR_EMAIL: "somebody@example.org",
  GIT_COMMITTER_NAME: "Somebody",
  GIT_COMMITTER_EMAIL: "somebody@example.org",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_NOSYSTEM: "1",
};

export function temporaryFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "coven-git-")));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface TestRepository {
  readonly path: string;
  readonly git: (...args: string[]) => string;
  readonly write: (path: string, content: string | Buffer) => void;
  readonly commit: (message: string) => string;
}

export function at(path: string): TestRepository {
  const git = (...args: string[]): string =>
    execFileSync("git", args, {
      cwd: path,
      env: { ...process.env, ...identity },
      encoding: "utf8",
      stdio: "pipe",
    });
  return {
    path,
    git,
    write: (name, content) => {
      mkdirSync(dirname(join(path, name)), { recursive: true });
      writeFileSync(join(path, name), content);
    },
    commit: (message) => {
      git("add", "-A");
      git("commit", "-q", "-m", message);
      return git("rev-parse", "HEAD").trim();
    },
  };
}

/** Without a commit. */
export function emptyRepository(...options: string[]): TestRepository {
  const repository = at(join(temporaryFolder(), "project"));
  mkdirSync(repository.path);
  repository.git("init", "-q", "-b", "main", ...options, ".");
  return repository;
}

/** With two files and one commit. */
export function repositoryWithCommit(): TestRepository {
  const repository = emptyRepository();
  repository.write("README.md", "# A project\n");
  repository.write("src/one.ts", "export const one = 1;\n");
  repository.commit("begin");
  return repository;
}

/** Ten lines, told apart by what they begin with. */
export const lines = (word: string, count = 10): string =>
  Array.from({ length: count }, (_, line) => `${word} ${line}\n`).join("");

/** Every file below with its content and mode, and every file's time outside of `.git`. */
export function contentsOf(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();
  return Object.fromEntries(
    names.flatMap((name) => {
      const file = join(folder, name);
      const stat = lstatSync(file);
      if (stat.isDirectory()) return [];
      const content = stat.isSymbolicLink() ? readlinkSync(file) : readFileSync(file);
      const hash = createHash("sha256").update(content).digest("hex");
      const time = name.startsWith(".git/objects") ? "" : stat.mtimeMs;
      return [[relative(folder, file), `${stat.mode} ${time} ${hash}`]];
    }),
  );
}

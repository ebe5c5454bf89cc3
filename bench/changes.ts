/** What a session changed in a repository of 10,000 files, and a worktree of one, against git itself. */
import { execFile } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { Changes } from "../src/runtime/changes.ts";
import { createWorktree } from "../src/runtime/worktrees.ts";
import type { Client, Session } from "./client.ts";
import type { BenchDaemon } from "./daemon.ts";
import type { Measured } from "./report.ts";
import { median, timed, timedInTurns } from "./statistics.ts";

const files = 10_000;
/** Written to before each question, so that none can be answered from what is remembered. */
const changedFiles = 20;

export async function changes({ client, folder }: BenchDaemon): Promise<Measured[]> {
  const small = await makeRepository(join(folder, "small"), 10);
  const middle = await makeRepository(join(folder, "middle"), 300);
  const large = await makeRepository(join(folder, "large"), files);
  return [
    ...(await measureChanges(large, folder)),
    await measureWorktrees(small, folder, 10),
    await measureWorktrees(middle, folder, 300),
    ...(await measureRuns(client, middle, folder)),
  ];
}

/** Launches in a repository of 300 files, each after the state that the one before has left was looked at. */
async function measureRuns(client: Client, repository: string, folder: string): Promise<Measured[]> {
  const lane = { projectRoot: repository, prompt: "end", launchMode: "nonInteractive" } as const;
  const launched: Session[] = [];
  const launch = async (harness: string, worktree: boolean): Promise<void> => {
    launched.push(await client.launch({ ...lane, harness, worktree }));
  };
  const settle = async (): Promise<void> => {
    for (const { id, cursor } of launched.splice(0)) {
      await client.watch({ sessions: [id], cursor });
      await client.get(`/sessions/${id}/changes`);
    }
  };
  let made = 0;
  const samples = await timedInTurns(
    {
      worktree: () => launch("codex", true),
      settleWorktree: settle,
      git: () => {
        const name = `r${(made += 1)}`;
        return git(repository, "worktree", "add", "-q", "-b", name, join(folder, "by-git", name));
      },
      agent: () => launch("codex", false),
      settleAgent: settle,
      program: () => launch("bench-exits", false),
      settleProgram: settle,
    },
    { warmUp: 2, turns: 15 },
  );
  const p50 = (name: string): number => median(samples.get(name) ?? []);
  const note = "baseline: git worktree add";
  return [
    {
      what: "run --worktree, 300 files, to the answer, p50",
      value: p50("worktree"),
      baseline: p50("git"),
      unit: "ms",
      limit: { of: "ratio", max: 1.2 },
      note,
    },
    { what: "a launch of an agent in that repository, p50", value: p50("agent"), unit: "ms" },
    { what: "of a program that may write at once, p50", value: p50("program"), unit: "ms" },
  ];
}

async function measureChanges(repository: string, folder: string): Promise<Measured[]> {
  const measured = new Changes({ root: join(folder, "changes") });
  const limit = { of: "value", max: 300 } as const;
  let before = await measured.snapshot(repository);
  const first = await timed(() => new Changes({ root: join(folder, "first") }).snapshot(repository));
  let round = 0;
  const samples = await timedInTurns(
    {
      edit: async () => edit(repository, (round += 1)),
      changes: () => measured.between({ before, maxBytes: 100_000 }),
      snapshot: async () => (before = await measured.snapshot(repository)),
      status: () => git(repository, "--no-optional-locks", "status", "--porcelain", "-uall"),
    },
    { warmUp: 2, turns: 9 },
  );
  const p50 = (name: string): number => median(samples.get(name) ?? []);
  return [
    {
      what: `changes, ${changedFiles} of ${files} files, p50`,
      value: p50("changes"),
      baseline: p50("status"),
      unit: "ms",
      limit,
      note: "baseline: git status",
    },
    {
      what: "the state of that project, nothing new, p50",
      value: p50("snapshot"),
      baseline: p50("status"),
      unit: "ms",
    },
    { what: "the same for the first time", value: first, unit: "ms" },
  ];
}

async function measureWorktrees(repository: string, folder: string, count: number): Promise<Measured> {
  let made = 0;
  const next = (): string => join(folder, `worktrees-${count}`, `w${(made += 1)}`);
  const samples = await timedInTurns(
    {
      coven: () => createWorktree({ repository, place: next(), name: `b${made}` }),
      git: async () => {
        const place = next();
        await git(repository, "worktree", "add", "-q", "-b", `b${made}`, place);
      },
      tidy: async () => {
        rmSync(join(folder, `worktrees-${count}`), { recursive: true });
        await git(repository, "worktree", "prune");
      },
    },
    { warmUp: 1, turns: count < 100 ? 25 : 7 },
  );
  const [value = [], baseline = []] = [samples.get("coven"), samples.get("git")];
  const limit = { of: "ratio", max: 1.2 } as const;
  return {
    what: `a worktree of ${count} files, p50`,
    value: median(value),
    baseline: median(baseline),
    unit: "ms",
    limit,
    note: "baseline: git worktree add",
  };
}

async function makeRepository(path: string, count: number): Promise<string> {
  for (let file = 0; file < count; file += 1) {
    const place = join(path, `part-${file % 100}`);
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, `file-${file}.ts`), content(file, 0));
  }
  await git(path, "init", "-q");
  await git(path, "add", "-A");
  await git(
    path,
    "-c",
    "user.name=bench",
    "-c",
    "user.email=bench@example.org",
    "commit",
    "-q",
    "-m",
    "begin",
  );
  return path;
}

function edit(repository: string, round: number): void {
  for (let file = 0; file < changedFiles; file += 1) {
    const name = file % 2 === 0 ? `part-${file}/file-${file}.ts` : `part-${file}/new-${file}.ts`;
    writeFileSync(join(repository, name), content(file, round));
  }
}

const content = (file: number, round: number): string =>
  Array.from(
    { length: 60 },
    (_, line) => `export const value${line} = ${file * line + (line % 7 === 0 ? round : 0)};\n`,
  ).join("");

const run = promisify(execFile);

const git = (directory: string, ...args: string[]): Promise<unknown> => run("git", args, { cwd: directory });

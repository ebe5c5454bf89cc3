import { spawn } from "node:child_process";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { resultOf } from "../support/coven.ts";
import { type TestDaemon, makeHome, startDaemon } from "../support/daemon.ts";
import { processOf } from "../support/lanes.ts";
import { makeProject } from "../support/launch.ts";
import { stillLiving } from "../../src/runtime/host/processes.ts";
import { openSession } from "../support/mcp-http.ts";
import {
  type TestRepository,
  at,
  emptyRepository,
  lines,
  repositoryWithCommit,
} from "../support/repository.ts";
import { send } from "../support/socket.ts";

const launcher = fileURLToPath(new URL("../../bin/coven", import.meta.url));

const moment = z.object({ head: z.string().nullable(), operation: z.string().nullable() });
const answer = z.object({
  session: z.string(),
  known: z.boolean(),
  reason: z.string().optional(),
  before: moment.optional(),
  after: moment.nullable().optional(),
  commits: z.object({ count: z.int(), newest: z.array(z.object({ subject: z.string() })) }).nullish(),
  files: z.array(
    z.object({
      path: z.string(),
      from: z.string().optional(),
      status: z.string(),
      insertions: z.int().nullable(),
      deletions: z.int().nullable(),
      diff: z.string().optional(),
      omitted: z.string().optional(),
    }),
  ),
  filesTotal: z.int(),
  insertions: z.int(),
  deletions: z.int(),
  truncated: z.boolean(),
  sharedWith: z.array(z.string()).optional(),
  notes: z.array(z.string()),
});

const changesOf = async ({ client }: TestDaemon, session: string, more: object = {}) =>
  answer.parse(await client.call("changes", { session, ...more }));

const launched = z.object({ id: z.string(), cursor: z.string() });

async function start({ client }: TestDaemon, projectRoot: string, prompt: string, more: object = {}) {
  return launched.parse(await client.call("run", { harness: "shell", projectRoot, prompt, ...more }));
}

/** A session that has run that script and ended. */
async function after(daemon: TestDaemon, projectRoot: string, prompt: string, more: object = {}) {
  const { id, cursor } = await start(daemon, projectRoot, prompt, more);
  await daemon.client.call("watch", { sessions: [id], cursor });
  return id;
}

/** A session that has run that script and waits for a line. */
async function during(daemon: TestDaemon, projectRoot: string, prompt: string) {
  const script = `${prompt}; echo rea''dy; read line`;
  const { id, cursor } = await start(daemon, projectRoot, script, { launchMode: "interactive" });
  await daemon.client.call("watch", { sessions: [id], cursor, matchText: "ready", until: "output" });
  return id;
}

async function wake(daemon: TestDaemon, session: string, message: string): Promise<void> {
  const woken = await daemon.client.call("wake", { session, message });
  const { cursor } = z.object({ cursor: z.string() }).parse(woken);
  await daemon.client.call("watch", { sessions: [session], cursor, until: "settled" });
}

const pathsOf = ({ files }: z.output<typeof answer>): string[] => files.map(({ path }) => path);

function projectWithWork(): TestRepository {
  const project = repositoryWithCommit();
  project.write("long.txt", lines("line"));
  project.write("gone.txt", "to be deleted\n");
  project.commit("more");
  // The user's own, which no session has made.
  project.write("mine.txt", "mine\n");
  project.write("README.md", "# My project\n");
  return project;
}

describe("changes", () => {
  it("are the session's alone: files with counts and diffs, what is not tracked or committed included", async () => {
    const daemon = await startDaemon();
    const project = projectWithWork();
    const script =
      "echo x >> long.txt; rm gone.txt; echo new > new.txt; git -c user.name=x -c user.email=x@y commit -qam made; printf '\\000\\001' > b.bin";
    const index = project.git("write-tree");
    const session = await after(daemon, project.path, script);
    const told = await changesOf(daemon, session);
    expect(told).toMatchObject({ known: true, filesTotal: 4, insertions: 2, deletions: 1, notes: [] });
    expect(told.commits).toMatchObject({ count: 1, newest: [{ subject: "made" }] });
    expect(told.after?.head).not.toBe(told.before?.head);
    expect(told.files).toMatchObject([
      { path: "b.bin", status: "added", insertions: null, omitted: "binary" },
      { path: "gone.txt", status: "deleted", deletions: 1, omitted: "deleted" },
      { path: "long.txt", status: "modified", insertions: 1, diff: expect.stringMatching(/^\+x$/m) },
      { path: "new.txt", status: "added", insertions: 1, diff: expect.stringMatching(/^\+new$/m) },
    ]);
    const one = await changesOf(daemon, session, { path: "new.txt" });
    expect(pathsOf(one)).toEqual(["new.txt"]);
    // Looking has left the user's index alone: the commit of the session is all that is in it.
    expect(index).not.toBe("");
    expect(project.git("status", "--porcelain").split("\n")).toContain("?? mine.txt");
  });

  it("stay what they were when the run ended, and go on while it lives", async () => {
    const daemon = await startDaemon();
    const project = repositoryWithCommit();
    const ended = await after(daemon, project.path, "echo 1 > one.txt");
    await changesOf(daemon, ended);
    project.write("later.txt", "later\n");
    expect(pathsOf(await changesOf(daemon, ended))).toEqual(["one.txt"]);
    const live = await during(daemon, project.path, "echo 2 > two.txt");
    const now = await changesOf(daemon, live);
    expect([pathsOf(now), now.after]).toEqual([["two.txt"], null]);
    project.write("two.txt", "2\nmore\n");
    expect(await changesOf(daemon, live)).toMatchObject({ insertions: 2 });
  });

  it("are told of all runs, or of one, and say what came between them", async () => {
    const daemon = await startDaemon();
    const project = repositoryWithCommit();
    const session = await after(daemon, project.path, "echo 1 > one.txt", { harness: "turns" });
    await changesOf(daemon, session);
    project.write("between.txt", "between\n");
    await wake(daemon, session, "echo 2 > two.txt");
    const all = await changesOf(daemon, session);
    expect(pathsOf(all)).toEqual(["between.txt", "one.txt", "two.txt"]);
    expect(all.notes).toEqual(["the project also changed between its runs; ask for one run alone"]);
    expect(pathsOf(await changesOf(daemon, session, { run: 1 }))).toEqual(["one.txt"]);
    expect(pathsOf(await changesOf(daemon, session, { run: 2 }))).toEqual(["two.txt"]);
    await expect(changesOf(daemon, session, { run: 3 })).rejects.toMatchObject({
      code: "invalid_request",
      message: `session ${session} has no run 3`,
    });
  });

  it("of a session in a worktree are those in its worktree", async () => {
    const daemon = await startDaemon();
    const project = repositoryWithCommit();
    const session = await after(daemon, join(project.path, "src"), "echo 1 > here.txt; echo 2 >> one.ts", {
      worktree: true,
    });
    project.write("src/elsewhere.txt", "not its\n");
    const told = await changesOf(daemon, session);
    expect(pathsOf(told)).toEqual(["here.txt", "one.ts"]);
    expect(told).toMatchObject({ notes: [], insertions: 2, deletions: 0 });
  });

  it("say where there is nothing to tell, and why", async () => {
    const daemon = await startDaemon();
    const folder = makeProject();
    const none = await after(daemon, folder, "echo 1 > one.txt");
    expect(await changesOf(daemon, none)).toMatchObject({
      known: false,
      reason: expect.stringContaining(`${folder} was no git repository`),
      files: [],
    });
    const unborn = emptyRepository();
    const first = await after(daemon, unborn.path, "echo 1 > one.txt");
    expect(await changesOf(daemon, first)).toMatchObject({
      known: true,
      filesTotal: 1,
      before: { head: null },
    });
    await daemon.client.call("register", { id: "outside", projectRoot: unborn.path, harness: "other" });
    expect(await changesOf(daemon, "outside")).toMatchObject({
      known: false,
      reason: expect.stringContaining("outside Coven"),
    });
    for (const path of ["../x", "/etc/passwd", "one.txt\0"])
      await expect(changesOf(daemon, first, { path })).rejects.toMatchObject({ code: "invalid_request" });
  });

  it("say that others worked in the same files, and that a merge is in progress", async () => {
    const daemon = await startDaemon();
    const project = repositoryWithCommit();
    project.git("checkout", "-q", "-b", "other");
    project.write("README.md", "# Other\n");
    project.commit("other");
    project.git("checkout", "-q", "main");
    project.write("README.md", "# Main\n");
    project.commit("main");
    const one = await during(daemon, project.path, "echo 1 > one.txt");
    const two = await during(
      daemon,
      project.path,
      "git -c user.name=x -c user.email=x@y merge other; echo 2 > two.txt",
    );
    const apart = await after(daemon, project.path, "true", { worktree: true });
    const told = await changesOf(daemon, one);
    expect(told.sharedWith).toEqual([two]);
    expect(told.notes).toEqual([
      "other sessions ran in the same files meanwhile: what is told may be theirs",
      "a merge is in progress in the repository",
    ]);
    expect((await changesOf(daemon, two)).sharedWith).toEqual([one]);
    expect((await changesOf(daemon, apart)).sharedWith).toBeUndefined();
  });

  it("fit what was asked for: paths first, then diffs, and say what was left out", async () => {
    const daemon = await startDaemon();
    const project = repositoryWithCommit();
    const script = "for n in $(seq 1 400); do seq 1 400 > file-$n.txt; done";
    const session = await after(daemon, project.path, script);
    for (const [more, bytesMax] of [
      [{}, 66_000],
      [{ maxBytes: 5000 }, 5500],
    ] as const) {
      const told = await changesOf(daemon, session, more);
      expect(Buffer.byteLength(JSON.stringify(told))).toBeLessThan(bytesMax);
      expect(told).toMatchObject({ truncated: true, filesTotal: 400, insertions: 160_000 });
      expect(told.files[0]?.diff).toContain("+400");
      expect(told.files.at(-1)?.omitted).toBe("limit");
    }
    expect(Buffer.byteLength(await toolAnswer(daemon, session))).toBeLessThan(8192);
    const one = await changesOf(daemon, session, { path: "file-400.txt" });
    expect(one).toMatchObject({ truncated: false, filesTotal: 1 });
  });

  it("tell no secret", async () => {
    const daemon = await startDaemon();
    const project = repositoryWithCommit();
    const token = `ghp_${"a1B2".repeat(9)}`;
    const key = [
      "-----BEGIN RSA PRIVATE KEY-----",
      "MIIEowIBAAKCAQEA75",
      "-----END RSA PRIVATE KEY-----",
      "",
    ];
    const folder = makeProject();
    writeFileSync(join(folder, "secrets"), `token = "${token}"\n${key.join("\n")}`);
    const session = await after(daemon, project.path, `cp ${folder}/secrets secrets.txt`);
    const told = JSON.stringify(await changesOf(daemon, session));
    expect(told).toContain("[REDACTED]");
    expect(told).not.toContain(token);
    expect(told).not.toContain("MIIEowIBAAKCAQEA75");
  });

  it("are looked at late where the daemon was not there when the run ended, and say so", async () => {
    const home = makeHome();
    const first = await startDaemon(home);
    const project = repositoryWithCommit();
    const folder = makeProject();
    const script = `echo 1 > one.txt; echo rea''dy; until [ -e ${folder}/go ]; do sleep 0.05; done`;
    const { id: session, cursor } = await start(first, project.path, script, { launchMode: "interactive" });
    await first.client.call("watch", { sessions: [session], cursor, matchText: "ready", until: "output" });
    await changesOf(first, session);
    const harness = await processOf(first, session);
    process.kill(first.pid, "SIGKILL");
    await first.exited;
    writeFileSync(join(folder, "go"), "");
    await expect.poll(() => stillLiving([harness])).toEqual([]);
    project.write("later.txt", "later\n");
    const second = await startDaemon(home);
    const told = await changesOf(second, session);
    expect(pathsOf(told)).toEqual(["later.txt", "one.txt"]);
    expect(told.notes).toEqual(["nobody could look when it ended: what was changed since is in it"]);
  });

  it("are forgotten with their session, and when its log is pruned", async () => {
    const daemon = await startDaemon();
    const project = repositoryWithCommit();
    const kept = () => readdirSync(join(daemon.home, "projects"));
    const session = await after(daemon, project.path, "echo 1 > one.txt");
    const pruned = await after(daemon, project.path, "echo 2 > two.txt");
    for (const id of [session, pruned]) await changesOf(daemon, id);
    await daemon.client.call("sacrifice", { session, confirm: true });
    expect(kept()).toHaveLength(1);
    expect(pathsOf(await changesOf(daemon, pruned))).toEqual(["two.txt"]);
    await daemon.client.call("prune", { olderThanMs: 0 });
    expect(await changesOf(daemon, pruned)).toMatchObject({
      known: false,
      reason: expect.stringContaining("pruned"),
    });
    expect(kept()).toEqual([]);
    expect(existsSync(join(project.path, "two.txt"))).toBe(true);
  });
});

async function toolAnswer({ socket }: TestDaemon, session: string): Promise<string> {
  const mcp = await openSession(socket);
  const called = await mcp.call(1, "changes", { session });
  const messages = await called.rest();
  const result = z
    .object({ result: z.object({ structuredContent: z.looseObject({ filesTotal: z.int() }) }) })
    .parse(messages.find(({ id }) => id === 1));
  return JSON.stringify(result.result.structuredContent);
}

it("are a route of their own", async () => {
  const daemon = await startDaemon();
  const project = repositoryWithCommit();
  const session = await after(daemon, project.path, "echo 1 > one.txt; echo 2 > two.txt");
  const path = `/api/v1/sessions/${session}/changes`;
  expect(await send(daemon.socket, "GET", `${path}?path=one.txt&run=1`)).toMatchObject({
    status: 200,
    body: { known: true, files: [{ path: "one.txt" }] },
  });
  expect(await send(daemon.socket, "GET", `${path}?run=x`)).toMatchObject({ status: 400 });
});

it("are printed as a line of each file, or with --diff as a patch that git applies", async () => {
  const daemon = await startDaemon();
  const project = repositoryWithCommit();
  const session = await after(daemon, project.path, "echo more >> README.md; echo new > new.txt");
  const coven = (...words: string[]) =>
    resultOf(spawn(launcher, words, { env: { COVEN_HOME: daemon.home, PATH: "/usr/bin:/bin" } }));
  expect(await coven("changes", session.slice(0, 8))).toMatchObject({
    code: 0,
    stdout: "README.md  +1 -0\nnew.txt    added, +1 -0\n2 files changed, +2 -0\n",
    stderr: "",
  });
  const patch = (await coven("changes", session, "--diff")).stdout;
  const clone = at(join(makeProject(), "clone"));
  project.git("clone", "-q", project.path, clone.path);
  writeFileSync(join(clone.path, "the.patch"), patch);
  clone.git("apply", "the.patch");
  expect(clone.git("status", "--porcelain")).toBe(" M README.md\n?? new.txt\n?? the.patch\n");
  const nothing = await coven("changes", await after(daemon, makeProject(), "true"));
  expect(nothing).toMatchObject({
    code: 0,
    stdout: "",
    stderr: expect.stringContaining("no git repository"),
  });
});

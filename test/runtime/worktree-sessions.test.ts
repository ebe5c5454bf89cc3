import { chmodSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { type TestDaemon, startDaemon } from "../support/daemon.ts";
import { makeProject } from "../support/launch.ts";
import {
  type TestRepository,
  at,
  emptyRepository,
  repositoryWithCommit,
  temporaryFolder,
} from "../support/repository.ts";
import { launchRun } from "../support/runs.ts";

const worktree = z.object({
  path: z.string(),
  directory: z.string(),
  branch: z.string(),
  base: z.string(),
});
const record = z.object({
  id: z.string(),
  cursor: z.string(),
  status: z.string(),
  project_root: z.string(),
  cwd: z.string(),
  worktree,
});

async function launchIn({ client }: Pick<TestDaemon, "client">, projectRoot: string, more: object = {}) {
  const asked = { harness: "shell", projectRoot, prompt: "true", worktree: true, ...more };
  return record.parse(await client.call("run", asked, { env: { PATH: `${broken()}:/usr/bin:/bin` } }));
}

/** A folder with a `codex` in it that says its version, and cannot be executed any more after that. */
function broken(): string {
  const program = join(temporaryFolder(), "codex");
  const becomesNothing = 'printf "#!/nowhere/it\\n" > "$0.new"; chmod 755 "$0.new"; mv "$0.new" "$0"';
  writeFileSync(program, `#!/bin/sh\necho codex-cli 0.169.0\n${becomesNothing}\n`);
  chmodSync(program, 0o755);
  return dirname(program);
}

const logOf = ({ home }: TestDaemon): string =>
  readdirSync(join(home, "logs"))
    .map((name) => readFileSync(join(home, "logs", name), "utf8"))
    .join("");

async function endOf({ client }: Pick<TestDaemon, "client">, { id, cursor }: { id: string; cursor: string }) {
  await client.call("watch", { sessions: [id], cursor });
}

async function ended(daemon: TestDaemon, project: string, more: object = {}) {
  const session = await launchIn(daemon, project, more);
  await endOf(daemon, session);
  return session;
}

const branches = ({ git }: TestRepository): string[] =>
  git("for-each-ref", "--format=%(refname:short)", "refs/heads").trim().split("\n");

const worktrees = ({ git }: TestRepository): number =>
  git("worktree", "list", "--porcelain").match(/^worktree /gm)?.length ?? 0;

const kept = (home: string): string[] => {
  const folder = join(home, "worktrees");
  return existsSync(folder)
    ? readdirSync(folder).flatMap((project) => readdirSync(join(folder, project)).map((name) => name))
    : [];
};

const sacrifice = ({ client }: TestDaemon, session: string, more: object = {}) =>
  client.call("sacrifice", { session, confirm: true, ...more });

const listed = z.object({ sessions: z.array(z.object({ id: z.string() })) });

describe("a session with a worktree", () => {
  it("works in a folder and on a branch of its own, and belongs to its project", async () => {
    const daemon = await startDaemon();
    const project = repositoryWithCommit();
    const head = project.git("rev-parse", "HEAD").trim();
    const prompt = "pwd > ../seen; git branch --show-current >> ../seen; echo mine > mine.txt";
    const session = await ended(daemon, project.path, { prompt, cwd: "src" });
    const { path } = session.worktree;
    const name = session.id.slice(0, 8);
    expect(path.startsWith(join(daemon.home, "worktrees/project-"))).toBe(true);
    expect(session).toMatchObject({
      project_root: project.path,
      cwd: join(path, "src"),
      worktree: { path, directory: path, branch: `coven/${name}`, base: head },
    });
    expect(readFileSync(join(path, "seen"), "utf8")).toBe(`${join(path, "src")}\ncoven/${name}\n`);
    expect(existsSync(join(path, "src/mine.txt"))).toBe(true);
    // Nothing of it is in the user's own work tree.
    expect(project.git("status", "--porcelain")).toBe("");
    const status = await daemon.client.call("status", { session: session.id });
    expect(status).toMatchObject({
      projectRoot: project.path,
      worktree: { path, branch: `coven/${name}` },
    });
    const other = await ended(daemon, project.path);
    const found = async (args: object) =>
      listed.parse(await daemon.client.call("list", args)).sessions.map(({ id }) => id);
    expect(await found({ worktree: path })).toEqual([session.id]);
    expect(await found({ worktree: `coven/${name}` })).toEqual([session.id]);
    expect(await found({ worktree: "coven/none" })).toEqual([]);
    expect(await found({ projectRoot: project.path })).toEqual([other.id, session.id]);
  });

  it("has the project's folder where the project is a part of its repository", async () => {
    const daemon = await startDaemon();
    const project = repositoryWithCommit();
    const session = await ended(daemon, join(project.path, "src"), { prompt: "pwd > here.txt" });
    const { path } = session.worktree;
    expect(session).toMatchObject({
      project_root: join(project.path, "src"),
      cwd: join(path, "src"),
      worktree: { directory: join(path, "src") },
    });
    expect(existsSync(join(path, "src/here.txt"))).toBe(true);
  });

  it("is one of several lanes, as each of them says, however many are launched at once", async () => {
    const daemon = await startDaemon();
    const project = repositoryWithCommit();
    const lanes = [
      { prompt: "echo 1 > one.txt" },
      { prompt: "echo 2 > two.txt" },
      { prompt: "true", worktree: false },
    ];
    const answer = z.object({ cursor: z.string(), sessions: z.array(z.object({ id: z.string() })) }).parse(
      await daemon.client.call("run", {
        harness: "shell",
        projectRoot: project.path,
        worktree: true,
        lanes,
      }),
    );
    const more = await Promise.all([1, 2, 3].map(() => ended(daemon, project.path)));
    await daemon.client.call("watch", {
      sessions: answer.sessions.map(({ id }) => id),
      cursor: answer.cursor,
    });
    expect(kept(daemon.home)).toHaveLength(5);
    expect(new Set(more.map(({ worktree: { branch } }) => branch)).size).toBe(3);
    expect(branches(project)).toHaveLength(6);
    expect(existsSync(join(project.path, "one.txt"))).toBe(false);
    const [, , last] = answer.sessions;
    expect(await daemon.client.call("record", { session: last?.id })).toMatchObject({ worktree: null });
  });

  it("leaves neither a worktree nor a branch when it is not launched", async () => {
    const daemon = await startDaemon();
    const project = repositoryWithCommit();
    project.write(".gitignore", "out/\n");
    project.commit("ignore");
    project.write("out/file", "x\n");
    const empty = makeProject();
    const unborn = emptyRepository().path;
    const wrong: readonly (readonly [object, { code: string; message: RegExp }])[] = [
      [{ projectRoot: empty }, { code: "invalid_request", message: /is no git repository/ }],
      [{ projectRoot: unborn }, { code: "invalid_request", message: /has no commit yet/ }],
      [{ cwd: "out" }, { code: "invalid_request", message: /out is not in the worktree/ }],
      [{ cwd: ".." }, { code: "invalid_request", message: /outside the project root/ }],
      [{ harness: "none" }, { code: "invalid_request", message: /none/ }],
      [{ harness: "codex" }, { code: "launch_failed", message: /./ }],
      [
        { prompt: undefined, lanes: [{ prompt: "true" }, { prompt: "true", cwd: "out" }] },
        { code: "invalid_request", message: /out is not in the worktree/ },
      ],
    ];
    for (const [args, { code, message }] of wrong) {
      const refused = launchIn(daemon, project.path, args);
      await expect(refused, JSON.stringify(args)).rejects.toMatchObject({
        code,
        message: expect.stringMatching(message),
      });
    }
    expect(kept(daemon.home)).toEqual([]);
    expect(branches(project)).toEqual(["main"]);
    expect(worktrees(project)).toBe(1);
    // Of all these only what could not be executed was a session.
    const all = z.object({ sessions: z.array(z.object({ status: z.string(), worktree: z.unknown() })) });
    const { sessions } = all.parse(await daemon.client.call("list", {}));
    expect(sessions).toEqual([{ status: "failed", worktree: null }]);
  });

  it("wakes in the same worktree, and not at all where that is gone", async () => {
    const daemon = await startDaemon();
    const project = repositoryWithCommit();
    const session = await ended(daemon, project.path, { harness: "turns", prompt: "echo 1 > first.txt" });
    const { path } = session.worktree;
    const woken = z.object({ cursor: z.string() });
    const wake = { session: session.id, message: "pwd > second.txt" };
    const { cursor } = woken.parse(await daemon.client.call("wake", wake));
    await daemon.client.call("watch", { sessions: [session.id], cursor, until: "settled" });
    expect(readFileSync(join(path, "second.txt"), "utf8")).toBe(`${path}\n`);
    rmSync(path, { recursive: true });
    await expect(daemon.client.call("wake", wake)).rejects.toMatchObject({
      code: "not_resumable",
      message: expect.stringContaining(`its worktree ${path} is gone`),
    });
  });

  it("launches others into its worktree, or into one of their own that begins where it is", async () => {
    const daemon = await startDaemon();
    const project = repositoryWithCommit();
    const parent = await launchRun(daemon, daemon.client, project.path, { worktree: true });
    const { worktree: own } = record
      .pick({ worktree: true })
      .parse(await daemon.client.call("record", { session: parent.id }));
    at(own.path).write("made.txt", "made\n");
    const commit = at(own.path).commit("made by the parent");
    const { worktree: beside } = await launchIn(parent, project.path);
    expect(beside.base).toBe(own.base);
    const child = await launchIn(parent, own.path);
    expect(child).toMatchObject({ project_root: project.path, cwd: child.worktree.path });
    expect(child.worktree.base).toBe(commit);
    const inside = record.parse(
      await parent.client.call("run", { harness: "shell", projectRoot: own.path, prompt: "true" }),
    );
    expect(inside).toMatchObject({ project_root: project.path, cwd: own.path, worktree: own });
    // By the name of the project as well: the user's own work tree is outside of its boundary.
    const named = { harness: "shell", projectRoot: project.path, cwd: "src", prompt: "pwd > ../where" };
    const there = record.parse(await parent.client.call("run", named));
    expect(there).toMatchObject({ project_root: project.path, cwd: join(own.path, "src"), worktree: own });
    await endOf(daemon, there);
    expect(readFileSync(join(own.path, "where"), "utf8")).toBe(`${join(own.path, "src")}\n`);
    expect(existsSync(join(project.path, "where"))).toBe(false);
    await endOf(daemon, inside);
    // What the parent still has stays with it.
    await sacrifice(daemon, inside.id, { force: true });
    expect(existsSync(own.path)).toBe(true);
  });
});

describe("the worktree of a session that is sacrificed", () => {
  it("goes with it where nothing would be lost, and was kept while it was archived", async () => {
    const daemon = await startDaemon();
    const project = repositoryWithCommit();
    const { id, worktree: own } = await ended(daemon, project.path);
    await daemon.client.call("archive", { session: id });
    expect(existsSync(own.path)).toBe(true);
    expect(await sacrifice(daemon, id)).toEqual({ id, sacrificed: true });
    expect(existsSync(own.path)).toBe(false);
    expect(readdirSync(join(daemon.home, "worktrees"))).toEqual([]);
    expect(branches(project)).toEqual(["main"]);
    expect(worktrees(project)).toBe(1);
  });

  it("stays, and so does the session, where work would be lost, until that is forced; its commits are never lost", async () => {
    const daemon = await startDaemon();
    const project = repositoryWithCommit();
    const prompt = "echo more >> README.md; echo new > new.txt";
    const { id, worktree: own } = await ended(daemon, project.path, { prompt });
    await expect(sacrifice(daemon, id)).rejects.toMatchObject({
      code: "worktree_not_clean",
      message: expect.stringContaining("1 file with uncommitted changes, 1 untracked file"),
      details: { path: own.path, uncommitted: { first: ["README.md"] }, untracked: { first: ["new.txt"] } },
    });
    // Forced, it is said as well before it is confirmed.
    await expect(sacrifice(daemon, id, { force: true, confirm: false })).rejects.toMatchObject({
      code: "confirmation_required",
      message: expect.stringContaining("1 file with uncommitted changes, 1 untracked file"),
    });
    expect(await daemon.client.call("record", { session: id })).toMatchObject({ worktree: own });
    const lane = at(own.path);
    const commit = lane.commit("work");
    await expect(sacrifice(daemon, id)).rejects.toThrow(/1 commit that is on no other branch/);
    expect(await sacrifice(daemon, id, { force: true })).toEqual({
      id,
      sacrificed: true,
      branchKept: own.branch,
    });
    expect(existsSync(own.path)).toBe(false);
    expect(project.git("rev-parse", own.branch).trim()).toBe(commit);
    await expect(daemon.client.call("record", { session: id })).rejects.toMatchObject({
      code: "session_not_found",
    });
  });

  it("does not go for the other's sake where two are given up at once", async () => {
    const daemon = await startDaemon();
    const project = repositoryWithCommit();
    const [one, other] = [await ended(daemon, project.path), await ended(daemon, project.path)];
    at(one.worktree.path).write("work.txt", "work\n");
    const commit = at(one.worktree.path).commit("work");
    at(other.worktree.path).git("merge", "-q", "--ff-only", one.worktree.branch);
    const outcomes = await Promise.allSettled([one, other].map(({ id }) => sacrifice(daemon, id)));
    expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(project.git("branch", "--contains", commit)).toContain("coven/");
  });

  it("stays while another session works in it", async () => {
    const daemon = await startDaemon();
    const project = repositoryWithCommit();
    const { id, worktree: own } = await ended(daemon, project.path);
    const asked = { harness: "shell", projectRoot: own.path, prompt: "sleep 60" };
    const beside = z.object({ id: z.string() }).parse(await daemon.client.call("run", asked));
    await expect(sacrifice(daemon, id)).rejects.toMatchObject({ code: "session_live" });
    expect(existsSync(own.path)).toBe(true);
    await daemon.client.call("kill", { session: beside.id });
    await sacrifice(daemon, id);
    expect(existsSync(own.path)).toBe(false);
  });

  it("may be gone already, by hand or with its repository", async () => {
    const daemon = await startDaemon();
    const project = repositoryWithCommit();
    const byHand = await ended(daemon, project.path);
    rmSync(byHand.worktree.path, { recursive: true });
    await sacrifice(daemon, byHand.id);
    expect(branches(project)).toEqual(["main"]);
    const left = await ended(daemon, project.path);
    rmSync(project.path, { recursive: true });
    await expect(sacrifice(daemon, left.id)).rejects.toMatchObject({ code: "worktree_not_clean" });
    expect(existsSync(left.worktree.path)).toBe(true);
    await sacrifice(daemon, left.id, { force: true });
    expect(kept(daemon.home)).toEqual([]);
  });
});

describe("a worktree that a crash has left", () => {
  it("without a session is removed at the next start, but not with work in it", async () => {
    const first = await startDaemon();
    const project = repositoryWithCommit();
    const { worktree: own } = await ended(first, project.path);
    project.write(".gitignore", "/.env\n");
    project.commit("ignore");
    const folder = join(own.path, "..");
    // As one made by a daemon that crashed before it had written the session down.
    for (const name of ["aaaaaaaa", "bbbbbbbb", "cccccccc"])
      project.git("worktree", "add", "-q", "-b", `coven/${name}`, join(folder, name));
    at(join(folder, "bbbbbbbb")).write("work.txt", "work\n");
    at(join(folder, "cccccccc")).write(".env", "ignored, and still somebody's\n");
    await first.stop();
    const second = await startDaemon(first.home);
    await expect.poll(() => existsSync(join(folder, "aaaaaaaa"))).toBe(false);
    await expect.poll(() => logOf(second)).toContain("a worktree that no session has is kept");
    expect(existsSync(join(folder, "bbbbbbbb/work.txt"))).toBe(true);
    expect(existsSync(own.path)).toBe(true);
    await expect
      .poll(() => logOf(second))
      .toContain(`somebody has worked in the worktree ${join(folder, "cccccccc")}`);
    expect(existsSync(join(folder, "cccccccc/.env"))).toBe(true);
    expect(branches(project)).toEqual(["coven/bbbbbbbb", "coven/cccccccc", own.branch, "main"].sort());
  });

  it("is gone while its session is not: the session can be sacrificed once more", async () => {
    const daemon = await startDaemon();
    const project = repositoryWithCommit();
    const { id, worktree: own } = await ended(daemon, project.path);
    // As far as a sacrifice had come.
    project.git("worktree", "remove", own.path);
    project.git("branch", "-D", own.branch);
    expect(await sacrifice(daemon, id)).toEqual({ id, sacrificed: true });
    expect(branches(project)).toEqual(["main"]);
  });
});

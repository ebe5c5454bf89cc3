import { chmodSync, existsSync, mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Failure } from "../../src/errors.ts";
import { worktreeState } from "../../src/runtime/worktree-state.ts";
import { createWorktree, removeWorktree, worktreePlace } from "../../src/runtime/worktrees.ts";
import {
  type TestRepository,
  at,
  contentsOf,
  emptyRepository,
  repositoryWithCommit,
  temporaryFolder,
} from "../support/repository.ts";

async function laneOf(project: TestRepository, name = "lane") {
  const place = worktreePlace(temporaryFolder(), project.path, name);
  const worktree = await createWorktree({ repository: project.path, place, name });
  return { ...at(worktree.path), worktree, removal: { ...worktree, repository: project.path, force: false } };
}

const failureOf = async (work: Promise<unknown>): Promise<Failure> => {
  const outcome = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (outcome instanceof Failure) return outcome;
  throw new Error(`no failure: ${String(outcome)}`);
};

const branches = ({ git }: TestRepository): string[] =>
  git("for-each-ref", "--format=%(refname:short)")
    .split("\n")
    .filter((each) => each !== "");

const worktrees = ({ git }: TestRepository): number =>
  git("worktree", "list", "--porcelain")
    .split("\n")
    .filter((line) => line.startsWith("worktree ")).length;

describe("a worktree", () => {
  it("has a branch of its own at the commit that is checked out, outside of the user's work tree", async () => {
    const project = repositoryWithCommit();
    project.write("README.md", "# Uncommitted\n");
    const was = contentsOf(join(project.path, "src"));
    const { worktree, git } = await laneOf(project);
    const base = project.git("rev-parse", "HEAD").trim();
    expect(worktree).toEqual({ path: worktree.path, directory: worktree.path, branch: "coven/lane", base });
    expect(git("rev-parse", "--abbrev-ref", "HEAD", "HEAD").trim().split("\n")).toEqual([
      "coven/lane",
      "coven/lane",
    ]);
    expect(git("rev-parse", "HEAD").trim()).toBe(base);
    expect(git("status", "--porcelain")).toBe("");
    expect(project.git("status", "--porcelain").trim()).toBe("M README.md");
    expect(contentsOf(join(project.path, "src"))).toEqual(was);
  });

  it("is at the project's own folder where that is not the top", async () => {
    const project = repositoryWithCommit();
    const place = join(temporaryFolder(), "lane");
    const { path, directory } = await createWorktree({
      repository: join(project.path, "src"),
      place,
      name: "lane",
    });
    expect(directory).toBe(join(path, "src"));
    expect(existsSync(join(directory, "one.ts"))).toBe(true);
  });

  it("can be made of a bare repository and of another worktree", async () => {
    const project = repositoryWithCommit();
    const bare = at(join(temporaryFolder(), "bare.git"));
    project.git("clone", "-q", "--bare", project.path, bare.path);
    const base = project.git("rev-parse", "HEAD").trim();
    expect((await laneOf(bare)).worktree.base).toBe(base);
    const lane = await laneOf(project);
    lane.write("a.txt", "a\n");
    const commit = lane.commit("a");
    expect((await laneOf(lane, "second")).worktree).toMatchObject({ base: commit, branch: "coven/second" });
  });

  it("is refused without a repository, without a commit and without git", async () => {
    const folder = temporaryFolder();
    const place = join(temporaryFolder(), "lane");
    const name = "lane";
    expect(await failureOf(createWorktree({ repository: folder, place, name }))).toMatchObject({
      code: "invalid_request",
      message: `no worktree of ${folder}: ${folder} is no git repository`,
    });
    const unborn = emptyRepository();
    expect(await failureOf(createWorktree({ repository: unborn.path, place, name }))).toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining("it has no commit yet"),
    });
    const project = repositoryWithCommit();
    const env = { PATH: folder };
    expect(await failureOf(createWorktree({ repository: project.path, place, name, env }))).toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining("git is not on the daemon's PATH"),
    });
    expect(existsSync(place)).toBe(false);
  });

  it.each(["", "..", "a..b", "-a", "a/b", "a.lock", "a b", "a.", "x".repeat(65)])(
    "is refused under the name %j",
    async (name) => {
      const project = repositoryWithCommit();
      const place = join(temporaryFolder(), "lane");
      expect(await failureOf(createWorktree({ repository: project.path, place, name }))).toMatchObject({
        code: "invalid_request",
        message: expect.stringContaining("cannot be the name"),
      });
    },
  );

  it("is refused where its place or branch is taken, and both stay as they are", async () => {
    const project = repositoryWithCommit();
    const folder = temporaryFolder();
    mkdirSync(join(folder, "place"));
    at(folder).write("place/mine.txt", "mine\n");
    project.git("branch", "coven/mine");
    const place = join(folder, "place");
    expect(await failureOf(createWorktree({ repository: project.path, place, name: "lane" }))).toMatchObject({
      code: "worktree_taken",
      message: `${place} exists already`,
      details: { place },
    });
    const other = join(folder, "other");
    expect(
      await failureOf(createWorktree({ repository: project.path, place: other, name: "mine" })),
    ).toMatchObject({
      code: "worktree_taken",
      details: { branch: "coven/mine" },
    });
    expect(existsSync(join(place, "mine.txt"))).toBe(true);
    expect(existsSync(other)).toBe(false);
    expect(branches(project)).toEqual(["coven/mine", "main"]);
  });

  it("is refused where a branch of the user's is called coven", async () => {
    const project = repositoryWithCommit();
    project.git("branch", "coven");
    const failure = await failureOf(laneOf(project));
    expect(failure).toMatchObject({ code: "worktree_taken", details: { branch: "coven/lane" } });
    expect(branches(project)).toEqual(["coven", "main"]);
  });

  it("is refused inside of the user's work tree, through a link as well", async () => {
    const project = repositoryWithCommit();
    const folder = temporaryFolder();
    symlinkSync(project.path, join(folder, "link"));
    for (const place of [join(project.path, "lane"), join(folder, "link/deep/lane"), project.path, "lane"]) {
      const repository = join(project.path, "src");
      expect(await failureOf(createWorktree({ repository, place, name: "lane" }))).toMatchObject({
        code: "invalid_request",
        message: expect.stringMatching(/inside of the work tree/),
      });
    }
    expect(branches(project)).toEqual(["main"]);
  });

  it("leaves nothing when its checkout fails", async () => {
    const project = repositoryWithCommit();
    project.write(".gitattributes", "*.ts filter=broken\n");
    project.commit("attributes");
    project.git("config", "filter.broken.smudge", "false");
    project.git("config", "filter.broken.required", "true");
    const place = join(temporaryFolder(), "lane");
    expect(await failureOf(createWorktree({ repository: project.path, place, name: "lane" }))).toMatchObject({
      code: "launch_failed",
      message: expect.stringContaining("smudge filter broken failed"),
    });
    expect(existsSync(place)).toBe(false);
    expect(branches(project)).toEqual(["main"]);
    expect(worktrees(project)).toBe(1);
    project.git("config", "--unset", "filter.broken.smudge");
    project.git("config", "--unset", "filter.broken.required");
    await createWorktree({ repository: project.path, place, name: "lane" });
  });

  it("runs no hook of the repository", async () => {
    const project = repositoryWithCommit();
    const hook = join(project.path, ".git/hooks/post-checkout");
    at(join(project.path, ".git")).write("hooks/post-checkout", "#!/bin/sh\ntouch ran\n");
    chmodSync(hook, 0o755);
    const { path } = await laneOf(project);
    expect(existsSync(join(path, "ran"))).toBe(false);
    project.git("worktree", "add", "-q", join(path, "../plain"));
    expect(existsSync(join(path, "../plain/ran"))).toBe(true);
  });
});

const lossOf = async (path: string) => {
  const { isClean, uncommitted, untracked, repositories, commits } = await worktreeState(path);
  return { isClean, lost: [uncommitted.count, untracked.count, repositories.count, commits] };
};

describe("what would be lost with a worktree", () => {
  it("is nothing where nothing was done, or only files that are ignored", async () => {
    const project = repositoryWithCommit();
    project.write(".gitignore", "dist\n");
    project.commit("ignore");
    const lane = await laneOf(project);
    lane.write("dist/a.js", "a\n");
    expect(await lossOf(lane.path)).toEqual({ isClean: true, lost: [0, 0, 0, 0] });
  });

  it("is what is not committed, not tracked, and in commits of its own", async () => {
    const project = repositoryWithCommit();
    const lane = await laneOf(project);
    lane.write("a.txt", "a\n");
    lane.commit("one");
    lane.write("README.md", "# Changed\n");
    lane.write("src/one.ts", "staged\n");
    lane.git("add", "src/one.ts");
    lane.write("new/untracked.txt", "new\n");
    expect(await worktreeState(lane.path)).toEqual({
      path: lane.path,
      branch: "coven/lane",
      uncommitted: { count: 2, first: ["README.md", "src/one.ts"] },
      untracked: { count: 1, first: ["new/untracked.txt"] },
      repositories: { count: 0, first: [] },
      commits: 1,
      operation: null,
      ignored: 0,
      isClean: false,
    });
  });

  it("is no commit that another branch, a tag or a remote has", async () => {
    const project = repositoryWithCommit();
    const lane = await laneOf(project);
    lane.write("a.txt", "a\n");
    lane.commit("one");
    expect((await worktreeState(lane.path)).commits).toBe(1);
    project.git("merge", "-q", "coven/lane");
    expect(await lossOf(lane.path)).toEqual({ isClean: true, lost: [0, 0, 0, 0] });
    lane.write("a.txt", "b\n");
    const hash = lane.commit("two");
    lane.git("checkout", "-q", "--detach");
    expect((await worktreeState(lane.path)).commits).toBe(0);
    lane.write("a.txt", "c\n");
    lane.commit("three");
    expect(await worktreeState(lane.path)).toMatchObject({ branch: null, commits: 1, isClean: false });
    lane.git("tag", "kept");
    expect((await worktreeState(lane.path)).commits).toBe(0);
    lane.git("checkout", "-q", "coven/lane");
    lane.git("tag", "-d", "kept");
    lane.git("update-ref", "refs/remotes/origin/lane", hash);
    expect((await worktreeState(lane.path)).commits).toBe(0);
  });

  it("is what stands in files that git was told not to look at, and in repositories", async () => {
    const project = repositoryWithCommit();
    const lane = await laneOf(project);
    lane.git("update-index", "--assume-unchanged", "README.md");
    expect((await worktreeState(lane.path)).isClean).toBe(true);
    lane.write("README.md", "# Hidden\n");
    mkdirSync(join(lane.path, "inner"));
    at(join(lane.path, "inner")).git("init", "-q", ".");
    expect(await worktreeState(lane.path)).toMatchObject({
      uncommitted: { count: 1, first: ["README.md"] },
      repositories: { count: 1, first: ["inner/"] },
      isClean: false,
    });
  });

  it("is asked only of worktrees that are not the user's own", async () => {
    const project = repositoryWithCommit();
    for (const path of [project.path, join(project.path, "src"), temporaryFolder()])
      expect(await failureOf(worktreeState(path))).toMatchObject({ code: "invalid_request" });
  });
});

describe("removing a worktree", () => {
  it("takes its folder and its branch where nothing would be lost", async () => {
    const project = repositoryWithCommit();
    const lane = await laneOf(project);
    lane.git("config", "branch.coven/lane.remote", ".");
    expect(await removeWorktree(lane.removal)).toEqual({ isBranchKept: false });
    expect(existsSync(lane.path)).toBe(false);
    expect(branches(project)).toEqual(["main"]);
    expect(worktrees(project)).toBe(1);
    expect(project.git("config", "--list", "--local")).not.toContain("coven");
    // As if it had never been: the name is free again.
    await createWorktree({ repository: project.path, place: lane.path, name: "lane" });
  });

  it.each([
    [
      "uncommitted changes",
      (lane: TestRepository) => lane.write("README.md", "changed\n"),
      "1 file with uncommitted changes",
      false,
    ],
    ["untracked files", (lane: TestRepository) => lane.write("new.txt", "new\n"), "1 untracked file", false],
    [
      "commits of its own",
      (lane: TestRepository) => {
        lane.write("new.txt", "new\n");
        lane.commit("new");
      },
      "1 commit that is on no other branch",
      true,
    ],
  ] as const)("is refused with %s until it is forced", async (_, work, lost, isBranchKept) => {
    const project = repositoryWithCommit();
    const lane = await laneOf(project);
    work(lane);
    const was = contentsOf(lane.path);
    expect(await failureOf(removeWorktree(lane.removal))).toMatchObject({
      code: "worktree_not_clean",
      message: `with the worktree ${lane.path} would be lost: ${lost}`,
    });
    expect(contentsOf(lane.path)).toEqual(was);
    expect(await removeWorktree({ ...lane.removal, force: true })).toEqual({ isBranchKept });
    expect(existsSync(lane.path)).toBe(false);
    expect(branches(project)).toEqual(isBranchKept ? ["coven/lane", "main"] : ["main"]);
  });

  it("leaves a branch that the user has checked out, and every branch that is not ours", async () => {
    const project = repositoryWithCommit();
    const lane = await laneOf(project);
    lane.git("checkout", "-q", "-b", "feature");
    project.git("checkout", "-q", "coven/lane");
    expect(await removeWorktree(lane.removal)).toEqual({ isBranchKept: true });
    expect(branches(project)).toEqual(["coven/lane", "feature", "main"]);
    const other = await laneOf(project, "other");
    expect(await removeWorktree({ ...other.removal, branch: "feature" })).toEqual({ isBranchKept: true });
    expect(branches(project)).toEqual(["coven/lane", "coven/other", "feature", "main"]);
  });

  it("never takes the user's own work tree, nor a worktree of another repository", async () => {
    const project = repositoryWithCommit();
    const other = await laneOf(repositoryWithCommit());
    const asked = { repository: project.path, branch: "coven/lane", force: true };
    for (const path of [project.path, other.path])
      expect(await failureOf(removeWorktree({ ...asked, path }))).toMatchObject({ code: "invalid_request" });
    expect(existsSync(join(project.path, "README.md"))).toBe(true);
    expect(existsSync(join(other.path, "README.md"))).toBe(true);
  });

  it("is refused, forced as well, where the user locked it", async () => {
    const project = repositoryWithCommit();
    const lane = await laneOf(project);
    project.git("worktree", "lock", lane.path);
    expect(await failureOf(removeWorktree({ ...lane.removal, force: true }))).toMatchObject({
      code: "git_failed",
      message: expect.stringContaining("lock"),
    });
    expect(existsSync(lane.path)).toBe(true);
  });

  it("tidies up after a folder that is gone already, and only after that one", async () => {
    const project = repositoryWithCommit();
    const lane = await laneOf(project);
    const other = await laneOf(project, "other");
    for (const { path } of [lane, other]) rmSync(path, { recursive: true });
    expect(await removeWorktree(lane.removal)).toEqual({ isBranchKept: false });
    expect(branches(project)).toEqual(["coven/other", "main"]);
    expect(worktrees(project)).toBe(2);
    expect(await removeWorktree(lane.removal)).toEqual({ isBranchKept: false });
  });

  it("is refused where commits of a folder that is gone are on no branch, and they stay", async () => {
    const project = repositoryWithCommit();
    const lane = await laneOf(project);
    lane.git("checkout", "-q", "--detach");
    lane.write("a.txt", "a\n");
    const commit = lane.commit("on no branch");
    rmSync(lane.path, { recursive: true });
    expect(await failureOf(removeWorktree(lane.removal))).toMatchObject({
      code: "worktree_not_clean",
      details: { commits: 1 },
    });
    project.git("reflog", "expire", "--expire=now", "--all");
    expect(project.git("fsck", "--unreachable", "--no-reflogs")).not.toContain(commit);
    await removeWorktree({ ...lane.removal, force: true });
    expect(worktrees(project)).toBe(1);
  });

  it("is refused where another worktree or a repository stands in a folder of it that is ignored", async () => {
    const project = repositoryWithCommit();
    project.write(".gitignore", "/.worktrees/\n/cloned/\n/built/\n");
    project.commit("ignore");
    const lane = await laneOf(project);
    lane.write("built/one.js", "1\n");
    lane.git("worktree", "add", "-q", "-b", "inner", ".worktrees/inner");
    lane.write(".worktrees/inner/work.txt", "not committed\n");
    lane.git("clone", "-q", project.path, "cloned");
    expect(await failureOf(removeWorktree(lane.removal))).toMatchObject({
      code: "worktree_not_clean",
      details: { repositories: { count: 2, first: ["cloned/", ".worktrees/inner/"] } },
    });
    expect(existsSync(join(lane.path, ".worktrees/inner/work.txt"))).toBe(true);
  });

  it("is refused in the middle of a merge that changes no file", async () => {
    const project = repositoryWithCommit();
    const lane = await laneOf(project);
    project.write("a.txt", "a\n");
    project.commit("a");
    lane.git("merge", "-q", "--no-commit", "--no-ff", "-s", "ours", "main");
    expect(await failureOf(removeWorktree(lane.removal))).toMatchObject({
      code: "worktree_not_clean",
      message: expect.stringContaining("a merge in progress"),
    });
  });

  it("can be forced where git cannot say any more what would be lost", async () => {
    const project = repositoryWithCommit();
    const lane = await laneOf(project);
    writeFileSync(lane.git("rev-parse", "--git-path", "index").trim(), "no index");
    expect(await failureOf(removeWorktree(lane.removal))).toMatchObject({ code: "git_failed" });
    expect(existsSync(lane.path)).toBe(true);
    await removeWorktree({ ...lane.removal, force: true });
    expect(existsSync(lane.path)).toBe(false);
  });

  it("runs no filter that the repository itself configures", async () => {
    const project = repositoryWithCommit();
    const lane = await laneOf(project);
    const ran = join(temporaryFolder(), "ran");
    project.write(".git/info/attributes", "* filter=own\n");
    project.git("config", "filter.own.clean", `touch ${ran}; cat`);
    // Other than git remembers it, so that it is read again.
    utimesSync(join(lane.path, "README.md"), 1, 1);
    await removeWorktree(lane.removal);
    expect(existsSync(lane.path)).toBe(false);
    expect(existsSync(ran)).toBe(false);
  });
});

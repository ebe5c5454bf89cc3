import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Changes, type ProjectChanges, type Snapshot } from "../../src/runtime/changes.ts";
import {
  type TestRepository,
  at,
  contentsOf,
  emptyRepository,
  lines,
  repositoryWithCommit,
  temporaryFolder,
} from "../support/repository.ts";

const maxBytes = 100_000;

const newChanges = (): Changes => new Changes({ root: join(temporaryFolder(), "changes") });

/** What the work comes to in the eyes of whoever looked before and looks after it. */
async function changesOf(
  { path }: { path: string },
  work: () => void,
  asked: { path?: string; maxBytes?: number } = {},
): Promise<ProjectChanges> {
  const changes = newChanges();
  const before = await changes.snapshot(path);
  work();
  return told(await changes.between({ before, maxBytes, ...asked }));
}

function told(answer: Awaited<ReturnType<Changes["between"]>>): ProjectChanges {
  if (answer.kind === "none") throw new Error(answer.reason);
  return answer;
}

const summary = ({ files }: ProjectChanges): string[] =>
  files.map(({ status, path, from, insertions, deletions, omitted }) =>
    [status, from === undefined ? path : `${from} → ${path}`, `+${insertions} -${deletions}`, omitted]
      .filter((each) => each !== undefined)
      .join(" "),
  );

const treeOf = (snapshot: Snapshot): string => (snapshot.kind === "git" ? snapshot.tree : snapshot.reason);

/** The tree that git itself would write of all that is there. */
function treeByGit({ path }: TestRepository): string {
  const index = join(temporaryFolder(), "index");
  const env = { ...process.env, GIT_INDEX_FILE: index };
  execFileSync("git", ["add", "-A"], { cwd: path, env });
  return execFileSync("git", ["write-tree"], { cwd: path, env, encoding: "utf8" }).trim();
}

describe("changes", () => {
  it("tell files that were added, modified, deleted and renamed, committed or not", async () => {
    const project = repositoryWithCommit();
    project.write("gone.txt", lines("gone"));
    project.write("old-name.txt", lines("renamed"));
    project.commit("more");
    const changes = await changesOf(project, () => {
      project.write("src/one.ts", "export const one = 1;\nexport const two = 2;\n");
      project.commit("Count to two");
      project.write("README.md", "# Another\n");
      project.write("new/file.txt", "new\n");
      rmSync(join(project.path, "gone.txt"));
      project.git("mv", "old-name.txt", "new-name.txt");
    });
    expect(summary(changes)).toEqual([
      "modified README.md +1 -1",
      "deleted gone.txt +0 -10 deleted",
      "renamed old-name.txt → new-name.txt +0 -0",
      "added new/file.txt +1 -0",
      "modified src/one.ts +1 -0",
    ]);
    expect(changes).toMatchObject({ filesTotal: 5, insertions: 3, deletions: 11, truncated: false });
    expect(changes.commits).toEqual({
      count: 1,
      newest: [{ hash: project.git("rev-parse", "HEAD").trim(), subject: "Count to two" }],
    });
    expect(changes.files[3]?.diff).toBe(
      "diff --git a/new/file.txt b/new/file.txt\nnew file mode 100644\nindex 0000000..3e75765\n--- /dev/null\n+++ b/new/file.txt\n@@ -0,0 +1 @@\n+new\n",
    );
    expect(changes.files[2]?.diff).toContain("rename from old-name.txt");
  });

  it("are none where nothing was done, whatever was uncommitted before", async () => {
    const project = repositoryWithCommit();
    project.write("README.md", "# Begun\n");
    project.write("untracked.txt", "mine\n");
    const changes = await changesOf(project, () => undefined);
    expect(changes).toMatchObject({ files: [], filesTotal: 0, commits: { count: 0, newest: [] } });
  });

  it("leave out what was uncommitted before and is as it was", async () => {
    const project = repositoryWithCommit();
    project.write("README.md", "# Begun\n");
    project.write("untracked.txt", "mine\n");
    const changes = await changesOf(project, () => project.write("src/one.ts", "one\n"));
    expect(summary(changes)).toEqual(["modified src/one.ts +1 -1"]);
  });

  it("see a change that keeps a file's size and time to the second", async () => {
    const project = repositoryWithCommit();
    const changes = newChanges();
    for (const word of ["aaa", "bbb", "ccc"]) {
      const before = await changes.snapshot(project.path);
      project.write("README.md", `${word}\n`);
      expect(summary(told(await changes.between({ before, maxBytes })))).toHaveLength(1);
    }
  });

  it("stand between two moments that were both remembered", async () => {
    const project = repositoryWithCommit();
    const changes = newChanges();
    const before = await changes.snapshot(project.path);
    project.write("a.txt", "a\n");
    const after = await changes.snapshot(project.path);
    project.write("b.txt", "b\n");
    const stored: Snapshot = JSON.parse(JSON.stringify(before));
    expect(summary(told(await changes.between({ before: stored, after, maxBytes })))).toEqual([
      "added a.txt +1 -0",
    ]);
    expect(summary(told(await changes.between({ before: after, maxBytes })))).toEqual(["added b.txt +1 -0"]);
  });

  it("respect what is ignored, and tell of files that are ignored since", async () => {
    const project = repositoryWithCommit();
    project.write(".gitignore", "*.log\n");
    project.write("early.tmp", "early\n");
    const changes = await changesOf(project, () => {
      project.write("some.log", "log\n");
      project.write(".gitignore", "*.log\n*.tmp\n");
      project.write("late.tmp", "late\n");
    });
    expect(summary(changes)).toEqual(["modified .gitignore +1 -0", "deleted early.tmp +0 -1 ignored"]);
  });

  it("tell of an ignored file that was added all the same", async () => {
    const project = repositoryWithCommit();
    project.write(".gitignore", "dist\n");
    project.commit("ignore");
    const changes = await changesOf(project, () => {
      project.write("dist/a.js", "a\n");
      project.write("dist/b.js", "b\n");
      project.git("add", "-f", "dist/a.js");
    });
    expect(summary(changes)).toEqual(["added dist/a.js +1 -0"]);
  });

  it("tell modes and symbolic links, files that became links and folders that became files", async () => {
    const project = repositoryWithCommit();
    project.write("run.sh", "#!/bin/sh\n");
    project.write("folder/file.txt", "in a folder\n");
    project.write("real/x.txt", "x\n");
    symlinkSync("README.md", join(project.path, "link"));
    project.commit("more");
    const changes = await changesOf(project, () => {
      chmodSync(join(project.path, "run.sh"), 0o755);
      rmSync(join(project.path, "link"));
      symlinkSync("src/one.ts", join(project.path, "link"));
      rmSync(join(project.path, "src/one.ts"));
      symlinkSync("../README.md", join(project.path, "src/one.ts"));
      rmSync(join(project.path, "folder"), { recursive: true });
      project.write("folder", "a file\n");
      rmSync(join(project.path, "README.md"));
      project.write("README.md/inside.txt", "inside\n");
      rmSync(join(project.path, "real"), { recursive: true });
      symlinkSync("src", join(project.path, "real"));
    });
    expect(summary(changes)).toEqual([
      "deleted README.md +0 -1 deleted",
      "added README.md/inside.txt +1 -0",
      "added folder +1 -0",
      "deleted folder/file.txt +0 -1 deleted",
      "modified link +1 -1",
      "added real +1 -0",
      "deleted real/x.txt +0 -1 deleted",
      "modified run.sh +0 -0",
      "modified src/one.ts +1 -1",
    ]);
    const [mode, type] = [changes.files.at(7)?.diff, changes.files.at(8)?.diff];
    expect(mode).toBe("diff --git a/run.sh b/run.sh\nold mode 100644\nnew mode 100755\n");
    expect(type).toContain("deleted file mode 100644");
    expect(type).toContain("new file mode 120000");
    expect(treeOf(await newChanges().snapshot(project.path))).toBe(treeByGit(project));
  });

  it("say of binary, large and deleted files what they are, and dump none", async () => {
    const project = repositoryWithCommit();
    project.write("image.bin", Buffer.from([0, 1, 2, 3]));
    project.write("deleted.txt", lines("deleted"));
    project.write("large-before.dat", "");
    truncateSync(join(project.path, "large-before.dat"), 11_000_000);
    project.commit("more");
    project.write("large-same.dat", "");
    truncateSync(join(project.path, "large-same.dat"), 12_000_000);
    const changes = await changesOf(project, () => {
      project.write("image.bin", Buffer.from([0, 1, 2, 4]));
      rmSync(join(project.path, "deleted.txt"));
      truncateSync(join(project.path, "large-before.dat"), 11_000_001);
      project.write("large-new.dat", "");
      truncateSync(join(project.path, "large-new.dat"), 13_000_000);
    });
    expect(summary(changes)).toEqual([
      "deleted deleted.txt +0 -10 deleted",
      "modified image.bin +null -null binary",
      "modified large-before.dat +null -null large",
      "added large-new.dat +null -null large",
    ]);
    expect(changes.files.every(({ diff }) => diff === undefined)).toBe(true);
  });

  it("copy no large file, and know one again by size and time", async () => {
    const project = repositoryWithCommit();
    const root = join(temporaryFolder(), "changes");
    const changes = new Changes({ root });
    const file = join(project.path, "large.dat");
    project.write("large.dat", "");
    truncateSync(file, 20_000_000);
    const before = await changes.snapshot(project.path);
    expect(treeOf(await changes.snapshot(project.path))).toBe(treeOf(before));
    utimesSync(file, 1_000_000_000, 1_000_000_000);
    expect(summary(told(await changes.between({ before, maxBytes })))).toEqual([
      "modified large.dat +null -null large",
    ]);
    project.write("large.dat", "small now\n");
    expect(summary(told(await changes.between({ before, maxBytes })))).toEqual([
      "modified large.dat +null -null large",
    ]);
    rmSync(file);
    expect(summary(told(await changes.between({ before, maxBytes })))).toEqual([
      "deleted large.dat +null -null large",
    ]);
    const kept = execFileSync("du", ["-sk", root], { encoding: "utf8" });
    expect(Number.parseInt(kept)).toBeLessThan(1000);
  });

  it("note files beyond what is copied of untracked ones at once, and know them again", async () => {
    const project = repositoryWithCommit();
    const changes = new Changes({ root: join(temporaryFolder(), "changes"), copiedFilesMax: 2 });
    for (const name of ["a", "b", "c", "d"]) project.write(`${name}.txt`, `${name}\n`);
    const before = await changes.snapshot(project.path);
    expect(treeOf(await changes.snapshot(project.path))).toBe(treeOf(before));
    for (const name of ["a", "d"]) project.write(`${name}.txt`, "changed\n");
    expect(summary(told(await changes.between({ before, maxBytes })))).toEqual([
      "modified a.txt +1 -1",
      "modified d.txt +null -null large",
    ]);
  });

  it("keep each diff and all of them within bounds, and say so", async () => {
    const project = repositoryWithCommit();
    const work = (): void => {
      project.write("a-small.txt", lines("a", 2));
      project.write("b-long.txt", lines("b", 20_000));
      project.write("c-small.txt", lines("c", 2));
      project.write("d-one-line.txt", "d".repeat(300_000));
    };
    const changes = await changesOf(project, work);
    expect(summary(changes)).toEqual([
      "added a-small.txt +2 -0",
      "added b-long.txt +20000 -0",
      "added c-small.txt +2 -0",
      "added d-one-line.txt +1 -0",
    ]);
    const [small, long, other, line] = changes.files;
    expect(small).not.toHaveProperty("truncated");
    expect(other?.diff).toMatch(/\+c 1\n$/);
    expect(long).toMatchObject({ truncated: true });
    expect(long?.diff).toMatch(/\+b \d+\n$/);
    expect(long?.diff?.length).toBeGreaterThan(60_000);
    expect(long?.diff?.length).toBeLessThanOrEqual(64_000);
    expect(line).toMatchObject({ truncated: true });
    expect(changes.truncated).toBe(true);

    rmSync(join(project.path, "a-small.txt"));
    for (const name of ["b-long.txt", "c-small.txt", "d-one-line.txt"]) rmSync(join(project.path, name));
    const little = await changesOf(project, work, { maxBytes: 1000 });
    expect(little.truncated).toBe(true);
    const bytes = little.files.reduce((sum, { diff }) => sum + (diff?.length ?? 0), 0);
    expect(bytes).toBeGreaterThan(300);
    expect(bytes).toBeLessThanOrEqual(1000);
    const none = await changesOf(
      project,
      () => [1, 2, 3].forEach((each) => project.write(`e${each}.txt`, lines("e", 10))),
      { maxBytes: 180 },
    );
    expect(none.files.map(({ omitted }) => omitted)).toContain("limit");
  });

  it("are limited to a path, which must be in the project", async () => {
    const project = repositoryWithCommit();
    const work = (): void => {
      project.write("src/one.ts", "one\n");
      project.write("src/[a]*.ts", "odd\n");
      project.write("README.md", "other\n");
    };
    expect(summary(await changesOf(project, work, { path: "src" }))).toEqual([
      "added src/[a]*.ts +1 -0",
      "modified src/one.ts +1 -1",
    ]);
    const changes = newChanges();
    const before = await changes.snapshot(project.path);
    project.write("src/[a]*.ts", "odder\n");
    project.write("src/a.ts", "a\n");
    const path = join(project.path, "src/[a]*.ts");
    expect(summary(told(await changes.between({ before, path, maxBytes })))).toHaveLength(1);
    await expect(changes.between({ before, path: "../other", maxBytes })).rejects.toMatchObject({
      code: "invalid_request",
    });
  });

  it("tell names and contents that are not ASCII", async () => {
    const project = repositoryWithCommit();
    const changes = await changesOf(project, () => {
      project.write("grün/ß “x”\n.txt", "Grüße\n");
      project.write("-n", "dash\n");
    });
    expect(summary(changes)).toEqual(["added -n +1 -0", "added grün/ß “x”\n.txt +1 -0"]);
    expect(changes.files[1]?.diff).toContain("+Grüße\n");
  });

  it("tell of a submodule only that it is at another commit", async () => {
    const inner = repositoryWithCommit();
    const project = repositoryWithCommit();
    project.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", inner.path, "sub");
    project.commit("submodule");
    const sub = at(join(project.path, "sub"));
    const changes = newChanges();
    const before = await changes.snapshot(project.path);
    sub.write("README.md", "changed\n");
    expect(summary(told(await changes.between({ before, maxBytes })))).toEqual([]);
    sub.commit("inside");
    expect(summary(told(await changes.between({ before, maxBytes })))).toEqual([
      "modified sub +null -null submodule",
    ]);
  });

  it("go on around a repository in the project, with commits or without", async () => {
    const project = repositoryWithCommit();
    const changes = await changesOf(project, () => {
      for (const name of ["empty", "full"]) {
        mkdirSync(join(project.path, name));
        at(join(project.path, name)).git("init", "-q", ".");
      }
      at(join(project.path, "full")).write("a", "a\n");
      at(join(project.path, "full")).commit("a");
      project.write("z.txt", "z\n");
    });
    expect(summary(changes)).toEqual(["added full +null -null submodule", "added z.txt +1 -0"]);
  });

  it("are told before the first commit, and of the first commit", async () => {
    const project = emptyRepository();
    project.write("a.txt", "a\n");
    const changes = newChanges();
    const before = await changes.snapshot(project.path);
    expect(before).toMatchObject({ kind: "git", head: null, branch: "main" });
    project.write("b.txt", "b\n");
    project.commit("first");
    const answer = told(await changes.between({ before, maxBytes }));
    expect(summary(answer)).toEqual(["added b.txt +1 -0"]);
    expect(answer.commits).toMatchObject({ count: 1, newest: [{ subject: "first" }] });
  });

  it("count no commits that were only switched to", async () => {
    const project = repositoryWithCommit();
    const date = "2020-01-01T00:00:00Z";
    project.git("checkout", "-q", "-b", "old");
    execFileSync(
      "git",
      ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "old"],
      {
        cwd: project.path,
        env: { ...process.env, GIT_COMMITTER_DATE: date, GIT_AUTHOR_DATE: date },
      },
    );
    project.git("checkout", "-q", "main");
    const changes = await changesOf(project, () => project.git("checkout", "-q", "old"));
    expect(changes.commits).toEqual({ count: 0, newest: [] });
    expect(changes).toMatchObject({ before: { branch: "main" }, after: { branch: "old" } });
  });

  it("are of the project's own folder where that is not the top", async () => {
    const project = repositoryWithCommit();
    project.write("src/.gitignore", "*.log\n");
    const changes = await changesOf({ path: join(project.path, "src") }, () => {
      project.write("README.md", "outside\n");
      project.write("src/a.log", "ignored\n");
      project.write("src/deep/two.ts", "two\n");
      project.write("src/one.ts", "one\n");
    });
    expect(summary(changes)).toEqual(["added deep/two.ts +1 -0", "modified one.ts +1 -1"]);
    const some = await changesOf(
      { path: join(project.path, "src") },
      () => project.write("src/deep/two.ts", "2\n"),
      {
        path: "deep",
      },
    );
    expect(summary(some)).toEqual(["modified deep/two.ts +1 -1"]);
  });

  it("are of the folder's own even where a conflict stands beside it", async () => {
    const project = conflicted();
    const changes = await changesOf({ path: join(project.path, "src") }, () =>
      project.write("src/one.ts", "one\n"),
    );
    expect(summary(changes)).toEqual(["modified one.ts +1 -1"]);
  });

  it("are told of a sparse checkout, and not of what it puts away", async () => {
    const project = repositoryWithCommit();
    project.write("docs/a.md", "a\n");
    project.commit("docs");
    const changes = newChanges();
    const whole = await changes.snapshot(project.path);
    project.git("sparse-checkout", "set", "src");
    expect(existsSync(join(project.path, "docs/a.md"))).toBe(false);
    expect(summary(told(await changes.between({ before: whole, maxBytes })))).toEqual([]);
    const before = await changes.snapshot(project.path);
    project.write("src/one.ts", "one\n");
    project.write("docs/new.md", "new\n");
    expect(summary(told(await changes.between({ before, maxBytes })))).toEqual([
      "added docs/new.md +1 -0",
      "modified src/one.ts +1 -1",
    ]);
  });

  it("are of a linked worktree alone", async () => {
    const project = repositoryWithCommit();
    const linked = at(join(temporaryFolder(), "linked"));
    project.git("worktree", "add", "-q", "-b", "lane", linked.path);
    const changes = await changesOf(linked, () => {
      project.write("README.md", "main\n");
      linked.write("src/one.ts", "lane\n");
      linked.commit("lane");
    });
    expect(summary(changes)).toEqual(["modified src/one.ts +1 -1"]);
    expect(changes).toMatchObject({ after: { branch: "lane" }, commits: { count: 1 } });
  });

  it("see changes of files that git was told to take for unchanged", async () => {
    const project = repositoryWithCommit();
    project.git("update-index", "--assume-unchanged", "src/one.ts");
    const changes = await changesOf(project, () => project.write("src/one.ts", "hidden\n"));
    expect(summary(changes)).toEqual(["modified src/one.ts +1 -1"]);
  });

  it("are told in repositories with SHA-256, and with an index that is split", async () => {
    const project = emptyRepository("--object-format=sha256");
    project.write("a.txt", "a\n");
    project.commit("a");
    const work = (): void => {
      project.write("a.txt", "b\n");
      project.write("large.dat", "");
      truncateSync(join(project.path, "large.dat"), 11_000_000);
    };
    expect(summary(await changesOf(project, work))).toEqual([
      "modified a.txt +1 -1",
      "added large.dat +null -null large",
    ]);
    const split = repositoryWithCommit();
    split.git("update-index", "--split-index");
    expect(summary(await changesOf(split, () => split.write("README.md", "r\n")))).toHaveLength(1);
  });

  it("run no filter that the repository configures", async () => {
    const project = repositoryWithCommit();
    const ran = join(temporaryFolder(), "ran");
    project.git("config", "filter.odd.clean", `sh -c 'touch ${ran}; cat'`);
    project.git("config", "filter.odd.required", "true");
    project.write(".gitattributes", "*.ts filter=odd\n");
    const changes = await changesOf(project, () => project.write("src/one.ts", "one\n"));
    expect(summary(changes)).toEqual(["modified src/one.ts +1 -1"]);
    expect(existsSync(ran)).toBe(false);
    // A git that is not careful does run it.
    project.git("add", "src/one.ts");
    expect(existsSync(ran)).toBe(true);
  });

  it("say why there are none", async () => {
    const folder = temporaryFolder();
    const changes = newChanges();
    const before = await changes.snapshot(folder);
    expect(before).toEqual({ kind: "none", reason: `${folder} is no git repository` });
    expect(await changes.between({ before, maxBytes })).toEqual(before);
    const project = repositoryWithCommit();
    const was = await changes.snapshot(project.path);
    rmSync(join(project.path, ".git"), { recursive: true });
    expect(await changes.between({ before: was, maxBytes })).toMatchObject({ kind: "none" });
    rmSync(project.path, { recursive: true });
    expect(await changes.between({ before: was, maxBytes })).toEqual({
      kind: "none",
      reason: `${project.path} does not exist`,
    });
  });

  it("are told while files are written to and removed", async () => {
    const project = repositoryWithCommit();
    const changes = newChanges();
    const before = await changes.snapshot(project.path);
    const snapshots = Array.from({ length: 6 }, () => changes.snapshot(project.path));
    for (let round = 0; round < 300; round += 1) {
      project.write(`busy/${round % 40}.txt`, lines("busy", round));
      if (round % 7 === 0) rmSync(join(project.path, `busy/${round % 40}.txt`));
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const snapshot of await Promise.all(snapshots)) expect(snapshot.kind).toBe("git");
    const answer = told(await changes.between({ before, maxBytes }));
    expect(answer.filesTotal).toBe(readdirSync(join(project.path, "busy")).length);
    expect(treeOf(await changes.snapshot(project.path))).toBe(treeByGit(project));
  });
});

/** In the middle of a merge, README.md in conflict. */
function conflicted(): TestRepository {
  const project = repositoryWithCommit();
  project.git("checkout", "-q", "-b", "other");
  project.write("README.md", "# Other\n");
  project.commit("other");
  project.git("checkout", "-q", "main");
  project.write("README.md", "# Mine\n");
  project.commit("mine");
  expect(() => project.git("merge", "other")).toThrow();
  return project;
}

describe("what is the user's", () => {
  const staged = (): TestRepository => {
    const project = repositoryWithCommit();
    project.write("README.md", "# Staged\n");
    project.git("add", "README.md");
    project.write("README.md", "# Changed after\n");
    project.write("untracked.txt", "untracked\n");
    project.write("intended.txt", "intended\n");
    project.git("add", "-N", "intended.txt");
    return project;
  };
  const assumed = (): TestRepository => {
    const project = repositoryWithCommit();
    project.git("update-index", "--assume-unchanged", "README.md");
    project.git("update-index", "--skip-worktree", "src/one.ts");
    project.write("README.md", "# Hidden\n");
    return project;
  };
  const rebasing = (): TestRepository => {
    const project = conflicted();
    project.git("merge", "--abort");
    expect(() => project.git("rebase", "other")).toThrow();
    return project;
  };

  it.each([
    ["a staged change", staged, null],
    ["a conflict in progress", conflicted, "merge"],
    ["a rebase in progress", rebasing, "rebase"],
    ["files that are not looked at", assumed, null],
    ["no commit", emptyRepository, null],
  ] as const)("is not touched with %s", async (_, make, operation) => {
    const project = make();
    const changes = newChanges();
    const was = contentsOf(project.path);
    const before = await changes.snapshot(project.path);
    expect(before).toMatchObject({ kind: "git", operation });
    await changes.snapshot(project.path);
    expect(summary(told(await changes.between({ before, maxBytes })))).toEqual([]);
    expect(contentsOf(project.path)).toEqual(was);
    // The look of git itself may refresh the index, so it comes last.
    const status = project.git("status", "--porcelain=v2", "--branch");
    project.write("new.txt", "new\n");
    const now = contentsOf(project.path);
    const answer = told(await changes.between({ before, maxBytes }));
    expect(summary(answer)).toEqual(["added new.txt +1 -0"]);
    expect(answer.after.operation).toBe(operation);
    expect(contentsOf(project.path)).toEqual(now);
    rmSync(join(project.path, "new.txt"));
    expect(project.git("status", "--porcelain=v2", "--branch")).toBe(status);
    expect(project.git("for-each-ref")).not.toContain("coven");
  });
});

describe("what is kept of a project", () => {
  it("survives the user's garbage collection", async () => {
    const project = repositoryWithCommit();
    const changes = newChanges();
    project.write("untracked.txt", lines("untracked"));
    const before = await changes.snapshot(project.path);
    project.write("untracked.txt", lines("changed"));
    project.commit("more");
    project.git("gc", "-q", "--prune=now");
    const answer = told(await changes.between({ before, maxBytes }));
    expect(summary(answer)).toEqual(["modified untracked.txt +10 -10"]);
    expect(answer.files[0]?.diff).toMatch(/-untracked 9\n\+changed 0\n/);
  });

  it("is made anew where it was damaged", async () => {
    const project = repositoryWithCommit();
    const root = join(temporaryFolder(), "changes");
    const changes = new Changes({ root });
    const before = await changes.snapshot(project.path);
    const [folder = ""] = readdirSync(root);
    project.write("README.md", "# Changed\n");
    at(root).write(join(folder, "index"), "not an index");
    at(root).write(join(folder, "index.lock"), "");
    expect(summary(told(await changes.between({ before, maxBytes })))).toEqual(["modified README.md +1 -1"]);
    expect(readdirSync(join(root, folder)).sort()).toEqual(["index", "index.tree", "objects"]);
  });

  it("says that it is gone where git has pruned it", async () => {
    const project = repositoryWithCommit();
    const root = join(temporaryFolder(), "changes");
    const before = await new Changes({ root }).snapshot(project.path);
    if (before.kind === "none") throw new Error(before.reason);
    const lost = { ...before, tree: "1".repeat(40) };
    expect(await new Changes({ root }).between({ before: lost, maxBytes })).toMatchObject({
      kind: "none",
      reason: expect.stringContaining("what was remembered of the project is gone"),
    });
  });

  it("is forgotten with its project, whatever others remember of that", async () => {
    const project = repositoryWithCommit();
    const root = join(temporaryFolder(), "changes");
    const changes = new Changes({ root });
    project.write("secret.txt", "secret\n");
    await changes.snapshot(project.path);
    const other = await changes.snapshot(project.path);
    rmSync(project.path, { recursive: true });
    await changes.keepOnly(project.path, () => [other]);
    expect(readdirSync(root)).toEqual([]);
    expect(await changes.between({ before: other, maxBytes })).toMatchObject({ kind: "none" });
  });

  it("is forgotten when no snapshot wants it, and only then", async () => {
    const project = repositoryWithCommit();
    // Git would put such a file into a pack.
    project.git("config", "core.bigFileThreshold", "1");
    const root = join(temporaryFolder(), "changes");
    const changes = new Changes({ root });
    project.write("secret.txt", "first\n");
    const first = await changes.snapshot(project.path);
    project.write("secret.txt", "second\n");
    const second = await changes.snapshot(project.path);
    project.write("secret.txt", "third\n");
    const objects = (): string[] =>
      readdirSync(root, { recursive: true, encoding: "utf8" }).filter((name) =>
        /[0-9a-f]{2}\/[0-9a-f]{38}$/.test(name),
      );
    const all = objects().length;
    expect(readdirSync(root, { recursive: true, encoding: "utf8" }).join()).not.toContain(".pack");
    await changes.keepOnly(project.path, () => [second]);
    expect(objects().length).toBeLessThan(all);
    expect(summary(told(await changes.between({ before: second, maxBytes })))).toEqual([
      "modified secret.txt +1 -1",
    ]);
    expect(await changes.between({ before: first, maxBytes })).toMatchObject({ kind: "none" });
    // What is stored while others are forgotten is among what is wanted when it comes to that.
    const stored: Snapshot[] = [];
    const taken = changes.snapshot(project.path, (state) => stored.push(state));
    await changes.keepOnly(project.path, () => stored);
    project.write("secret.txt", "fourth\n");
    expect(summary(told(await changes.between({ before: await taken, maxBytes })))).toHaveLength(1);
    await changes.keepOnly(project.path, () => []);
    expect(readdirSync(root)).toEqual([]);
  });
});

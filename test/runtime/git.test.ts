import { chmodSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runGit } from "../../src/runtime/git.ts";
import { locateRepository } from "../../src/runtime/git-repository.ts";
import { at, emptyRepository, repositoryWithCommit, temporaryFolder } from "../support/repository.ts";

describe("a git command", () => {
  it("answers what git printed, in bytes", async () => {
    const { path, write, commit } = repositoryWithCommit();
    write("grün.txt", "green\n");
    commit("more");
    const answer = await runGit(["ls-files"], { directory: path });
    expect(answer).toEqual({ kind: "done", output: "README.md\ngr\u00c3\u00bcn.txt\nsrc/one.ts\n" });
  });

  it("says in git's words what went wrong", async () => {
    const { path } = repositoryWithCommit();
    expect(await runGit(["rev-parse", "--verify", "nowhere"], { directory: path })).toMatchObject({
      kind: "failed",
      why: "exit",
      message: "Needed a single revision",
    });
  });

  it("answers that git is missing, and that a directory is", async () => {
    const folder = temporaryFolder();
    const env = { PATH: folder };
    expect(await runGit(["--version"], { directory: folder, env })).toMatchObject({ why: "missing" });
    expect(await runGit(["--version"], { directory: join(folder, "none") })).toMatchObject({
      why: "no-directory",
    });
    expect(await locateRepository(folder, env)).toEqual({
      kind: "none",
      reason: "git is not on the daemon's PATH",
    });
  });

  it("gives up what prints too much or takes too long", async () => {
    const { path, write, commit, git } = repositoryWithCommit();
    write("long.txt", "long\n".repeat(100_000));
    commit("long");
    const much = await runGit(["show", "HEAD:long.txt"], { directory: path, outputBytesMax: 1000 });
    expect(much).toMatchObject({ kind: "failed", why: "output" });
    expect(much.output).toHaveLength(1000);
    git("config", "alias.wait", "!sleep 60");
    const slow = await runGit(["wait"], { directory: path, timeoutMs: 200 });
    expect(slow).toMatchObject({ kind: "failed", why: "timeout", message: "git wait took more than 200 ms" });
  });

  it("is not led by the variables of a git around the caller", async () => {
    const { path } = repositoryWithCommit();
    const other = repositoryWithCommit();
    const env = { ...process.env, GIT_DIR: join(other.path, ".git"), GIT_WORK_TREE: other.path };
    const answer = await runGit(["rev-parse", "--show-toplevel"], { directory: path, env });
    expect(answer.output.trim()).toBe(path);
  });

  it("runs no program that a repository names", async () => {
    const { path, git, write } = repositoryWithCommit();
    const ran = join(path, "ran");
    const program = join(temporaryFolder(), "program");
    writeFileSync(program, `#!/bin/sh\ntouch ${ran}\ncat\n`);
    chmodSync(program, 0o755);
    for (const key of [
      "core.fsmonitor",
      "diff.external",
      "core.pager",
      "diff.odd.textconv",
      "diff.odd.command",
    ])
      git("config", key, program);
    git("config", "core.hooksPath", join(program, ".."));
    write(".gitattributes", "*.ts diff=odd\n");
    write("src/one.ts", "export const one = 2;\n");
    const directory = path;
    await runGit(["status"], { directory });
    const diff = await runGit(["diff", "--no-ext-diff", "--no-textconv"], { directory });
    expect(diff.output).toContain("+export const one = 2;");
    expect(existsSync(ran)).toBe(false);
    // The same settings do run it in a git that is not careful.
    git("diff");
    expect(existsSync(ran)).toBe(true);
  });
});

describe("where a directory stands", () => {
  it("is told with commit, branch and the way from the top", async () => {
    const { path, git } = repositoryWithCommit();
    const head = git("rev-parse", "HEAD").trim();
    expect(await locateRepository(join(path, "src"))).toMatchObject({
      kind: "git",
      prefix: "src/",
      gitDirectory: join(path, ".git"),
      head,
      branch: "main",
      operation: null,
    });
    git("checkout", "-q", "--detach");
    expect(await locateRepository(path)).toMatchObject({ prefix: "", head, branch: null });
  });

  it("is told before the first commit", async () => {
    const { path } = emptyRepository();
    expect(await locateRepository(path)).toMatchObject({ kind: "git", head: null, branch: "main" });
  });

  it("is nowhere without a repository, in a bare one and inside of one", async () => {
    const folder = temporaryFolder();
    expect(await locateRepository(folder)).toEqual({
      kind: "none",
      reason: `${folder} is no git repository`,
    });
    const bare = at(folder);
    bare.git("init", "-q", "--bare", ".");
    expect(await locateRepository(folder)).toMatchObject({
      kind: "none",
      reason: expect.stringContaining("bare repository"),
    });
    const { path } = repositoryWithCommit();
    expect(await locateRepository(join(path, ".git"))).toMatchObject({ kind: "none" });
  });

  it("is told in the middle of a merge", async () => {
    const { path, git, write, commit } = repositoryWithCommit();
    git("checkout", "-q", "-b", "other");
    write("README.md", "# Other\n");
    commit("other");
    git("checkout", "-q", "main");
    write("README.md", "# Mine\n");
    commit("mine");
    expect(() => git("merge", "other")).toThrow();
    expect(await locateRepository(path)).toMatchObject({ operation: "merge" });
  });

  it("leaves out the filters of the repository's own and keeps the user's", async () => {
    const { path, git } = repositoryWithCommit();
    const home = temporaryFolder();
    writeFileSync(
      join(home, ".gitconfig"),
      '[filter "mine"]\n\tclean = tr a b\n[filter "both"]\n\tclean = cat\n',
    );
    git("config", "filter.foreign.clean", "touch ran");
    git("config", "filter.both.clean", "touch ran");
    const located = await locateRepository(path, { ...process.env, HOME: home });
    expect(located).toMatchObject({ kind: "git" });
    const config = new Map(located.kind === "git" ? located.config : []);
    expect(config.get("filter.foreign.clean")).toBe("");
    expect(config.get("filter.both.clean")).toBe("cat");
    expect(config.has("filter.mine.clean")).toBe(false);
  });
});

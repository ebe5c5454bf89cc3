import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { covenForFile, jsonIn } from "../support/coven.ts";

const { coven, launch, project, shell } = covenForFile();

describe("run", () => {
  it("follows what the agent says and exits with its code", async () => {
    const { code, stdout, stderr } = await coven(["run", "codex", "look, then exit 4"]);
    expect({ code, stdout }).toEqual({
      code: 4,
      stdout: `> look, then exit 4\ndone in ${project}\n`,
    });
    expect(stderr).toMatch(/^coven: session (\w{8}) runs codex\ncoven: session \1 failed \(exit 4\)\n$/);
  });

  it("takes the git root around the working directory as the project", async () => {
    const { stdout } = await coven(["run", "codex", "look", "--detach", "--json"], {
      cwd: `${project}/packages/cli`,
    });
    expect(jsonIn(stdout)).toMatchObject({
      project_root: project,
      cwd: project,
      launch_mode: "nonInteractive",
    });
  });

  it("takes model, permission, labels and directories, relative ones from where it was called", async () => {
    const args = [
      "--model",
      "gpt-x",
      "--permission",
      "read-only",
      "--label",
      "a",
      "--label",
      "b",
      "--add-dir",
      "packages",
    ];
    const { stdout } = await coven(["run", "codex", "look", ...args, "--detach", "--json"]);
    expect(jsonIn(stdout)).toMatchObject({
      model: "gpt-x",
      permission: "read-only",
      labels: ["a", "b"],
      add_dirs: [`${project}/packages`],
    });
  });

  it("reads the prompt from standard input", async () => {
    const { code, stdout } = await coven(["run", "codex", "-"], { input: "look,\nthen exit 4\n" });
    expect({ code, stdout }).toEqual({ code: 4, stdout: `> look,\nthen exit 4\ndone in ${project}\n` });
    const blank = await coven(["run", "codex", "-"], { input: " \n" });
    expect(blank.code).toBe(64);
    expect(blank.stderr).toContain("must not be blank");
  });

  it("prints the id alone when detached", async () => {
    const { stdout, code } = await coven(["run", "codex", "look", "--detach"]);
    expect(stdout).toMatch(/^[0-9a-f-]{36}\n$/);
    expect(code).toBe(0);
  });

  it("answers one document at the end with --json, and nothing else", async () => {
    const { code, stdout } = await coven(["run", "codex", "exit 5", "--json"]);
    expect(code).toBe(5);
    expect(jsonIn(stdout)).toMatchObject({ status: "failed", exitCode: 5, active: false });
  });

  it("hands the caller's own PATH to the harness", async () => {
    const { code, stderr } = await coven(["run", "codex", "look"], { env: { PATH: "/usr/bin:/bin" } });
    expect(code).toBe(72);
    expect(stderr).toMatch(
      /^coven: launch_failed: codex of harness codex is not on the daemon's PATH\n.+\n$/,
    );
  });
});

describe("ctrl-c while following", () => {
  it("says that the session goes on, leaves it running and exits 130", async () => {
    const { code, stdout, stderr } = await shell(
      // The reader of the follower's output interrupts it once the agent has spoken.
      `{ coven run codex "stay" & echo $! > pid; wait $!; echo "code $?" >&2; } | { read -r first; read -r second; kill -INT "$(cat pid)"; cat; }`,
    );
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
    expect(stderr).toMatch(/session \w{8} goes on; .*coven kill \w{8} ends it/);
    expect(stderr).toContain("code 130");
    const { stdout: live } = await coven(["list", "--status", "running", "--json"]);
    expect(live).toContain('"title": "stay"');
  });
});

describe("watch", () => {
  it("exits as the run did and says it in one line", async () => {
    const { id } = await launch("codex", "exit 9");
    const { code, stdout } = await coven(["watch", id]);
    expect(code).toBe(9);
    expect(stdout).toBe(`${id.slice(0, 8)} failed (exit 9) · exit 9 · said: done in ${project}\n`);
  });

  it("says plainly what was denied", async () => {
    const { id } = await launch("claude", "do what is denied");
    const { code, stdout } = await coven(["sessions", "watch", id]);
    expect(code).toBe(0);
    expect(stdout).toContain("DENIED: Write");
  });

  it("answers 75 when the time is over, 73 when the session was killed", async () => {
    const { id } = await launch("codex", "stay");
    const waiting = await coven(["watch", id, "--timeout", "50ms"]);
    expect(waiting).toMatchObject({ code: 75, stderr: "" });
    expect(waiting.stdout).toContain("still waiting");

    const killed = await coven(["kill", id]);
    expect(killed).toEqual({ code: 0, stdout: `killed ${id}  stay\n`, stderr: "" });
    expect(await coven(["watch", id])).toMatchObject({ code: 73 });
  });

  it("answers 0 for several that ended well, 1 otherwise, and waits for one with --any", async () => {
    const [well, ill, endless] = [
      await launch("codex", "look"),
      await launch("codex", "exit 2"),
      await launch("codex", "stay"),
    ];
    const again = await launch("codex", "look");
    expect(await coven(["watch", well.id, again.id])).toMatchObject({ code: 0 });
    expect(await coven(["watch", well.id, ill.id])).toMatchObject({ code: 1 });
    expect(await coven(["watch", well.id, endless.id, "--any"])).toMatchObject({ code: 0 });
    await coven(["kill", endless.id]);
  });

  it("answers 66 when the session was sacrificed", async () => {
    const { id, cursor } = await launch("codex", "look");
    await coven(["watch", id]);
    await coven(["sacrifice", id, "--yes"]);
    const watched = await coven(["watch", id, "--match", "never said", "--cursor", cursor]);
    expect(watched).toMatchObject({ code: 66 });
  });

  it("finds a text that was printed after the cursor", async () => {
    const { id, cursor } = await launch("asks", "--mode", "interactive", "go");
    const { code, stdout } = await coven(["watch", id, "--match", "go on?", "--cursor", cursor]);
    expect(code).toBe(0);
    expect(stdout).toContain("matched: go on?");
    await coven(["kill", id]);
  });

  it("says that a session ended without what was looked for", async () => {
    const { id } = await launch("codex", "look");
    await coven(["watch", id]);
    const { code, stdout } = await coven(["watch", id, "--match", "never said"]);
    expect(code).toBe(1);
    expect(stdout).toContain("ended without it; --cursor 0 looks at all of its log");
  });

  it("shows the last lines and exits with --tail", async () => {
    const { id } = await launch("codex", "look");
    await coven(["watch", id]);
    expect(await coven(["watch", id, "--tail"])).toMatchObject({
      code: 0,
      stdout: `> look\ndone in ${project}\n`,
    });
    expect(await coven(["watch", id, "--tail", "1"])).toMatchObject({ stdout: `done in ${project}\n` });
  });

  it("goes on waiting when the daemon is restarted meanwhile", async () => {
    const { id, cursor } = await launch("asks", "--mode", "interactive", "go");
    await coven(["watch", id, "--match", "go on?", "--cursor", cursor]);
    const watching = coven(["watch", id]);
    await coven(["daemon", "restart"]);
    await coven(["input", id, "n\n"]);
    expect(await watching).toMatchObject({ code: 3 });
  });
});

describe("input", () => {
  it("turns the last newline of standard input into Enter", async () => {
    const { id, cursor } = await launch("asks", "--mode", "interactive", "go");
    await coven(["watch", id, "--match", "go on?", "--cursor", cursor]);
    expect(await coven(["sessions", "input", id], { input: "y\n" })).toEqual({
      code: 0,
      stdout: "",
      stderr: "",
    });
    expect(await coven(["watch", id])).toMatchObject({ code: 0 });
    const { stdout } = await coven(["events", id, "--json"]);
    expect(stdout).toContain(JSON.stringify(JSON.stringify({ data: "y\r" })).slice(1, -1));
  });

  it("presses keys after the text, and sends raw text unchanged", async () => {
    const { id, cursor } = await launch("codex", "--mode", "interactive", "look");
    await coven(["watch", id, "--match", "screen", "--cursor", cursor]);
    await coven(["input", id, "a\nb\n", "--raw"]);
    await coven(["watch", id, "--match", String.raw`keys "a\nb\n"`, "--cursor", cursor]);
    await coven(["input", id, "x", "--key", "up", "--key", "ctrl-c"]);
    const { code } = await coven([
      "watch",
      id,
      "--match",
      String.raw`keys "x\u001b[A\u0003"`,
      "--cursor",
      cursor,
    ]);
    expect(code).toBe(0);
    await coven(["input", id, "q"]);
    expect(await coven(["watch", id])).toMatchObject({ code: 7 });
  });
});

describe("a stream session", () => {
  it("is spoken to by input, shows the conversation, and ends with --end", async () => {
    const { id } = await launch("claude", "first", "--mode", "stream");
    expect((await coven(["input", id, "--end", "last\n"])).code).toBe(0);
    expect((await coven(["watch", id])).code).toBe(0);
    // The second message may come before the first is answered.
    const { stdout } = await coven(["rejoin", id]);
    expect(stdout.trimEnd().split("\n").sort()).toEqual([
      "> first",
      "> last",
      'user said "first"',
      'user said "last"',
    ]);
  });
});

describe("rituals and lists", () => {
  it("archives, lists, summons and sacrifices by a prefix of the id", async () => {
    const { id } = await launch("codex", "a title of its own");
    await coven(["watch", id]);
    const short = id.slice(0, 8);
    expect(await coven(["archive", short])).toMatchObject({ stdout: `archived ${id}  a title of its own\n` });
    expect((await coven(["list"])).stdout).not.toContain(short);
    expect((await coven(["sessions", "list", "--all"])).stdout).toContain(`${short}  completed (archived)`);
    expect((await coven(["list", "--include-archived", "--json"])).stdout).toContain(id);
    expect(await coven(["summon", short])).toMatchObject({ stdout: `summoned ${id}  a title of its own\n` });
    expect(await coven(["sacrifice", short, "--yes"])).toMatchObject({
      stdout: `sacrificed ${id}\n`,
    });
    expect(await coven(["status", id])).toMatchObject({ code: 66 });
  });

  it("does once what is called twice under one intent", async () => {
    const launches = [0, 1].map(() =>
      coven(["run", "codex", "done", "--detach", "--intent-id", "nightly-7"]),
    );
    const [first, again] = await Promise.all(launches);
    expect(first).toMatchObject({ code: 0, stdout: again?.stdout });
    const { code, stderr } = await coven(["run", "codex", "else", "--detach", "--intent-id", "nightly-7"]);
    expect({ code, stderr }).toMatchObject({ code: 64, stderr: expect.stringContaining("intent_conflict") });
  });

  it("shows a live session that is older than the whole first page", async () => {
    const { id } = await launch("asks", "stay", "--mode", "interactive");
    for (const title of ["newer", "newest"]) await launch("codex", "done", "--title", title);
    const { stdout } = await coven(["list", "--limit", "1"]);
    expect(stdout.split("\n")[1]).toContain(id.slice(0, 8));
    expect(stdout).toContain("newest");
    expect(stdout).toContain("older ones: coven list --cursor");
  });

  it("shows live sessions first and says whether one is active", async () => {
    const { id } = await launch("codex", "stay");
    const ended = await launch("codex", "look");
    await coven(["watch", ended.id]);
    const [head, first] = (await coven(["sessions"])).stdout.split("\n");
    expect(head).toMatch(/^ID +STATUS +HARNESS +AGE +TITLE$/);
    expect(first).toMatch(/^\w{8} +running +codex +\d+[smh] +stay$/);
    expect((await coven(["status", id])).stdout).toMatch(/^active +yes$/m);
    await coven(["kill", id]);
    expect((await coven(["sessions", "status", id])).stdout).toMatch(/^active +no$/m);
  });

  it("lists the sessions of one project, named by a relative path", async () => {
    const { stdout } = await coven(["list", "--project", "packages", "--json"]);
    expect(jsonIn(stdout)).toEqual({ sessions: [], nextCursor: null });
  });

  it("shows what was typed as it was typed, and who owns the login of a harness", async () => {
    const { id, cursor } = await launch("asks", "--mode", "interactive", "go");
    await coven(["watch", id, "--match", "go on?", "--cursor", cursor]);
    await coven(["input", id, "y\n"]);
    await coven(["watch", id]);
    expect((await coven(["events", id])).stdout).toMatch(/ input +"y\\r"$/m);
    expect((await coven(["capabilities"])).stdout).toMatch(/^ID +STATUS +LABEL +LOGIN$/m);
    expect((await coven(["logs", "--session", "nope"])).stderr).toBe(
      "coven: nothing is logged of a session nope\n",
    );
  });

  it("registers a session that runs elsewhere, is told its end, and says so in lines", async () => {
    const given = [
      "register",
      "--id",
      "elsewhere-1",
      "--project",
      ".",
      "--harness",
      "mine",
      "--title",
      "far",
    ];
    expect((await coven(given)).stdout).toBe("registered elsewhere-1  far\n");
    expect((await coven(given)).stdout).toBe("is registered elsewhere-1  far\n");
    const kept = await coven(["cast", "~?", "--target", "elsewhere-1", "--store", "only"]);
    expect(kept.stdout).toMatch(/^cast-\w{32} {2}~\? → /);
    expect((await coven(["log", "elsewhere-1"])).stdout).toMatch(/^\S+Z +info +cast: /m);
    expect((await coven(["archive", "elsewhere-1"])).stderr).toContain("complete it");
    expect((await coven(["input", "elsewhere-1", "x"])).stderr).toContain("runs outside Coven");
    const done = await coven(["complete", "elsewhere-1", "--exit-code", "2"]);
    expect(done).toMatchObject({ code: 0, stdout: "elsewhere-1 failed\n" });
    expect((await coven(["status", "elsewhere-1"])).stdout).toMatch(/^exit code +2$/m);
    await coven(["sacrifice", "elsewhere-1", "--yes"]);
  });

  it("prints the raw bytes that were printed", async () => {
    const { id, cursor } = await launch("codex", "--mode", "interactive", "look");
    await coven(["watch", id, "--match", "screen", "--cursor", cursor]);
    expect((await coven(["output", id])).stdout).toBe("\u001b[?1049h\u001b[32mscreen 80x24\u001b[0m\r\n");
    await coven(["kill", id]);
  });

  it.runIf(existsSync("/dev/full"))("says in a line that its output cannot be written", async () => {
    const { stderr } = await shell('coven list --json > /dev/full; echo "code $?" >&2');
    expect(stderr).toMatch(/^coven: internal_error: the output cannot be written: .*ENOSPC.*\ncode 70\n$/);
  });

  it("ends quietly when its reader has seen enough", async () => {
    const { stdout, stderr } = await shell("coven --help | head -1");
    expect(stdout).toBe("Usage: coven [options] [command]\n");
    expect(stderr).toBe("");
  });
});

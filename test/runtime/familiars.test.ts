/** Named personas: what a session takes from one, and what becomes of a file that is wrong. */
import { execFile } from "node:child_process";
import { chmodSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { parseFamiliars } from "../../src/runtime/familiars-file.ts";
import { type TestDaemon, startDaemon } from "../support/daemon.ts";
import { familiarsFile, writeFamiliars } from "../support/familiars.ts";
import { eventsOf, makeProject } from "../support/launch.ts";
import { type NotingPrograms, notingPrograms } from "../support/noting-programs.ts";
import { send } from "../support/socket.ts";

const launcher = fileURLToPath(new URL("../../bin/coven", import.meta.url));
const sage = { id: "sage", harness: "claude" };

const failed = z.object({ stdout: z.string(), stderr: z.string(), code: z.number() });

async function coven({ home }: TestDaemon, words: readonly string[], env: object = {}) {
  const given = {
    COVEN_HOME: home,
    HOME: home,
    PATH: "/usr/local/bin:/usr/bin:/bin",
    SHELL: "/bin/sh",
    ...env,
  };
  try {
    return { code: 0, ...(await promisify(execFile)(launcher, words, { env: given })) };
  } catch (error) {
    return failed.parse(error);
  }
}

const known = async ({ client }: TestDaemon) =>
  z
    .object({
      familiars: z.array(z.looseObject({ id: z.string() })),
      source: z.string(),
      problems: z.array(z.string()).default([]),
    })
    .parse(await client.call("familiars", {}));

const record = z.looseObject({ id: z.string(), cursor: z.string() });

async function run({ client }: TestDaemon, programs: NotingPrograms, args: object) {
  const launched = record.parse(await client.call("run", args, { env: programs.env }));
  await client.call("watch", { sessions: [launched.id], cursor: launched.cursor });
  return launched;
}

describe("the file", () => {
  const wrong: readonly [string, unknown, RegExp][] = [
    ["no id", { harness: "claude" }, /familiars\[1\]\.id: must be 1 to 64 characters/],
    ["a blank id", { id: " ", harness: "claude" }, /familiars\[1\]\.id: must be 1 to 64/],
    ["an id over two lines", { id: "a\nb", harness: "claude" }, /familiars\[1\]\.id: must be 1 to 64/],
    ["no harness", { id: "nova" }, /familiars\[1\]\.harness: must be the id of a harness/],
    [
      "an unknown key",
      { ...sage, id: "nova", modle: "x" },
      /familiars\[1\]\.modle: is nothing that a familiar has/,
    ],
    ["an unknown mode", { ...sage, id: "nova", launchMode: "batch" }, /launchMode: must be interactive or/],
    ["an unknown permission", { ...sage, id: "nova", permission: "all" }, /permission: must be read-only or/],
    ["blank instructions", { ...sage, id: "nova", instructions: " " }, /instructions: must not be blank/],
    [
      "endless instructions",
      { ...sage, id: "nova", instructions: "x".repeat(16_385) },
      /at most 16384 bytes/,
    ],
    ["a keystroke in them", { ...sage, id: "nova", instructions: "a\u001b[A" }, /without control characters/],
    [
      "a relative project",
      { ...sage, id: "nova", projectRoot: "code" },
      /projectRoot: must be an absolute path/,
    ],
    ["an id that is taken", { ...sage, id: "SAGE" }, /familiars\[1\]\.id: SAGE is already taken/],
    ["no object", "nova", /familiars\[1\]: /],
  ];
  it.each(wrong)("with %s is named with its place and reason, and the others work", (_, entry, reason) => {
    const text = JSON.stringify({ familiars: [sage, entry, { id: "cody", harness: "codex" }] });
    const { familiars, problems } = parseFamiliars(text, "/home/familiars.json");
    expect(familiars?.map(({ id, label }) => [id, label])).toEqual([
      ["sage", "sage"],
      ["cody", "cody"],
    ]);
    expect(problems).toEqual([expect.stringMatching(reason)]);
    expect(problems[0]).toContain("/home/familiars.json: ");
  });

  it.each([
    ["no JSON", "{", /not JSON/],
    ["a list", "[]", /familiars: the file is/],
    ["another key", '{"familiars": [], "version": 1}', /familiars: the file is/],
  ])("that is %s leaves no familiar, and says so", (_, text, reason) => {
    const { familiars, problems } = parseFamiliars(text, "f.json");
    expect(familiars).toEqual([]);
    expect(problems).toEqual([expect.stringMatching(reason)]);
  });

  it("counts from the moment it is written; without it the harnesses are the familiars", async () => {
    const daemon = await startDaemon();
    const ids = async (): Promise<string[]> => (await known(daemon)).familiars.map(({ id }) => id);
    expect(await known(daemon)).toMatchObject({ source: "harnesses" });
    expect(await ids()).toEqual(["codex", "claude", "shell", "turns"]);
    writeFamiliars(daemon, sage, { id: "echo", harness: "nonesuch" });
    expect(await known(daemon)).toMatchObject({
      source: "familiars.json",
      problems: [
        expect.stringMatching(/familiars\.json: echo\.harness: unknown harness nonesuch; known are codex/),
      ],
    });
    expect(await ids()).toEqual(["sage"]);
    writeFamiliars(daemon, { id: "nova", label: "Nova Star", harness: "shell" });
    expect(await known(daemon)).toMatchObject({ familiars: [{ id: "nova", label: "Nova Star", live: 0 }] });
    rmSync(familiarsFile(daemon));
    expect(await ids()).toContain("shell");
  });

  it("that others can write to is not read, and doctor says so", async () => {
    const daemon = await startDaemon();
    writeFamiliars(daemon, sage);
    expect((await coven(daemon, ["doctor"])).stdout).toMatch(/PASS +familiars +sage/);
    chmodSync(familiarsFile(daemon), 0o666);
    expect(await known(daemon)).toMatchObject({
      familiars: [],
      problems: [expect.stringMatching(/untrusted, not read: others can write to it/)],
    });
    expect((await coven(daemon, ["doctor"])).stdout).toMatch(/WARN +familiars +.*familiars\.json: untrusted/);
    expect((await coven(daemon, ["familiars"])).stdout).toMatch(/^problem: .*untrusted/);
    // Whoever names a harness is not kept from running it.
    const args = { harness: "shell", projectRoot: makeProject(), prompt: "exit 0", familiarId: "sage" };
    expect(await daemon.client.call("run", args)).toMatchObject({ familiar_id: "sage", harness: "shell" });
    expect((await coven(daemon, ["cast", "~sage: x"])).stderr).toContain("untrusted");
  });

  it("is answered in the published form, with what is live of each", async () => {
    const daemon = await startDaemon();
    writeFamiliars(daemon, { id: "nova", label: "Nova Star", harness: "shell", launchMode: "interactive" });
    await daemon.client.call("run", { familiarId: "NOVA", projectRoot: makeProject(), prompt: "sleep 60" });
    for (const path of ["/familiars", "/api/v1/familiars"])
      expect(await send(daemon.socket, "GET", path)).toMatchObject({
        status: 200,
        body: [
          {
            id: "nova",
            name: "nova",
            display_name: "Nova Star",
            emoji: "",
            role: "shell",
            status: "active",
            active_sessions: 1,
            last_seen: expect.stringMatching(/Z$/),
            memory_freshness: "—",
            launchMode: "interactive",
          },
        ],
      });
  });
});

describe("a session", () => {
  it("takes from its familiar what is not said: harness, model, mode, permission and project", async () => {
    const daemon = await startDaemon();
    const programs = notingPrograms();
    const project = makeProject();
    writeFamiliars(daemon, {
      ...sage,
      model: "opus",
      launchMode: "nonInteractive",
      permission: "read-only",
      projectRoot: project,
    });
    expect(await run(daemon, programs, { familiarId: "Sage", prompt: "look" })).toMatchObject({
      harness: "claude",
      model: "opus",
      launch_mode: "nonInteractive",
      permission: "read-only",
      project_root: project,
      familiar_id: "sage",
    });
    expect(programs.after("claude", "--model")).toBe("opus");
    const other = makeProject();
    const said = {
      familiarId: "sage",
      prompt: "look",
      projectRoot: other,
      permission: "full",
      model: "haiku",
    };
    expect(await run(daemon, programs, said)).toMatchObject({
      harness: "claude",
      model: "haiku",
      permission: "full",
      project_root: other,
    });
    // Its model is of its harness.
    expect(
      await run(daemon, programs, { familiarId: "sage", prompt: "look", harness: "codex" }),
    ).toMatchObject({
      harness: "codex",
      model: null,
      permission: "read-only",
    });
    const lanes = [{ prompt: "one" }, { prompt: "two", harness: "codex", permission: "full" }];
    const answer = z
      .object({ sessions: z.array(z.looseObject({ id: z.string() })) })
      .parse(await daemon.client.call("run", { familiarId: "sage", lanes }, { env: programs.env }));
    expect(answer.sessions.map(({ harness }) => harness)).toEqual(["claude", "codex"]);
    const [first, second] = answer.sessions;
    expect(await daemon.client.call("record", { session: first?.id })).toMatchObject({
      model: "opus",
      permission: "read-only",
    });
    expect(await daemon.client.call("record", { session: second?.id })).toMatchObject({
      model: null,
      permission: "full",
    });
  });

  it("keeps any name that nobody has declared; one that is to say the harness is told the nearest", async () => {
    const daemon = await startDaemon();
    writeFamiliars(daemon, sage, { id: "nova", harness: "codex" });
    const project = makeProject();
    const published = { projectRoot: project, harness: "shell", prompt: "exit 0", familiarId: "sgae" };
    expect(await send(daemon.socket, "POST", "/sessions", { body: published })).toMatchObject({
      status: 201,
      body: { familiar_id: "sgae", harness: "shell", launch_mode: "interactive" },
    });
    await expect(
      daemon.client.call("run", { projectRoot: project, prompt: "x", familiarId: "sgae" }),
    ).rejects.toMatchObject({
      code: "invalid_request",
      message: "run: harness is missing: there is no familiar sgae; perhaps sage",
      details: { familiarId: "sgae", nearest: ["sage"] },
    });
    await expect(daemon.client.call("run", { prompt: "x", familiarId: "sage" })).rejects.toMatchObject({
      code: "invalid_request",
      message: "run: projectRoot is missing",
    });
  });

  it("is told the instructions at every run, beside what it is told of its tools", async () => {
    const daemon = await startDaemon();
    const programs = notingPrograms();
    const projectRoot = makeProject();
    writeFamiliars(
      daemon,
      { ...sage, instructions: "You are Sage.\nBe brief." },
      { id: "cody", harness: "codex", instructions: 'Say "yes".' },
    );
    const { id } = await run(daemon, programs, { familiarId: "sage", prompt: "look", projectRoot });
    expect(programs.after("claude", "--append-system-prompt")).toBe("You are Sage.\nBe brief.");
    expect(programs.args("claude").at(-1)).toBe(" look");
    // What the task was is told as it was said.
    expect(await eventsOf(daemon, id)).toContainEqual(
      expect.objectContaining({ kind: "message", payload: { role: "user", text: "look" } }),
    );
    await run(daemon, programs, { familiarId: "sage", prompt: "look", projectRoot, tools: true });
    const flags = programs.args("claude").filter((arg) => arg === "--append-system-prompt");
    expect(flags).toHaveLength(1);
    expect(programs.after("claude", "--append-system-prompt")).toMatch(
      /^You are Sage\.\nBe brief\.\n\nYou run as session/,
    );

    const cody = await run(daemon, programs, { familiarId: "cody", prompt: "look", projectRoot });
    expect(programs.args("codex")).toContain('developer_instructions="Say \\"yes\\"."');
    // A later run is told what holds by then.
    writeFamiliars(daemon, { id: "cody", harness: "codex", instructions: "Say no." });
    const woken = z
      .object({ cursor: z.string() })
      .parse(await daemon.client.call("wake", { session: cody.id, message: "again" }));
    await daemon.client.call("watch", { sessions: [cody.id], cursor: woken.cursor });
    expect(programs.args("codex")).toEqual(
      expect.arrayContaining(["resume", 'developer_instructions="Say no."']),
    );
  });

  it("of a declared harness has them in front of its task, once in the conversation", async () => {
    const daemon = await startDaemon();
    const projectRoot = makeProject();
    writeFamiliars(daemon, { id: "script", harness: "turns", instructions: "echo instructed" });
    const { id, cursor } = record.parse(
      await daemon.client.call("run", { familiarId: "script", prompt: "echo asked", projectRoot }),
    );
    await daemon.client.call("watch", { sessions: [id], cursor });
    expect(await daemon.client.call("tail", { session: id })).toMatchObject({
      text: "> echo asked\ninstructed\nasked\n",
    });
    expect(await daemon.client.call("record", { session: id })).toMatchObject({ title: "echo asked" });
    const woken = z
      .object({ cursor: z.string() })
      .parse(await daemon.client.call("wake", { session: id, message: "echo again" }));
    await daemon.client.call("watch", { sessions: [id], cursor: woken.cursor });
    const { text } = z.object({ text: z.string() }).parse(await daemon.client.call("tail", { session: id }));
    expect(text.match(/instructed/g)).toHaveLength(1);
    expect(text).toContain("again");
  });

  it("is launched for one by coven run --familiar, in its own project and mode", async () => {
    const daemon = await startDaemon();
    const project = makeProject();
    writeFileSync(
      familiarsFile(daemon),
      JSON.stringify({
        familiars: [{ id: "nova", harness: "shell", projectRoot: project, launchMode: "interactive" }],
      }),
      { mode: 0o600 },
    );
    const { stdout } = await coven(daemon, ["run", "--familiar", "Nova", "exit 0", "--detach"]);
    expect(await daemon.client.call("record", { session: stdout.trim() })).toMatchObject({
      familiar_id: "nova",
      harness: "shell",
      project_root: project,
      launch_mode: "interactive",
      title: "exit 0",
    });
    const other = await coven(daemon, [
      "run",
      "turns",
      "exit 0",
      "--familiar",
      "nova",
      "--detach",
      "--mode",
      "nonInteractive",
    ]);
    expect(await daemon.client.call("record", { session: other.stdout.trim() })).toMatchObject({
      harness: "turns",
      launch_mode: "nonInteractive",
    });
    const unknown = await coven(daemon, ["run", "--familiar", "nvoa", "exit 0", "--detach"]);
    expect(unknown).toMatchObject({ code: 64, stderr: expect.stringContaining("perhaps nova") });
    expect((await coven(daemon, ["familiars"])).stdout).toMatch(/nova +shell interactive +.*coven-project/);
  });
});

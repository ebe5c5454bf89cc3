/** Cast Codes through the daemon: each does what its action does, for whoever casts it, once, or nothing at all. */
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { Client } from "../../src/rpc/client.ts";
import { type TestDaemon, startDaemon } from "../support/daemon.ts";
import { writeFamiliars } from "../support/familiars.ts";
import { eventsOf, makeProject } from "../support/launch.ts";
import { launchRun } from "../support/runs.ts";
import { send } from "../support/socket.ts";

const answer = z.object({
  codes: z.array(z.looseObject({ kind: z.string(), focus: z.string().optional() })),
  problems: z.array(z.looseObject({ offset: z.int() })),
  results: z.array(
    z.object({
      code: z.int(),
      action: z.string(),
      session: z.string().optional(),
      output: z.looseObject({ id: z.string().optional(), cursor: z.string().optional() }).optional(),
      error: z.looseObject({ code: z.string() }).optional(),
    }),
  ),
});

const cast = async (client: Client, args: object, intentId?: string) =>
  answer.parse(await client.call("cast", args, intentId === undefined ? {} : { intentId }));

const page = z.object({ sessions: z.array(z.looseObject({ id: z.string() })) });
const listed = async ({ client }: Pick<TestDaemon, "client">) =>
  page.parse(await client.call("list", { limit: 100 })).sessions;

const wakesOf = async ({ client }: TestDaemon, session: string): Promise<string[]> =>
  z
    .object({ wakes: z.array(z.object({ message: z.string() })) })
    .parse(await client.call("wakes", { session, all: true }))
    .wakes.map(({ message }) => message);

const until = async ({ client }: TestDaemon, session: string, cursor: string): Promise<void> => {
  await client.call("watch", { sessions: [session], cursor });
};

/** A session that has ended and can be woken, of a familiar. */
async function ended(daemon: TestDaemon, projectRoot: string, familiarId = "echo"): Promise<string> {
  const { id, cursor } = z
    .object({ id: z.string(), cursor: z.string() })
    .parse(await daemon.client.call("run", { familiarId, projectRoot, prompt: "echo first" }));
  await until(daemon, id, cursor);
  return id;
}

/** Named by its harness `turns`, which can be woken. */
const echo = { id: "echo", label: "Echo of the Cave", harness: "turns" };

async function started() {
  const daemon = await startDaemon();
  writeFamiliars(daemon, echo, { id: "nova", harness: "shell" });
  return { daemon, projectRoot: makeProject() };
}

describe("a code", () => {
  it("delegates: the familiar's session runs the task, in the project it is cast in", async () => {
    const { daemon, projectRoot } = await started();
    const { codes, results } = await cast(daemon.client, {
      code: 'Please ~echo: "echo did it" now, and ~delegate:Echo echo did that',
      projectRoot: `${projectRoot}/`,
    });
    expect(codes.map(({ kind }) => kind)).toEqual(["delegate", "delegate"]);
    expect(results.map(({ code, action }) => [code, action])).toEqual([
      [0, "run"],
      [1, "run"],
    ]);
    for (const [index, said] of ["did it", "did that"].entries()) {
      const { id = "", cursor = "" } = results[index]?.output ?? {};
      await until(daemon, id, cursor);
      expect(await daemon.client.call("record", { session: id })).toMatchObject({
        familiar_id: "echo",
        harness: "turns",
        project_root: projectRoot,
        launch_mode: "nonInteractive",
        status: "completed",
      });
      expect(await daemon.client.call("tail", { session: id })).toMatchObject({
        text: expect.stringContaining(`\n${said}\n`),
      });
    }
  });

  it("asks for the status of all, or of one", async () => {
    const { daemon, projectRoot } = await started();
    const id = await ended(daemon, projectRoot);
    const { results } = await cast(daemon.client, { code: '~? ~?"echo of the cave" ~?nova', projectRoot });
    expect(results).toMatchObject([
      { code: 0, action: "status", output: { live: 0, sessions: [] } },
      { code: 1, action: "status", session: id, output: { id, status: "completed" } },
    ]);
  });

  it("says which session is to be brought forward", async () => {
    const { daemon, projectRoot } = await started();
    const id = await ended(daemon, projectRoot);
    const { codes, results } = await cast(daemon.client, { code: "~>echo", projectRoot });
    expect(codes).toMatchObject([{ kind: "switch", focus: id }]);
    expect(results).toMatchObject([{ action: "status", output: { id } }]);
    expect(await listed(daemon)).toHaveLength(1);
  });

  it("resumes the last session of a familiar, or of all", async () => {
    const { daemon, projectRoot } = await started();
    const first = await ended(daemon, projectRoot);
    const [{ output }] = z
      .tuple([z.looseObject({ output: z.object({ cursor: z.string() }) })])
      .parse((await cast(daemon.client, { code: "~^echo: echo second", projectRoot })).results);
    await until(daemon, first, output.cursor);
    expect(await daemon.client.call("tail", { session: first })).toMatchObject({
      text: expect.stringContaining("\nsecond\n"),
    });
    await cast(daemon.client, { code: "~^: echo third", projectRoot });
    expect(await wakesOf(daemon, first)).toEqual(["echo third", "echo second"]);
  });

  it("hands over from a familiar's last session, or from the one that the text is for", async () => {
    const { daemon, projectRoot } = await started();
    const first = await ended(daemon, projectRoot);
    const last = await ended(daemon, projectRoot);
    const packet = (sessionId: string) => [
      { action: "handoff", session: sessionId, output: { schema: "coven.handoff.v1", meta: { sessionId } } },
    ];
    const of = async (args: object) => (await cast(daemon.client, { projectRoot, ...args })).results;
    expect(await of({ code: "~<echo" })).toMatchObject(packet(last));
    expect(await of({ code: "~<handoff" })).toMatchObject(packet(last));
    expect(await of({ code: "~<handoff", target: first })).toMatchObject(packet(first));
  });

  it("is told to every live session of its project, or of all", async () => {
    const { daemon, projectRoot } = await started();
    const elsewhere = makeProject();
    const lane = { harness: "turns", prompt: "read line" };
    const live: string[] = [];
    for (const root of [projectRoot, projectRoot, elsewhere]) {
      const args = { ...lane, projectRoot: root };
      live.push(z.object({ id: z.string() }).parse(await daemon.client.call("run", args)).id);
    }
    const asleep = await ended(daemon, projectRoot);
    const { results } = await cast(daemon.client, { code: '~* "local only"', projectRoot });
    expect(results.map(({ session }) => session).sort()).toEqual(live.slice(0, 2).sort());
    await cast(daemon.client, { code: "~broadcast * and quietly", all: true });
    expect(await Promise.all([...live, asleep].map((id) => wakesOf(daemon, id)))).toEqual([
      ["and quietly", "local only"],
      ["and quietly", "local only"],
      ["and quietly"],
      [],
    ]);
  });
});

describe("a text", () => {
  it("of which anything is a problem does nothing, and has all of it told", async () => {
    const { daemon, projectRoot } = await started();
    const code = "~echo: echo did it ~ecko: look ~> nova";
    await expect(daemon.client.call("cast", { code, projectRoot })).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringMatching(
        /nothing was done: at 19: there is no familiar ecko; perhaps echo; at 33: /,
      ),
      details: {
        problems: [
          { offset: 19, nearest: ["echo"] },
          { offset: 33, message: expect.stringContaining("directly behind it") },
        ],
      },
    });
    expect(await listed(daemon)).toEqual([]);
    // Asked what it would do, it says both.
    const plan = await daemon.client.call("cast", { code, projectRoot, dryRun: true });
    expect(plan).toMatchObject({ codes: [{ code: '~echo: "echo did it"' }], problems: [{}, {}] });
    expect(plan).not.toHaveProperty("results");
    expect(await listed(daemon)).toEqual([]);
  });

  it("that would reach nobody, or more than ten unconfirmed, is refused", async () => {
    const { daemon, projectRoot } = await started();
    const code = "~* stop";
    await expect(daemon.client.call("cast", { code, projectRoot })).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining("reach nobody"),
    });
    const lanes = Array.from({ length: 11 }, () => ({ harness: "turns", prompt: "read line" }));
    await daemon.client.call("run", { projectRoot, lanes });
    await expect(daemon.client.call("cast", { code, projectRoot })).rejects.toMatchObject({
      code: "confirmation_required",
      message: expect.stringContaining("11 sessions"),
    });
    const ids = (await listed(daemon)).map(({ id }) => id);
    expect((await Promise.all(ids.map((id) => wakesOf(daemon, id)))).flat()).toEqual([]);
    const { results } = await cast(daemon.client, { code, projectRoot, confirm: true });
    expect(results.map(({ session }) => session).sort()).toEqual([...ids].sort());
  });

  it("that is too long, or whose target is none, is refused", async () => {
    const { daemon } = await started();
    await expect(daemon.client.call("cast", { code: `~? ${"x".repeat(16_384)}` })).rejects.toMatchObject({
      code: "cast_too_large",
    });
    await expect(daemon.client.call("cast", { code: "~<handoff", target: "nobody" })).rejects.toMatchObject({
      code: "session_not_found",
    });
  });

  it("has what failed told beside what is done", async () => {
    const { daemon, projectRoot } = await started();
    const killed = z
      .object({ id: z.string() })
      .parse(await daemon.client.call("run", { familiarId: "echo", projectRoot, prompt: "read line" }));
    await daemon.client.call("kill", { session: killed.id, graceMs: 0 });
    const { results } = await cast(daemon.client, { code: "~^echo: go on ~?", projectRoot });
    expect(results).toMatchObject([
      { code: 0, action: "wake", session: killed.id, error: { code: "revive_required" } },
      { code: 1, action: "status", output: { live: 0 } },
    ]);
  });

  it("is done once under one intent, also where each of its actions is asked again", async () => {
    const { daemon, projectRoot } = await started();
    const args = { code: "~echo: echo one ~echo: echo two ~?", projectRoot };
    const first = await cast(daemon.client, args, "mine");
    expect(await cast(daemon.client, args, "mine")).toEqual(first);
    expect(await listed(daemon)).toHaveLength(2);
    // The same task twice in one text is two tasks.
    const ids = first.results.flatMap(({ output }) => output?.id ?? []);
    expect(new Set(ids).size).toBe(2);
    await cast(daemon.client, args, "another");
    expect(await listed(daemon)).toHaveLength(4);
  });
});

describe("the published route", () => {
  it("keeps a text, and does what it says only where that is asked for", async () => {
    const { daemon, projectRoot } = await started();
    const post = (body: object) => send(daemon.socket, "POST", "/api/v1/cast", { body });
    const code = "~echo: echo did it";
    expect(await post({ code, projectRoot, execute: false })).toEqual(
      expect.objectContaining({
        status: 202,
        body: { accepted: true, cast_id: expect.stringMatching(/^cast-/), echo: code },
      }),
    );
    expect(await listed(daemon)).toMatchObject([{ id: "__cockpit__" }]);
    expect(await post({ code, projectRoot, execute: true })).toMatchObject({
      status: 202,
      body: {
        accepted: true,
        echo: code,
        codes: [{ kind: "delegate" }],
        results: [{ action: "run", output: { harness: "turns" } }],
      },
    });
    expect(await listed(daemon)).toHaveLength(2);
    expect(await post({ code, execute: "yes" })).toMatchObject({ status: 400 });
    expect(await post({ code: "~ehco: x", projectRoot, execute: true })).toMatchObject({
      status: 400,
      body: { error: { code: "invalid_request", message: expect.stringContaining("perhaps echo") } },
    });
    const kept = (await eventsOf(daemon, "__cockpit__")).filter(({ kind }) => kind === "cast");
    expect(kept).toHaveLength(2);
  });
});

describe("a session that casts", () => {
  it("does what it may itself, in its own project, and no more", async () => {
    const { daemon, projectRoot } = await started();
    const elsewhere = makeProject();
    writeFamiliars(
      daemon,
      echo,
      { id: "away", harness: "turns", projectRoot: elsewhere },
      { id: "root", harness: "turns", permission: "full" },
    );
    const itself = await launchRun(daemon, daemon.client, projectRoot, {
      familiarId: "echo",
      harness: "shell",
    });
    const sibling = await launchRun(daemon, daemon.client, projectRoot, { harness: "turns" });
    const stranger = await launchRun(daemon, daemon.client, elsewhere, {
      harness: "turns",
      familiarId: "away",
    });

    const [delegated] = (await cast(itself.client, { code: "~echo: echo hello" })).results;
    expect(await daemon.client.call("record", { session: delegated?.output?.id ?? "" })).toMatchObject({
      parent_id: itself.id,
      familiar_id: "echo",
      caller_familiar_id: "echo",
      project_root: projectRoot,
    });
    expect((await cast(itself.client, { code: "~away: echo x ~root: echo x" })).results).toMatchObject([
      { action: "run", error: { code: "not_permitted" } },
      { action: "run", error: { code: expect.stringMatching(/not_permitted|invalid_request/) } },
    ]);
    // All that it sees are those of its project, and it is not told itself what it says to all.
    const { results } = await cast(itself.client, { code: "~* stop", all: true });
    const told = results.map(({ session }) => session);
    expect(told).toContain(sibling.id);
    expect(told).not.toContain(itself.id);
    expect(told).not.toContain(stranger.id);
    await expect(itself.client.call("cast", { code: "~>away" })).rejects.toMatchObject({
      message: expect.stringContaining("away has no session"),
    });
    await expect(
      itself.client.call("cast", { code: "~<handoff", target: stranger.id }),
    ).rejects.toMatchObject({ code: "not_permitted" });
    await expect(
      itself.client.call("cast", { code: "~echo: echo x", projectRoot: elsewhere }),
    ).rejects.toMatchObject({ code: "not_permitted" });
    for (const target of [sibling.id, undefined])
      await expect(itself.client.call("cast", { code: "~?", store: "only", target })).rejects.toMatchObject({
        code: "not_permitted",
      });
    expect(await itself.client.call("cast", { code: "~?", store: "only", target: itself.id })).toMatchObject({
      accepted: true,
    });
  });
});

import { describe, expect, it } from "vitest";
import { z } from "zod";
import { covenForFile } from "../support/coven.ts";
import { startDaemon } from "../support/daemon.ts";
import { makeProject } from "../support/launch.ts";

const lanes = z.object({
  cursor: z.string(),
  sessions: z.array(z.object({ id: z.string(), title: z.string(), status: z.string() })),
});

const request = (projectRoot: string) => ({
  harness: "shell",
  projectRoot,
  labels: ["three"],
  lanes: [
    { prompt: "echo one" },
    { prompt: "echo two; exit 2", title: "second" },
    { prompt: "echo three", permission: "workspace-write" },
  ],
});

describe("several lanes in one call", () => {
  it("are launched under one label, answered in order, and waited for together from one cursor", async () => {
    const { client } = await startDaemon();
    const answer = lanes.parse(await client.call("run", request(makeProject())));
    expect(answer.sessions.map(({ title }) => title)).toEqual(["echo one", "second", "echo three"]);
    const ids = answer.sessions.map(({ id }) => id);
    const seen = await client.call("watch", { sessions: ids, cursor: answer.cursor });
    expect(seen).toMatchObject({
      outcome: "met",
      sessions: [{ status: "completed" }, { status: "failed", exitCode: 2 }, { status: "completed" }],
    });
    const labelled = z.object({ sessions: z.array(z.object({ id: z.string() })) });
    const { sessions } = labelled.parse(await client.call("list", { label: "three" }));
    expect(new Set(sessions.map(({ id }) => id))).toEqual(new Set(ids));
  });

  it("are told what a lane takes where one says something else", async () => {
    const { client } = await startDaemon();
    const asked = { ...request(makeProject()), lanes: [{ prompt: "x", launchMode: "interactive" }] };
    await expect(client.call("run", asked)).rejects.toMatchObject({
      message: "run: unknown argument lanes.0.launchMode",
      hint: "lanes.0 takes prompt, harness, title, model, permission, cwd, worktree.",
    });
    await expect(client.call("run", { ...asked, lanes: ["x"] })).rejects.toMatchObject({
      hint: expect.stringContaining("lanes.0 takes prompt"),
    });
  });

  it("are launched once, however often they are asked for under one intent", async () => {
    const { client } = await startDaemon();
    const asked = request(makeProject());
    const intentId = "three-lanes";
    const first = lanes.parse(await client.call("run", asked, { intentId }));
    const again = lanes.parse(await client.call("run", asked, { intentId }));
    expect(again.sessions.map(({ id }) => id)).toEqual(first.sessions.map(({ id }) => id));
    expect(await client.call("list", {})).toMatchObject({ sessions: { length: 3 } });
  });

  it("are asked for again without those that were sacrificed, and are not found when all of them were", async () => {
    const { client } = await startDaemon();
    const asked = request(makeProject());
    const intentId = "three-lanes";
    const ids = lanes.parse(await client.call("run", asked, { intentId })).sessions.map(({ id }) => id);
    await client.call("watch", { sessions: ids });
    for (const [gone, id] of ids.entries()) {
      await client.call("sacrifice", { session: id, confirm: true });
      const again = client.call("run", asked, { intentId });
      if (gone < 2)
        expect(lanes.parse(await again).sessions.map((each) => each.id)).toEqual(ids.slice(gone + 1));
      else await expect(again).rejects.toMatchObject({ code: "session_not_found" });
    }
  });

  it("are none at all where one of them cannot be", async () => {
    const { client } = await startDaemon();
    const projectRoot = makeProject();
    const asked = request(projectRoot);
    const wrong = [
      [{ ...asked, lanes: [...asked.lanes, { prompt: "x", cwd: "missing" }] }, /does not exist/],
      [{ ...asked, lanes: [...asked.lanes, { prompt: "x", harness: "none" }] }, /none/],
      [{ ...asked, harness: undefined }, /lanes\.0\.harness is missing/],
      [{ ...asked, prompt: "and one more" }, /prompt cannot be the same for all lanes/],
      [{ ...asked, lanes: [] }, /lanes/],
      [{ projectRoot, harness: "shell" }, /prompt is missing/],
    ] as const;
    for (const [args, why] of wrong) await expect(client.call("run", args)).rejects.toThrow(why);
    expect(await client.call("list", { includeArchived: true })).toMatchObject({ sessions: [] });
  });
});

describe("coven run --lane", () => {
  const { coven } = covenForFile();
  it("prints the ids of all, which watch takes", async () => {
    const { code, stdout, stderr } = await coven([
      "run",
      "--lane",
      "codex: say one",
      "--lane",
      "claude: say two",
      "--label",
      "both",
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const ids = stdout.trim().split("\n");
    expect(ids).toHaveLength(2);
    expect((await coven(["watch", ...ids])).code).toBe(0);
    const refused = await coven(["run", "--lane", "no harness"]);
    expect(refused).toMatchObject({ code: 64, stderr: expect.stringContaining("not a lane") });
  });
});

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { callersToken } from "../../src/caller-token.ts";
import { locate } from "../../src/rpc/endpoint.ts";
import type { Client } from "../../src/rpc/client.ts";
import { attachTo } from "../support/attached.ts";
import { makeHome, startDaemon } from "../support/daemon.ts";
import { makeProject } from "../support/launch.ts";
import { send } from "../support/socket.ts";
import { launchRun } from "../support/runs.ts";

const record = z.looseObject({ id: z.string(), parent_id: z.string().nullable(), depth: z.int() });
const listed = z.object({ sessions: z.array(record) });

/** A lane that lives, launched without waiting for it. */
const lane = (project: string, more: object = {}) => ({
  harness: "shell",
  projectRoot: project,
  prompt: "exec sleep 1000",
  ...more,
});
const run = async (client: Client, args: object) => record.parse(await client.call("run", args));
const idsOf = async (client: Client, args: object = {}) =>
  listed.parse(await client.call("list", args)).sessions.map(({ id }) => id);

describe("what a run launches", () => {
  it("is its session's child, whatever the caller claims, and is shown as such", async () => {
    const daemon = await startDaemon();
    const project = makeProject();
    const parent = await launchRun(daemon, daemon.client, project);
    const child = await launchRun(daemon, parent.client, project);
    const grandchild = await run(child.client, lane(project));
    expect(grandchild).toMatchObject({ parent_id: child.id, depth: 3 });
    const claimed = { action: "list", args: {}, origin: "the owner" };
    const { body } = await send(daemon.socket, "POST", "/api/v1/actions", {
      body: claimed,
      headers: { authorization: `Bearer ${child.token}` },
    });
    expect(body).toMatchObject({ event: { origin: `session:${child.id}` } });
    await expect(parent.client.call("run", lane(project, { parent: "someone-else" }))).rejects.toMatchObject({
      code: "invalid_request",
      message: "run: unknown argument parent",
    });
    expect(await daemon.client.call("status", { session: parent.id })).toMatchObject({
      parent: null,
      children: [{ id: child.id, status: "running" }],
    });
    expect(await daemon.client.call("status", { session: child.id })).toMatchObject({ parent: parent.id });
    expect(await idsOf(daemon.client, { parent: parent.id })).toEqual([child.id]);
    const coven = fileURLToPath(new URL("../../bin/coven", import.meta.url));
    const tree = execFileSync(coven, ["list", "--tree"], {
      env: { PATH: process.env["PATH"], COVEN_HOME: daemon.home },
      encoding: "utf8",
    });
    const places = tree.split("\n").flatMap((line) => /^( *)([0-9a-f]{8}) /.exec(line)?.slice(1) ?? []);
    const short = [parent, child, grandchild].map(({ id }) => id.slice(0, 8));
    expect(places).toEqual(["", short[0], "  ", short[1], "    ", short[2]]);
  });

  it("stays in its project, with at most its permission and no further directories", async () => {
    const daemon = await startDaemon();
    const [project, elsewhere] = [makeProject(), makeProject()];
    const parent = await launchRun(daemon, daemon.client, project);
    const refused = (args: object, why: RegExp) =>
      expect(parent.client.call("run", args)).rejects.toMatchObject({
        code: "not_permitted",
        message: expect.stringMatching(why),
      });
    await refused(lane(elsewhere), /its own project only/);
    await refused(lane(project, { permission: "full" }), /its own permission is workspace-write/);
    await refused(lane(project, { addDirs: [elsewhere] }), /addDirs are the owner's alone/);
    expect(await run(parent.client, lane(project))).toMatchObject({ permission: "workspace-write" });
    expect(await idsOf(daemon.client, { projectRoot: elsewhere })).toEqual([]);
  });

  it("is not more than the limits allow, however many are launched at once", async () => {
    const home = makeHome();
    writeFileSync(join(home, "config.json"), JSON.stringify({ limits: { depth: 2, children: 3, live: 6 } }));
    const daemon = await startDaemon(home);
    const project = makeProject();
    const parent = await launchRun(daemon, daemon.client, project);
    const asked = await Promise.allSettled(
      Array.from({ length: 8 }, () => parent.client.call("run", lane(project))),
    );
    const refused = asked.filter(({ status }) => status === "rejected");
    expect(refused).toHaveLength(5);
    for (const each of refused)
      expect(each).toMatchObject({
        reason: { code: "limit_exceeded", details: { limit: "limits.children" } },
      });
    const other = await launchRun(daemon, daemon.client, project);
    const child = await launchRun(daemon, other.client, project);
    await expect(child.client.call("run", lane(project))).rejects.toMatchObject({
      code: "limit_exceeded",
      message: expect.stringContaining("at most 2 deep"),
    });
    await expect(other.client.call("run", lane(project))).rejects.toMatchObject({
      details: { limit: "limits.live", value: 6 },
    });
    // The owner is not kept to what sessions are kept to, and an end makes room.
    const extra = await run(daemon.client, lane(project));
    for (const { id } of [extra, child]) await daemon.client.call("kill", { session: id, graceMs: 0 });
    await run(other.client, lane(project));
  });

  it("goes to its grandparent when the session between is sacrificed", async () => {
    const daemon = await startDaemon();
    const project = makeProject();
    const parent = await launchRun(daemon, daemon.client, project);
    const child = await launchRun(daemon, parent.client, project);
    const grandchild = await run(child.client, lane(project));
    await parent.client.call("kill", { session: child.id, graceMs: 0 });
    await parent.client.call("sacrifice", { session: child.id, confirm: true });
    expect(await parent.client.call("kill", { session: grandchild.id, graceMs: 0 })).toMatchObject({
      status: "killed",
      parent_id: parent.id,
    });
  });
});

describe("a token", () => {
  it("is found by coven among the programs that started it, and where it is lost nobody passes for the owner", async () => {
    const daemon = await startDaemon();
    const project = makeProject();
    // As Codex starts a server: with hardly anything of its environment.
    const bare = `env -i PATH="$PATH" HOME="$HOME" COVEN_HOME="$COVEN_HOME" "$COVEN_BIN" run --json --detach shell`;
    const sleeper = "'exec sleep 1000'";
    const says = async (prompt: string): Promise<string> => {
      const { id } = await run(daemon.client, lane(project, { prompt, title: "asks" }));
      await daemon.client.call("watch", { sessions: [id] });
      const { text } = z
        .object({ text: z.string() })
        .parse(await daemon.client.call("tail", { session: id, lines: 100 }));
      return `${id} ${text}`;
    };
    const asked = await says(`${bare} ${sleeper}; true`);
    expect(asked).toMatch(new RegExp(`"parent_id": "${asked.slice(0, 36)}"`));
    const filtered = await says(`env -u COVEN_TOKEN sh -c '${bare} "exec sleep 1000"; true'`);
    expect(filtered).toMatch(new RegExp(`"parent_id": "${filtered.slice(0, 36)}"`));
    // Its own daemon under another name.
    for (const other of [`--url "unix://$COVEN_HOME/coven.sock"`, `--home "$COVEN_HOME/"`]) {
      const named = `env -u COVEN_TOKEN "$COVEN_BIN" ${other} run --json --detach shell ${sleeper}; true`;
      const asker = await says(named);
      expect(asker).toMatch(new RegExp(`"parent_id": "${asker.slice(0, 36)}"`));
    }
    for (const shows of ["token", "token --rotate"])
      expect(
        await says(`env -i PATH="$PATH" COVEN_HOME="$COVEN_HOME" "$COVEN_BIN" ${shows} 2>&1; true`),
      ).toContain("not_permitted: the owner's token is not shown to a run of Coven");
    const elsewhere = makeHome();
    const owner = await says(`env COVEN_HOME=${elsewhere} "$COVEN_BIN" daemon status; true`);
    expect(owner).not.toMatch(/not_permitted|unauthenticated/);
    expect(() => callersToken({ COVEN_RUN_ID: "of-a-run" }, daemon.home, 1)).toThrow(
      /was not given its token/,
    );
    expect(callersToken({ COVEN_RUN_ID: "of-a-run", COVEN_HOME: elsewhere }, daemon.home, 1)).toBeUndefined();
  });

  it("that cannot be read is refused, and whoever shows it is not taken for the owner", async () => {
    const { socket, client } = await startDaemon();
    for (const authorization of ["Bearer", "Bearer ", "Bearer one two", "Token coven_run_x", "Basic eDp5"]) {
      const { status, body } = await send(socket, "GET", "/api/v1/sessions", { headers: { authorization } });
      expect([authorization, status]).toEqual([authorization, 401]);
      expect(body).toMatchObject({ error: { message: "authorization holds no bearer token" } });
    }
    expect(() => locate({ token: "two\nlines" }, {})).toThrow(/characters that no token has/);
    expect(await idsOf(client)).toEqual([]);
  });

  it("is dead when its run has ended, and unknown when its session is sacrificed", async () => {
    const daemon = await startDaemon();
    const { id, client } = await launchRun(daemon, daemon.client, makeProject());
    expect(await idsOf(client)).toEqual([id]);
    await daemon.client.call("kill", { session: id, graceMs: 0 });
    await expect(client.call("list", {})).rejects.toMatchObject({
      code: "unauthenticated",
      message: expect.stringContaining("has ended"),
    });
    await daemon.client.call("sacrifice", { session: id, confirm: true });
    await expect(client.call("list", {})).rejects.toMatchObject({
      code: "unauthenticated",
      message: "the token is not known here",
    });
  });

  it("opens nothing that outlives its run: neither the keys of a child's terminal nor what is told of the log", async () => {
    const daemon = await startDaemon();
    const project = makeProject();
    const { id, client } = await launchRun(daemon, daemon.client, project);
    const child = await run(client, lane(project, { launchMode: "interactive", prompt: "exec cat" }));
    const terminal = await attachTo({ ...daemon, client }, child.id);
    await terminal.hears({ type: "control", held: true });
    terminal.type("first\r");
    await terminal.shows("first\r\nfirst");
    const events = client.events(child.id, 0);
    await events.next();
    await daemon.client.call("kill", { session: id, graceMs: 0 });
    terminal.type("second\r");
    expect(await terminal.hears({ type: "refused" })).toMatchObject({ error: { code: "unauthenticated" } });
    await daemon.client.call("input", { session: child.id, data: "third\r" });
    expect(await terminal.closed).toBe(4401);
    const told = [];
    for await (const { payload_json } of events) told.push(payload_json);
    expect(terminal.output() + told.join()).not.toMatch(/second|third/);
  });

  it("is in no log, and not in what the harness prints of it", async () => {
    const daemon = await startDaemon();
    const project = makeProject();
    const parent = await launchRun(daemon, daemon.client, project);
    const talks = await run(parent.client, lane(project, { prompt: "echo token is $COVEN_TOKEN." }));
    await daemon.client.call("watch", { sessions: [talks.id] });
    expect(await daemon.client.call("tail", { session: talks.id })).toMatchObject({
      text: expect.stringMatching(/^token is \[[^\]]+\]\.$/m),
    });
  });

  it("shows of lists, overviews and streams what its project is, and of no other", async () => {
    const daemon = await startDaemon();
    const [project, elsewhere] = [makeProject(), makeProject()];
    const stranger = await run(daemon.client, lane(elsewhere));
    const { id, client } = await launchRun(daemon, daemon.client, project);
    expect(await idsOf(client)).toEqual([id]);
    expect(await client.call("status", {})).toMatchObject({ live: 1, sessions: [{ id }] });
    await expect(client.call("list", { projectRoot: elsewhere })).rejects.toMatchObject({
      code: "not_permitted",
    });
    const events = client.events(stranger.id, 0);
    await expect(events.next()).rejects.toMatchObject({ code: "not_permitted" });

    // Of what changes it hears what its project does, whatever others do meanwhile.
    const leaving = new AbortController();
    const changes = client.changes(leaving.signal);
    const heard: string[] = [];
    const listening = (async () => {
      for await (const { session } of changes) if (heard.push(session) >= 3) return;
    })();
    while (heard.length < 3) {
      for (const each of [elsewhere, project]) {
        const { id: ended } = await run(daemon.client, lane(each, { prompt: "true" }));
        await daemon.client.call("watch", { sessions: [ended] });
      }
    }
    await listening;
    leaving.abort();
    const own = await idsOf(client);
    expect(heard.filter((session) => !own.includes(session))).toEqual([]);
  });
});

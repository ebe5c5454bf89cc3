import type { Client } from "@modelcontextprotocol/sdk/client/index.js";
import {
  ResourceListChangedNotificationSchema,
  ResourceUpdatedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import type { McpOptions } from "../../src/mcp/server.ts";
import { type TestDaemon, startDaemon } from "../support/daemon.ts";
import { launch } from "../support/launch.ts";
import { connectedClient } from "../support/mcp.ts";

const root = "coven://sessions";

async function connectedTo(daemon: TestDaemon) {
  const leaving = new AbortController();
  onTestFinished(() => leaving.abort());
  const invoke: McpOptions["invoke"] = (name, input) =>
    daemon.client.call(name, z.record(z.string(), z.unknown()).parse(input));
  const client = await connectedClient({ invoke, changes: (signal) => daemon.client.changes(signal) });
  const updated: string[] = [];
  let lists = 0;
  client.setNotificationHandler(
    ResourceUpdatedNotificationSchema,
    ({ params }) => void updated.push(params.uri),
  );
  client.setNotificationHandler(ResourceListChangedNotificationSchema, () => void (lists += 1));
  return { client, updated, lists: () => lists };
}

const textAt = async (client: Client, uri: string): Promise<string> => {
  const { contents } = await client.readResource({ uri });
  expect(contents).toMatchObject([{ uri, mimeType: expect.any(String) }]);
  return z.object({ text: z.string() }).parse(contents[0]).text;
};

describe("sessions as resources", () => {
  test("are listed and read: all of them, one record, its log as text", async () => {
    const daemon = await startDaemon();
    const { client } = await connectedTo(daemon);
    const { id } = await launch(daemon, "printf 'red \\033[31mhen\\033[0m\\n'");
    await daemon.client.call("watch", { sessions: [id] });
    expect(
      (await client.listResourceTemplates()).resourceTemplates.map(({ uriTemplate }) => uriTemplate),
    ).toEqual([`${root}/{id}`, `${root}/{id}/log`, `${root}/{id}/screen`]);
    expect((await client.listResources()).resources.map(({ uri }) => uri)).toEqual([root, `${root}/${id}`]);
    expect(JSON.parse(await textAt(client, root))).toMatchObject({ sessions: [{ id }] });
    expect(JSON.parse(await textAt(client, `${root}/${id}`))).toMatchObject({
      id,
      project_root: expect.any(String),
    });
    const log = await textAt(client, `${root}/${id}/log`);
    expect(log).toContain("red hen");
    expect(log).not.toContain("\u001b");
  });

  test("give the screen as the action renders it", async () => {
    const asked: unknown[] = [];
    const client = await connectedClient({
      invoke: async (name, input) => {
        asked.push([name, input]);
        return { text: "the screen", columns: 80 };
      },
    });
    expect(await textAt(client, `${root}/some%20id/screen`)).toBe("the screen");
    expect(asked).toEqual([["screen", { session: "some id" }]]);
  });

  test("are listed in pages, and a cursor of none is refused", async () => {
    const daemon = await startDaemon();
    for (let lane = 0; lane < 101; lane += 1) await launch(daemon, "true");
    const { client } = await connectedTo(daemon);
    const first = await client.listResources();
    expect(first.resources).toHaveLength(101);
    const second = await client.listResources({ cursor: first.nextCursor });
    expect(second.resources).toHaveLength(1);
    expect(second.nextCursor).toBeUndefined();
    await expect(client.listResources({ cursor: "nonsense" })).rejects.toMatchObject({ code: -32602 });
  });

  test("that are not there are an error, never empty", async () => {
    const daemon = await startDaemon();
    const { client } = await connectedTo(daemon);
    for (const uri of [
      `${root}/no-such-id`,
      `${root}/no-such-id/log`,
      `${root}/a/nothing`,
      `${root}/`,
      `${root}/%zz`,
      "coven://other",
      "file:///etc/passwd",
    ]) {
      await expect(client.readResource({ uri }), uri).rejects.toMatchObject({ code: -32002 });
      await expect(client.subscribeResource({ uri }), uri).rejects.toMatchObject({ code: -32002 });
    }
    await expect(client.unsubscribeResource({ uri: "coven://other" })).rejects.toMatchObject({
      code: -32002,
    });
  });

  test("tell a subscriber what has changed, and nobody else", async () => {
    const daemon = await startDaemon();
    const { client, updated } = await connectedTo(daemon);
    const quiet = await connectedTo(daemon);
    const { id } = await launch(daemon, "read line; echo $line; read line", { launchMode: "interactive" });
    const { id: other } = await launch(daemon, "true");
    await daemon.client.call("watch", { sessions: [other] });
    for (const uri of [root, `${root}/${id}`, `${root}/${id}/log`]) await client.subscribeResource({ uri });
    // The log is followed from some moment after this on; what is typed until then may be missed.
    await vi.waitFor(async () => {
      await daemon.client.call("input", { session: id, data: "x" });
      expect(updated).toContain(`${root}/${id}/log`);
    });
    await client.unsubscribeResource({ uri: `${root}/${id}/log` });
    updated.length = 0;
    await daemon.client.call("kill", { session: id });
    await vi.waitFor(() => expect(updated).toEqual(expect.arrayContaining([root, `${root}/${id}`])));
    expect(updated).not.toContain(`${root}/${id}/log`);
    expect(quiet.updated).toEqual([]);
  });

  test("tell whoever has listed them that sessions come and go", async () => {
    const daemon = await startDaemon();
    const { client, lists } = await connectedTo(daemon);
    const quiet = await connectedTo(daemon);
    await client.listResources();
    await vi.waitFor(async () => {
      await launch(daemon, "true");
      expect(lists()).toBeGreaterThan(0);
    });
    expect(quiet.lists()).toBe(0);
  });

  test("are told of no more than a few times a second, the last change included", async () => {
    vi.useFakeTimers();
    try {
      const told: (() => void)[] = [];
      const pending: { session: string; kind: string }[] = [];
      const grow = (kind: string): void => {
        pending.push({ session: "a", kind });
        told.pop()?.();
      };
      const client = await connectedClient({
        async *changes(signal) {
          signal.addEventListener("abort", () => told.pop()?.());
          while (!signal.aborted) {
            yield* pending.splice(0);
            await new Promise<void>((resolve) => void told.push(resolve));
          }
        },
      });
      const updated: string[] = [];
      client.setNotificationHandler(
        ResourceUpdatedNotificationSchema,
        ({ params }) => void updated.push(params.uri),
      );
      await client.subscribeResource({ uri: `${root}/a/log` });
      for (let step = 0; step < 1000; step += 1) {
        grow("output");
        await vi.advanceTimersByTimeAsync(1);
      }
      expect(updated.length).toBeGreaterThanOrEqual(3);
      expect(updated.length).toBeLessThanOrEqual(5);
      const before = updated.length;
      await vi.advanceTimersByTimeAsync(1000);
      expect(updated.length).toBe(before + 1);
      await client.close();
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("prompts", () => {
  test("are two, and take what they say", async () => {
    const client = await connectedClient();
    const { prompts } = await client.listPrompts();
    expect(prompts.map(({ name, arguments: taken }) => [name, taken?.map((each) => each.name)])).toEqual([
      ["supervise", ["goal", "projectRoot"]],
      ["handoff", ["session"]],
    ]);
    const supervise = await client.getPrompt({
      name: "supervise",
      arguments: { goal: "mend the roof", projectRoot: "/r" },
    });
    expect(supervise.messages).toMatchObject([
      { role: "user", content: { text: expect.stringMatching(/mend the roof[^]*\/r[^]*watch/) } },
    ]);
    await expect(client.getPrompt({ name: "supervise", arguments: {} })).rejects.toMatchObject({
      code: -32602,
      message: expect.stringContaining("goal is missing"),
    });
    await expect(
      client.getPrompt({ name: "supervise", arguments: { goal: "x", what: "y" } }),
    ).rejects.toMatchObject({
      message: expect.stringContaining("unknown argument what"),
    });
    await expect(client.getPrompt({ name: "nope" })).rejects.toMatchObject({
      code: -32602,
      message: expect.stringContaining("supervise, handoff"),
    });
  });

  test("hand a session on with how it stands and what it said", async () => {
    const daemon = await startDaemon();
    const { client } = await connectedTo(daemon);
    const { id } = await launch(daemon, "echo so far; exit 3");
    await daemon.client.call("watch", { sessions: [id] });
    const { messages } = await client.getPrompt({ name: "handoff", arguments: { session: id } });
    const { text } = z.object({ text: z.string() }).parse(messages[0]?.content);
    expect(text).toContain('"exitCode":3');
    expect(text).toContain("so far");
    await expect(client.getPrompt({ name: "handoff", arguments: { session: "none" } })).rejects.toMatchObject(
      {
        code: -32602,
        data: { code: "session_not_found" },
      },
    );
  });
});

/** Cast Codes with the real programs: typed by a person, and called as a tool. */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { startStandIn } from "../mock-models/stand-ins.ts";
import { startDaemon } from "../support/daemon.ts";
import { writeFamiliars } from "../support/familiars.ts";
import { startBridge } from "../support/mcp.ts";
import { gitProject, programOf } from "./lane.ts";
import { commandThen, prompt, workTurns } from "./work.ts";

const launcher = fileURLToPath(new URL("../../bin/coven", import.meta.url));

const launched = z.object({
  results: z.tuple([
    z.object({ action: z.literal("run"), output: z.looseObject({ id: z.string(), cursor: z.string() }) }),
  ]),
});

describe.each(["claude", "codex"] as const)("a familiar that is %s", (harness) => {
  it("is delegated a task by coven cast and by the tool, and told of by ~? and ~<", async () => {
    const project = gitProject();
    const standIn = await startStandIn(
      harness,
      {
        scripts: [
          { when: "Greet the whole world", turns: workTurns(harness, project) },
          { when: "Leave a note", turns: commandThen(harness, "echo noted > note.txt", "It is noted.") },
        ],
      },
      project,
    );
    onTestFinished(standIn.stop);
    const daemon = await startDaemon();
    writeFamiliars(daemon, {
      id: "sage",
      label: "Sage the Wise",
      harness,
      permission: "workspace-write",
      instructions: "You are Sage, and brief.",
    });
    const path = [
      dirname(programOf(harness)),
      dirname(process.execPath),
      "/usr/local/bin",
      "/usr/bin",
      "/bin",
    ];
    const env = { ...standIn.env, COVEN_HOME: daemon.home, PATH: path.join(delimiter) };
    const coven = async (...words: string[]): Promise<string> =>
      (await promisify(execFile)(launcher, words, { env, cwd: project })).stdout;
    const outcome = async (answer: unknown): Promise<unknown> => {
      const [{ output }] = launched.parse(answer).results;
      return daemon.client.call("watch", { sessions: [output.id], cursor: output.cursor });
    };

    expect(await coven("cast", "~?")).toBe("~?\n  0 live\n");
    const typed: unknown = JSON.parse(await coven("cast", `~"Sage the Wise": ${prompt}`, "--json"));
    expect(await outcome(typed)).toMatchObject({
      sessions: [{ status: "completed", exitCode: 0, lastMessage: "The world is greeted." }],
    });
    expect(readFileSync(join(project, "greeting.txt"), "utf8")).toBe("hello world\n");

    const bridge = startBridge(env);
    await bridge.request("initialize", {
      protocolVersion: "2025-06-18",
      capabilities: {},
      clientInfo: { name: "test", version: "0" },
    });
    bridge.notify("notifications/initialized", {});
    const called = await bridge.call("cast", { code: "~sage: Leave a note", projectRoot: project });
    expect(await outcome(called.structuredContent)).toMatchObject({
      sessions: [{ status: "completed", lastMessage: "It is noted." }],
    });
    expect(existsSync(join(project, "note.txt"))).toBe(true);
    const status = await bridge.call("cast", { code: "~?sage", projectRoot: project });
    expect(status.structuredContent).toMatchObject({
      results: [{ action: "status", output: { status: "completed", lastMessage: "It is noted." } }],
    });
    const packet = await coven("cast", "~<sage");
    expect(packet).toMatch(/^ {2}goal +Leave a note$/m);
    expect(packet).toMatch(/^ {2}state +It said last: It is noted\./m);
  });
});

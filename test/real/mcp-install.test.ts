/** The real programs read the entry that was made for them. */
import { delimiter, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { startStandIn } from "../mock-models/stand-ins.ts";
import { covenForFile, jsonIn } from "../support/coven.ts";
import { programOf } from "./lane.ts";

const { coven, shell, env } = covenForFile();
const command = fileURLToPath(new URL("../../bin/coven", import.meta.url));
const PATH = [dirname(programOf("codex")), env["PATH"]].join(delimiter);

it("codex knows the server, with the variables and the time it is to give it", async () => {
  expect(await coven(["mcp", "install", "codex", "--write"])).toMatchObject({ code: 0 });
  const { stdout } = await shell("codex mcp get coven --json", { env: { PATH } });
  expect(jsonIn(stdout)).toMatchObject({
    enabled: true,
    transport: {
      command,
      args: ["mcp"],
      env_vars: expect.arrayContaining(["COVEN_HOME", "COVEN_TOKEN", "COVEN_SESSION_ID", "COVEN_RUN_ID"]),
    },
    tool_timeout_sec: 300,
  });
});

it.each(["user", "project"])("claude knows the server, made with --scope %s", async (scope) => {
  const write = ["mcp", "install", "claude", "--write", "--scope", scope];
  // The second finds the entry of the first, and brings it up to date.
  const home = { COVEN_HOME: `${env["HOME"]}/other home` };
  expect(await coven(write, { env: { PATH } })).toMatchObject({ code: 0, stderr: "" });
  expect(await coven(write, { env: { PATH, ...home } })).toMatchObject({ code: 0, stderr: "" });
  expect((await coven(write, { env: { PATH, ...home } })).stdout).toContain("already; nothing was changed");
  const { stdout } = await shell("claude mcp get coven", { env: { PATH } });
  expect(stdout).toContain(`Command: ${command}`);
  expect(stdout).toContain(`COVEN_HOME=${home.COVEN_HOME}`);
});

it("claude has the tools in its first turn, also where it searches for tools", async () => {
  const standIn = await startStandIn("claude", { turns: [{ text: "I know them." }] }, env["HOME"]);
  onTestFinished(standIn.stop);
  const words = { env: { ...standIn.env, PATH, ENABLE_TOOL_SEARCH: "true" } };
  expect(await coven(["mcp", "install", "claude", "--write"], words)).toMatchObject({ code: 0 });
  const { stdout } = await shell("claude --allowedTools mcp__coven -p 'Use coven.'", words);
  expect(stdout).toBe("I know them.\n");
  const offered = standIn.seen().flatMap((line) => turn.safeParse(line).data?.tools ?? []);
  expect(offered).toEqual(expect.arrayContaining(["ToolSearch", "mcp__coven__run", "mcp__coven__kill"]));
});

const turn = z.object({ kind: z.literal("turn"), turn: z.literal(0), tools: z.array(z.string()) });

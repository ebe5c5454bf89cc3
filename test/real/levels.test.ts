/**
 * Agents that launch agents that launch agents: the real programs in turn, each reaching Coven by the tools it was
 * launched with. What a level was told stands in its last message, as its model was shown it.
 */
import { delimiter, dirname } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { sessionRecord } from "../../src/capabilities/records.ts";
import { type StandIn, type StandInHarness, startStandIn } from "../mock-models/stand-ins.ts";
import { startDaemon } from "../support/daemon.ts";
import { gitProject, programOf } from "./lane.ts";
import { commandThen } from "./work.ts";

const other = { claude: "codex", codex: "claude" } as const;

/** What each session's model asks for, by a word of its task. */
function scriptsFor(first: StandInHarness, projectRoot: string): object {
  const run = (harness: StandInHarness, prompt: string, more: object = {}): object => ({
    tool: "mcp__coven__run",
    input: { harness, projectRoot, prompt, ...more },
  });
  const untilItEnds = (call: number): object => ({
    tool: "mcp__coven__watch",
    input: {
      sessions: [`{{result[${call}].id}}`],
      cursor: `{{result[${call}].cursor}}`,
      timeoutMs: 200_000,
    },
  });
  const second = other[first];
  return {
    scripts: [
      {
        when: "Stand first",
        turns: [
          run(second, "Hold the line.", { labels: ["sibling"] }),
          run(second, "Stand second.", { tools: true }),
          untilItEnds(1),
          { text: "The second is done." },
        ],
      },
      {
        when: "Stand second",
        turns: [
          { tool: "mcp__coven__list", input: { label: "sibling" } },
          { tool: "mcp__coven__kill", input: { session: "{{result[0].sessions[0].id}}" } },
          run(first, "Stand third.", { tools: true }),
          untilItEnds(2),
          { text: "Told about the kill: {{result[1]}}" },
        ],
      },
      {
        when: "Stand third",
        turns: [run(second, "Stand fourth."), { text: "Told about the run: {{result[0]}}" }],
      },
      { when: "Hold the line", turns: commandThen(second, "sleep 1000", "Never said.") },
    ],
  };
}

describe.each(["claude", "codex"] as const)("%s with tools, at the top", (first) => {
  it("has a grandchild, which is refused a fourth level, and a child that may not kill its sibling; the owner may", async () => {
    const project = gitProject();
    const scripts = scriptsFor(first, project);
    const standIns: Record<StandInHarness, StandIn> = {
      claude: await startStandIn("claude", scripts, project),
      codex: await startStandIn("codex", scripts, project),
    };
    for (const { stop } of Object.values(standIns)) onTestFinished(stop);
    const { client } = await startDaemon();
    const path = [dirname(programOf(first)), dirname(process.execPath), "/usr/local/bin", "/usr/bin", "/bin"];
    const env = { ...standIns.codex.env, ...standIns.claude.env, PATH: path.join(delimiter) };
    const args = { harness: first, projectRoot: project, prompt: "Stand first.", tools: true };
    const top = launched.parse(await client.call("run", args, { env }));
    const ended = await client.call("watch", { sessions: [top.id], cursor: top.cursor });
    expect(ended).toMatchObject({
      sessions: [{ status: "completed", lastMessage: "The second is done." }],
    });

    const [second, third] = await Promise.all(
      ["Stand second.", "Stand third."].map(async (title) => {
        const { sessions } = list.parse(await client.call("list", { detail: "full" }));
        return status.parse(
          await client.call("status", { session: sessions.find((one) => one.title === title)?.id }),
        );
      }),
    );
    expect(second).toMatchObject({ status: "completed", parent: top.id });
    expect(refusalIn(second)).toMatchObject({ code: "not_permitted", hint: expect.any(String) });
    expect(third).toMatchObject({ status: "completed", parent: second?.id });
    expect(refusalIn(third)).toMatchObject({
      code: "limit_exceeded",
      message: expect.stringContaining("3"),
      hint: expect.any(String),
    });

    const sibling = list.parse(await client.call("list", { label: "sibling" })).sessions[0];
    expect(sibling).toMatchObject({ status: "running" });
    expect(await client.call("kill", { session: sibling?.id })).toMatchObject({ status: "killed" });
    const fourth = { harness: other[first], projectRoot: project, prompt: "Stand fourth." };
    expect(await client.call("run", fourth, { env })).toMatchObject({ status: "running", parent_id: null });
  });
});

const launched = sessionRecord.extend({ cursor: z.string() });
const list = z.object({
  sessions: z.array(z.looseObject({ id: z.string(), title: z.string(), status: z.string() })),
});
const status = z.looseObject({
  id: z.string(),
  status: z.string(),
  parent: z.string().nullable(),
  lastMessage: z.string(),
});

/** The refusal that a session's last message repeats, as its model was shown it. */
const refusalIn = (session: z.output<typeof status> | undefined): unknown => {
  const said = session?.lastMessage ?? "";
  return JSON.parse(said.slice(said.indexOf("{"), said.lastIndexOf("}") + 1));
};

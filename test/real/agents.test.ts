/**
 * Agents as callers: the real programs, each given Coven's tools, run the other one, wait for it, read it, and end what
 * they do not need. The supervisor reaches Coven by the server that its own configuration flags start.
 */
import { delimiter, dirname } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { sessionRecord } from "../../src/capabilities/records.ts";
import { type StandIn, type StandInHarness, startStandIn } from "../mock-models/stand-ins.ts";
import { startDaemon } from "../support/daemon.ts";
import { gitProject, programOf } from "./lane.ts";
import { commandThen, workTurns } from "./work.ts";

const other = { claude: "codex", codex: "claude" } as const;

/** What the supervisor's model asks for, one call a turn; `{{result[N].id}}` is what an earlier call answered. */
function supervision(harness: StandInHarness, projectRoot: string): object[] {
  const run = (prompt: string): object => ({
    tool: "mcp__coven__run",
    input: { harness: other[harness], projectRoot, prompt },
  });
  const watch = (cursor: string, timeoutMs: number): object => ({
    tool: "mcp__coven__watch",
    input: { sessions: ["{{result[0].id}}"], cursor, timeoutMs },
  });
  const held = { session: "{{result[4].id}}" };
  return [
    run("Greet the whole world and run the test."),
    watch("{{result[0].cursor}}", 1),
    watch("{{result[1].cursor}}", 200_000),
    { tool: "mcp__coven__tail", input: { session: "{{result[0].id}}" } },
    run("Hold the line."),
    { tool: "mcp__coven__kill", input: held },
    { tool: "mcp__coven__archive", input: held },
    { text: "Both are dealt with." },
  ];
}

describe.each(["claude", "codex"] as const)("%s as a supervisor", (harness) => {
  it("runs a lane of the other harness, waits for it in two calls, reads it, and kills and archives another", async () => {
    const project = gitProject();
    const scripts = (of: StandInHarness): object => ({
      scripts: [
        { when: "Supervise", turns: supervision(of, project) },
        { when: "Greet the whole world", turns: workTurns(of, project) },
        { when: "Hold the line", turns: commandThen(of, "sleep 1000", "Never said.") },
      ],
    });
    const standIns: Record<StandInHarness, StandIn> = {
      claude: await startStandIn("claude", scripts("claude"), project),
      codex: await startStandIn("codex", scripts("codex"), project),
    };
    for (const { stop } of Object.values(standIns)) onTestFinished(stop);
    const daemon = await startDaemon();
    const path = [
      dirname(programOf(harness)),
      dirname(process.execPath),
      "/usr/local/bin",
      "/usr/bin",
      "/bin",
    ];
    const env = { ...standIns.codex.env, ...standIns.claude.env, PATH: path.join(delimiter) };
    const args = { harness, projectRoot: project, prompt: "Supervise two lanes.", tools: true };
    const { id, cursor } = launched.parse(await daemon.client.call("run", args, { env }));
    const ended = await daemon.client.call("watch", { sessions: [id], cursor });

    const results = resultsOf(standIns[harness]);
    expect(ended, results.join("\n")).toMatchObject({
      sessions: [{ status: "completed", exitCode: 0, lastMessage: "Both are dealt with." }],
    });
    const [, waiting, met, read, , killed, archived] = results.map(inText);
    expect(waiting).toMatchObject({ outcome: "waiting", sessions: [{ met: false, status: "running" }] });
    expect(met).toMatchObject({ outcome: "met", sessions: [{ status: "completed", exitCode: 0 }] });
    expect(read).toMatchObject({ text: expect.stringContaining("The world is greeted.") });
    expect(killed).toMatchObject({ status: "killed" });
    expect(archived).toMatchObject({ archived_at: expect.any(String) });
    const { children } = lineage.parse(await daemon.client.call("status", { session: id }));
    expect(children.map(({ status }) => status).sort()).toEqual(["completed", "killed"]);
  });
});

const launched = sessionRecord.extend({ cursor: z.string() });
const lineage = z.object({ children: z.array(z.object({ status: z.string() })) });

const turn = z.object({ kind: z.literal("turn"), results: z.array(z.object({ text: z.string() })) });

/** The results of the supervisor's calls, as its model was shown them: the longest list of them it was sent. */
function resultsOf({ seen }: StandIn): string[] {
  const turns = seen().flatMap((line) => turn.safeParse(line).data ?? []);
  const longest = turns.reduce((one, next) => (next.results.length > one.results.length ? next : one));
  return longest.results.map(({ text }) => text);
}

/** Codex puts a line about the time before the JSON. */
const inText = (text: string): unknown => JSON.parse(text.slice(text.indexOf("{")));

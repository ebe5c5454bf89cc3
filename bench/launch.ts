/** A launch: until it is answered, and until a watch tells the end of a program that does nothing. */
import { spawn } from "node-pty";
import type { BenchDaemon } from "./daemon.ts";
import type { Measured } from "./report.ts";
import { median, timedInTurns } from "./statistics.ts";

const answerLimit = { of: "value", max: 12 } as const;
const endLimit = { of: "value", max: 25 } as const;

export async function launch({ client, project, program }: BenchDaemon): Promise<Measured[]> {
  const answered: Record<string, number[]> = { pty: [], pipes: [], bare: [] };
  const lane = (kind: string, harness: string) => async (): Promise<void> => {
    const start = performance.now();
    const { id, cursor } = await client.launch({
      harness,
      projectRoot: project,
      prompt: "end",
      launchMode: "nonInteractive",
    });
    answered[kind]?.push(performance.now() - start);
    await client.watch({ sessions: [id], cursor });
  };
  const bare = async (): Promise<void> => {
    const start = performance.now();
    const child = spawn(program("bench-exits"), [], {});
    answered["bare"]?.push(performance.now() - start);
    await new Promise<void>((resolve) => child.onExit(() => resolve()));
  };
  const ended = await timedInTurns(
    { pty: lane("pty", "bench-exits"), pipes: lane("pipes", "codex"), bare },
    { warmUp: 5, turns: 100 },
  );
  const p50 = (samples: ReadonlyMap<string, readonly number[]>, kind: string): number =>
    median(samples.get(kind) ?? []);
  const answers = new Map(Object.entries(answered));
  return ["pty", "pipes"].flatMap((kind): Measured[] => [
    {
      what: `launch on ${kind} to the 201, p50`,
      value: p50(answers, kind),
      baseline: p50(answers, "bare"),
      unit: "ms",
      limit: answerLimit,
      note: "aim 8",
    },
    {
      what: `launch on ${kind} to the terminal of exit 0, p50`,
      value: p50(ended, kind),
      baseline: p50(ended, "bare"),
      unit: "ms",
      limit: endLimit,
      note: "aim 20",
    },
  ]);
}

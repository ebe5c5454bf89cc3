/**
 * What a waiting reader waits for: the first output of a lane, and its end.
 *
 * A lane hangs on a named pipe. When its readers wait, the bench writes a word into the pipe: the lane's shell prints
 * it, or ends. The clock is read before that write, in the same process as at the reader's end, so the shell's own
 * tenth of a millisecond is counted in, and no two clocks are compared.
 */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import type { BenchDaemon } from "./daemon.ts";
import type { Measured } from "./report.ts";
import { median, quantile } from "./statistics.ts";

interface Sample {
  readonly watch: number;
  readonly events: number;
  readonly end: number;
}

const lanes = 120;
const warmUp = 10;

export async function latency(daemon: BenchDaemon): Promise<Measured[]> {
  const pipe = join(daemon.folder, "word.pipe");
  spawnSync("mkfifo", [pipe]);
  const told: Sample[] = [];
  for (let lane = -warmUp; lane < lanes; lane += 1) {
    const sample = await oneLane(daemon, pipe);
    if (lane >= 0) told.push(sample);
  }
  return [
    ...rows(
      "first output to a waiting watch",
      told.map(({ watch }) => watch),
    ),
    ...rows(
      "first output to an event stream",
      told.map(({ events }) => events),
    ),
    ...rows(
      "end of a lane to a waiting watch",
      told.map(({ end }) => end),
    ),
  ];
}

const rows = (what: string, samples: readonly number[]): Measured[] => [
  { what: `${what}, p50`, value: median(samples), unit: "ms", limit: { of: "value", max: 10 } },
  { what: `${what}, p99`, value: quantile(samples, 0.99), unit: "ms", limit: { of: "value", max: 50 } },
];

async function oneLane({ client, project }: BenchDaemon, pipe: string): Promise<Sample> {
  const { id, cursor } = await client.launch({ harness: "bench-waits", projectRoot: project, prompt: pipe });
  const word = await open(pipe, "w"); // resolves when the lane has opened its end
  const stream = await client.open(`/sessions/${id}/events?afterSeq=0`, "text/event-stream");
  stream.setEncoding("utf8");
  const event = (async () => {
    let text = "";
    while (!text.includes("event: output")) text += String((await once(stream, "data"))[0]);
    return performance.now();
  })();
  const output = client.watch({ sessions: [id], until: "output", cursor }).then(() => performance.now());
  await client.get("/health"); // both readers are waiting when this is answered
  const saidAt = await say(word, "go\n");
  const sample = { watch: (await output) - saidAt, events: (await event) - saidAt };
  stream.destroy();

  const end = client.watch({ sessions: [id], until: "terminal", cursor }).then(() => performance.now());
  await client.get("/health");
  const endsAt = await say(word, "end\n");
  const answer = { ...sample, end: (await end) - endsAt };
  await word.close();
  return answer;
}

async function say(pipe: FileHandle, word: string): Promise<number> {
  const at = performance.now();
  await pipe.write(word);
  return at;
}

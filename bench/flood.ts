/** A flood through one terminal: every byte of it back from the log, against a bare reader of the same terminal. */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { spawn } from "node-pty";
import { z } from "zod";
import type { BenchDaemon } from "./daemon.ts";
import { keepConnection } from "./kept-connection.ts";
import type { Measured } from "./report.ts";
import { median, quantile, timed } from "./statistics.ts";

const megabytes = 72;
/** In a row, through one daemon. */
const rounds = 10;

/** Between two questions for health, ms: asking without a pause would keep one of two cores busy by itself. */
const askEveryMs = 5;

export async function flood(daemon: BenchDaemon): Promise<Measured[]> {
  const file = join(daemon.folder, "megabyte.txt");
  writeFileSync(file, oneMegabyte());
  const prompt = `${megabytes} ${file}`;
  const wanted = digestOf(Array.from({ length: megabytes }, () => readFileSync(file)));

  const speeds: number[] = [];
  const bareSpeeds: number[] = [];
  const healthMs: number[] = [];
  const replaySpeeds: number[] = [];
  const eventSpeeds: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const bareSeconds = (await timed(() => bareReader(daemon.program("bench-flood"), prompt))) / 1000;
    bareSpeeds.push(megabytes / bareSeconds);
    const { seconds, health, session } = await throughCoven(daemon, prompt);
    speeds.push(megabytes / seconds);
    healthMs.push(...health);
    replaySpeeds.push(megabytes / (await replay(daemon, session, wanted)));
    eventSpeeds.push(megabytes / (await replayEvents(daemon, session, wanted)));
  }
  return [
    {
      what: `flood of ${megabytes} MB, all bytes kept`,
      value: median(speeds),
      baseline: median(bareSpeeds),
      unit: "MB/s",
      limit: { of: "ratio", min: 0.6 },
      note: "aim 0.8",
    },
    {
      what: "GET /health during the flood, p99",
      value: quantile(healthMs, 0.99),
      unit: "ms",
      limit: { of: "value", max: 20 },
    },
    {
      what: "replay of the flood by /sessions/:id/output",
      value: median(replaySpeeds),
      unit: "MB/s",
      limit: { of: "value", min: 300 },
    },
    {
      what: "the same as events, page by page",
      value: median(eventSpeeds),
      unit: "MB/s",
      limit: { of: "value", min: 100 },
    },
  ];
}

/** Coloured lines of words and numbers, as a build prints them; no two alike. */
export function oneMegabyte(): Buffer {
  const lines: string[] = [];
  let bytes = 0;
  for (let number = 0; bytes < 1_000_000; number += 1) {
    const line = `\u001b[32m✓\u001b[0m src/parser/rules-${number}.ts compiled in ${(number * 7919) % 997} ms, ${number % 13} warnings\r\n`;
    lines.push(line);
    bytes += Buffer.byteLength(line);
  }
  return Buffer.from(lines.join("")).subarray(0, 1_000_000);
}

function digestOf(pieces: Iterable<Buffer>): string {
  const hash = createHash("sha256");
  for (const piece of pieces) hash.update(piece);
  return hash.digest("hex");
}

/** node-pty as it comes. It may lose the end of a flood; how much is not this measurement's matter. */
function bareReader(program: string, prompt: string): Promise<void> {
  const child = spawn(program, ["--", prompt], { encoding: null });
  child.onData(() => undefined);
  return new Promise((resolve) => child.onExit(() => resolve()));
}

async function throughCoven({ client, project }: BenchDaemon, prompt: string) {
  const health: number[] = [];
  const connection = await keepConnection(client.socketPath);
  const isOver = new AbortController();
  const asking = (async () => {
    while (!isOver.signal.aborted) {
      health.push(await timed(() => connection.get("/api/v1/health")));
      await pause(askEveryMs);
    }
  })();
  const startedAt = performance.now();
  const { id, cursor } = await client.launch({ harness: "bench-flood", projectRoot: project, prompt });
  await client.watch({ sessions: [id], cursor });
  const seconds = (performance.now() - startedAt) / 1000;
  isOver.abort();
  await asking;
  connection.close();
  return { seconds, health, session: id };
}

/** Seconds; throws when a byte is missing. */
async function replay({ client }: BenchDaemon, session: string, wanted: string): Promise<number> {
  const startedAt = performance.now();
  const response = await client.open(`/sessions/${session}/output`, "*/*");
  const pieces: Buffer[] = [];
  for await (const piece of response) if (Buffer.isBuffer(piece)) pieces.push(piece);
  const seconds = (performance.now() - startedAt) / 1000;
  if (digestOf(pieces) !== wanted) throw new Error("the flood is not in the log as it was printed");
  return seconds;
}

const page = z.object({
  events: z.array(z.object({ kind: z.string(), payload_json: z.string() })),
});
const output = z.object({ data: z.string() });

/**
 * Seconds until the last byte of the last page is here. The pages are read twice: what a reader makes of them, and the
 * memory it takes for it, would else be measured along; the second time they are compared.
 */
async function replayEvents(daemon: BenchDaemon, session: string, wanted: string): Promise<number> {
  const seconds = (await timed(() => eachPage(daemon, session, () => undefined))) / 1000;
  const pieces: Buffer[] = [];
  await eachPage(daemon, session, (body) => {
    for (const { kind, payload_json } of page.parse(JSON.parse(body.toString("utf8"))).events)
      if (kind === "output") pieces.push(Buffer.from(output.parse(JSON.parse(payload_json)).data));
  });
  if (digestOf(pieces) !== wanted) throw new Error("the flood is not in the events as it was printed");
  return seconds;
}

async function eachPage(
  { client }: BenchDaemon,
  session: string,
  read: (body: Buffer) => void,
): Promise<void> {
  for (let afterSeq = "0", hasMore = true; hasMore;) {
    const response = await client.open(`/sessions/${session}/events?afterSeq=${afterSeq}&limit=1000`, "*/*");
    const chunks: Buffer[] = [];
    for await (const chunk of response) if (Buffer.isBuffer(chunk)) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    read(body);
    const end = body.subarray(-100).toString("latin1");
    const [, next, more] = /"afterSeq":(\d+)\},"hasMore":(true|false)\}$/.exec(end) ?? [];
    if (next === undefined) throw new Error(`a page that does not end as one: ${end}`);
    afterSeq = next;
    hasMore = more === "true";
  }
}

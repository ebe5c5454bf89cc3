/** Measures each claim in turn on one daemon of its own, prints the report, and answers 1 when a limit is missed. */
import { castCodes } from "./cast-codes.ts";
import { changes } from "./changes.ts";
import { flood } from "./flood.ts";
import { hook } from "./hook.ts";
import { jsonRpc } from "./json-rpc.ts";
import { latency } from "./latency.ts";
import { launch } from "./launch.ts";
import { startDaemon } from "./daemon.ts";
import { mcp } from "./mcp.ts";
import { memory } from "./memory.ts";
import { reads } from "./reads.ts";
import { type Measured, isMet, table } from "./report.ts";
import { screen } from "./screen.ts";
import { start } from "./start.ts";
import { waits } from "./waits.ts";
import { wakes } from "./wakes.ts";

const measurements = {
  reads,
  launch,
  latency,
  waits,
  wakes,
  start,
  hook,
  mcp,
  jsonRpc,
  memory,
  flood,
  screen,
  castCodes,
  changes,
};

export async function main(wanted: readonly string[]): Promise<number> {
  const rows: Measured[] = [];
  for (const [name, measure] of Object.entries(measurements)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    process.stderr.write(`measuring ${name} …\n`);
    const daemon = await startDaemon();
    try {
      rows.push(...(await measure(daemon)));
    } finally {
      await daemon.stop();
    }
  }
  process.stdout.write(`${table(rows)}\n`);
  const missed = rows.filter((row) => !isMet(row));
  for (const { what } of missed) process.stderr.write(`over its limit: ${what}\n`);
  return missed.length > 0 ? 1 : 0;
}

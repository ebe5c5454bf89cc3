/** The value below which the share `q` of the samples lies. */
export function quantile(samples: readonly number[], q: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}

export const median = (samples: readonly number[]): number => quantile(samples, 0.5);

/** How long `work` takes, ms. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/**
 * Times several kinds of work in turns, so that whatever else the machine does meets all of them alike. The first
 * turns warm up and do not count.
 */
export async function timedInTurns<K extends string>(
  kinds: Readonly<Record<K, () => Promise<unknown>>>,
  { warmUp, turns, each = 1 }: { warmUp: number; turns: number; each?: number },
): Promise<ReadonlyMap<string, readonly number[]>> {
  const samples = new Map<string, number[]>(Object.keys(kinds).map((name) => [name, []]));
  for (let turn = -warmUp; turn < turns; turn += 1) {
    for (const [name, work] of Object.entries<() => Promise<unknown>>(kinds)) {
      for (let count = 0; count < each; count += 1) {
        const ms = await timed(work);
        if (turn >= 0) samples.get(name)?.push(ms);
      }
    }
  }
  return samples;
}

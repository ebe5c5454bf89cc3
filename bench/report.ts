/** One line of the report. Without a limit it is information. */
export interface Measured {
  readonly what: string;
  readonly value: number;
  readonly unit: "ms" | "MB/s" | "µs" | "MB";
  /** The same done without Coven, in the same run. */
  readonly baseline?: number;
  readonly limit?: { readonly of: "value" | "ratio" } & ({ readonly max: number } | { readonly min: number });
  readonly note?: string;
}

export function isMet({ value, baseline, limit }: Measured): boolean {
  if (limit === undefined) return true;
  const measured = limit.of === "value" ? value : value / (baseline ?? Number.NaN);
  return "max" in limit ? measured <= limit.max : measured >= limit.min;
}

const heads = ["what", "measured", "baseline", "ratio", "limit", "", ""];

/** The report as a Markdown table, so that it can be kept in the README as it is. */
export function table(rows: readonly Measured[]): string {
  const cells = [heads, ...rows.map(cellsOf)];
  const widths = heads.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join(" | ")} |`;
  const [head = [], ...body] = cells;
  const rule = `|${widths.map((width, column) => (column === 0 ? "-".repeat(width + 2) : `${"-".repeat(width + 1)}:`)).join("|")}|`;
  return [line(head), rule, ...body.map(line)].join("\n");
}

function cellsOf(row: Measured): string[] {
  const { what, value, unit, baseline, limit, note = "" } = row;
  return [
    what,
    `${rounded(value)} ${unit}`,
    baseline === undefined ? "" : `${rounded(baseline)} ${unit}`,
    baseline === undefined ? "" : `${(value / baseline).toFixed(2)} ×`,
    limit === undefined ? "" : limitText(limit, unit),
    limit === undefined ? "info" : isMet(row) ? "pass" : "FAIL",
    note,
  ];
}

function limitText(limit: NonNullable<Measured["limit"]>, unit: string): string {
  const bound = "max" in limit ? `≤ ${limit.max}` : `≥ ${limit.min}`;
  return `${bound} ${limit.of === "ratio" ? "×" : unit}`;
}

const rounded = (value: number): string => value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);

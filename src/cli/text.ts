/** Text for people: one line, safe for a terminal, in columns. */
import { cleanText } from "../text/clean.ts";

/** Text of others as one line without what steers a terminal. */
export const inOneLine = (text: string): string => cleanText(text).replace(/\s*[\r\n\u2028\u2029]+\s*/g, " ");

/** A title or message as one line of at most so many characters. */
export function oneLine(text: string, charactersMax = 80): string {
  const line = cleanText(text).replace(/\s+/g, " ").trim();
  return line.length <= charactersMax ? line : `${line.slice(0, charactersMax - 1)}…`;
}

/** Rows in columns, safe for a terminal; the last one is as wide as it likes. */
export function columns(cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => row.map(inOneLine));
  const widths = (rows[0] ?? []).map((_, index) => Math.max(...rows.map((row) => row[index]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join("");
}

/** `name  value` lines of what there is. */
export function fields(entries: readonly (readonly [string, string | number | null | undefined])[]): string {
  return columns(
    entries.flatMap(([name, value]) =>
      value === undefined || value === null || value === "" ? [] : [[name, String(value)]],
    ),
  );
}

/** `1 wake`, `2 wakes`. */
export const counted = (count: number, one: string): string => `${count} ${one}${count === 1 ? "" : "s"}`;

const sizes = [
  ["GB", 1e9],
  ["MB", 1e6],
  ["KB", 1e3],
] as const;

/** Bytes in the largest unit that fits. */
export function size(bytes: number): string {
  const [unit, one] = sizes.find(([, one]) => bytes >= one) ?? ["bytes", 1];
  return `${Number((bytes / one).toFixed(1))} ${unit}`;
}

const steps = [
  ["d", 86_400],
  ["h", 3600],
  ["m", 60],
] as const;

/** How long ago, in the largest unit that fits. */
export function age(since: string, now = Date.now()): string {
  const seconds = Math.max(0, Math.round((now - Date.parse(since)) / 1000));
  const [unit, size] = steps.find(([, size]) => seconds >= size) ?? ["s", 1];
  return `${Math.floor(seconds / size)}${unit}`;
}

/** How long from now, in the two largest units and about: nobody plans half an hour by the second. */
export function until(at: string, now = Date.now()): string {
  const exact = Math.max(0, (Date.parse(at) - now) / 1000);
  const grain = exact >= 86_400 ? 3600 : exact >= 600 ? 60 : 1;
  let seconds = Math.round(exact / grain) * grain;
  const parts: string[] = [];
  for (const [unit, size] of [...steps, ["s", 1] as const]) {
    const count = Math.floor(seconds / size);
    seconds -= count * size;
    if (count > 0 || parts.length > 0) parts.push(`${count}${unit}`);
  }
  const [first = "0s", second = "0"] = parts;
  return second.startsWith("0") ? first : `${first} ${second}`;
}

/** What was given for one option or argument, by its type. */
import { InvalidArgumentError } from "commander";

export const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);

export const numberOf = (value: unknown): number | undefined =>
  typeof value === "number" ? value : undefined;

export const isGiven = (value: unknown): boolean => value === true;

/** Of an option or argument that may be repeated. */
export const textsOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];

/** Option parsers: commander hands them the text and, for a repeatable one, what came before. */
export const repeated = (text: string, before: unknown): string[] => [...textsOf(before), text];

export function wholeNumber(text: string): number {
  if (/^-?\d{1,15}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It must be a whole number.");
}

/** How many of something are wanted, none perhaps. */
export function count(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It must be a whole number, 0 or more.");
}

const units: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["", 1000],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

/** An age: a bare number is refused, since for days it would be taken as seconds, and what is younger is lost. */
export function timeWithUnit(text: string): number {
  if (/[a-z]$/.test(text)) return duration(text);
  throw new InvalidArgumentError("It must be a time with its unit, such as 12h or 30d.");
}

/** `500ms`, `30s`, `5m`, `2h`, `30d` or a bare number of seconds, as ms. */
export function duration(text: string): number {
  const [, number = "", unit = ""] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d|)$/.exec(text) ?? [];
  const factor = units.get(unit);
  if (number === "" || factor === undefined)
    throw new InvalidArgumentError("It must be a time such as 500ms, 30s, 5m, 2h or 30d.");
  return Math.round(Number(number) * factor);
}

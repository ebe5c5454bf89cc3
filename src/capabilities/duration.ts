/** Times to come, as people write them: `30s`, `5m`, `2h`, `1d`, `1h30m`. */
import * as z from "zod";
import { Failure } from "../errors.ts";

const unitMs: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

/** Farthest time that can be asked for, ms: a year. */
const durationMsMax = 366 * 86_400_000;

const form = /^(?:\d+(?:ms|s|m|h|d))+$/;

/** A length of time, as it is written: an input stays what was given, so that it can be checked on its way more than once. */
export const duration = z
  .string()
  .max(100)
  .superRefine((text, context) => {
    const ms = msIn(text);
    if (ms !== undefined && ms > 0 && ms <= durationMsMax) return;
    const why = ms === undefined ? "is not understood" : ms > 0 ? "is more than a year" : "is no time at all";
    context.addIssue({
      code: "custom",
      message: `${JSON.stringify(text)} ${why}; give one such as 30s, 5m, 2h, 1d or 1h30m`,
    });
  });

/** Of a duration, ms. */
export const msOf = (text: string): number => msIn(text) ?? Number.NaN;

function msIn(text: string): number | undefined {
  const written = text.replace(/\s+/g, "");
  if (!form.test(written)) return undefined;
  return [...written.matchAll(/(\d+)(ms|s|m|h|d)/g)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * (unitMs.get(unit ?? "") ?? Number.NaN),
    0,
  );
}

/** A moment, RFC 3339 with its zone. Whether it is still to come is for the action: a repeated call may be late. */
export const moment = z
  .string()
  .max(100)
  .superRefine((text, context) => {
    if (z.iso.datetime({ offset: true }).safeParse(text).success) return;
    context.addIssue({
      code: "custom",
      message: `${JSON.stringify(text)} is no date and time with a zone; give one such as ${exampleOf()}`,
    });
  });

/** Throws `invalid_request` for a moment that is past, or too far. */
export function requireToCome(at: Date, argument: string): void {
  const inMs = at.getTime() - Date.now();
  if (inMs > 0 && inMs <= durationMsMax) return;
  const why = inMs > 0 ? "is more than a year from now" : `is past; it is ${new Date().toISOString()} now`;
  throw new Failure("invalid_request", `${argument}: ${at.toISOString()} ${why}`, {
    hint: `Give a time to come, such as ${exampleOf()}.`,
    details: { at: at.toISOString() },
  });
}

/** A day from now, written as it is wanted. */
const exampleOf = (): string => `${new Date(Date.now() + 86_400_000).toISOString().slice(0, 19)}Z`;

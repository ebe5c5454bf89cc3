/** Times as a person at this clock means them. */
import * as z from "zod";

const withZone = z.iso.datetime({ offset: true });
const dateTime = z.iso.datetime({ local: true });
const timeOfDay = z.iso.time({ precision: -1 });

/**
 * With its zone, as the actions want it: a date and time without one is of this machine's zone, and a time of day alone
 * the next one that the clock shows. What is neither is left as it is.
 */
export function localTime(text: string, now = new Date()): string {
  const spelled = text.trim().replace(/^(\d{4}-\d\d-\d\d) +(?=\d)/, "$1T");
  if (withZone.safeParse(spelled).success) return spelled;
  if (timeOfDay.safeParse(spelled).success) return next(spelled, now).toISOString();
  return dateTime.safeParse(spelled).success ? new Date(spelled).toISOString() : text;
}

/** A moment as this machine's clock shows it, to the second: `2030-01-31 09:00:00`. */
export function clockTime(moment: string): string {
  const at = new Date(moment);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000)
    .toISOString()
    .slice(0, 19)
    .replace("T", " ");
}

function next(clock: string, now: Date): Date {
  const [hours = 0, minutes = 0] = clock.split(":").map(Number);
  const at = new Date(now);
  at.setHours(hours, minutes, 0, 0);
  if (at <= now) at.setDate(at.getDate() + 1);
  return at;
}

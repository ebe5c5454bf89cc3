import { cleanText } from "../text/clean.ts";

/**
 * A title or message for somebody who has to decide: its beginning where it is longer than so many bytes, with a sign
 * that it goes on, and without what steers a terminal, since a model is shown it as it is.
 */
export function shortened(given: string, bytesMax: number): string {
  const text = steering.test(given) ? cleanText(given) : given;
  const bytes = Buffer.from(text);
  if (bytes.length <= bytesMax) return text;
  // A character that was cut through at the end is left out.
  return `${new TextDecoder().decode(bytes.subarray(0, bytesMax - ellipsisBytes), { stream: true })}…`;
}

const steering = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/;
const ellipsisBytes = 3;

/** The beginning of a text where it is longer than so many bytes, with a sign that it goes on. */
export function shortened(text: string, bytesMax: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= bytesMax) return text;
  // A character that was cut through at the end is left out.
  return `${new TextDecoder().decode(bytes.subarray(0, bytesMax - ellipsisBytes), { stream: true })}…`;
}

const ellipsisBytes = 3;

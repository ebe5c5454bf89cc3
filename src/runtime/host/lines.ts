/** Cuts a byte stream into lines. Used for the host's protocol and for structured harness output. */

export interface LineSplitter {
  /** The complete lines that this chunk ends, without their newline. */
  readonly push: (chunk: Buffer) => string[];
  /** The unfinished last line, if any; the splitter is empty afterwards. */
  readonly flush: () => string[];
}

/** A line longer than `lineBytesMax` is answered by `onOverlong` once and skipped to its end. */
export function createLineSplitter(lineBytesMax: number, onOverlong: () => void): LineSplitter {
  let parts: Buffer[] = [];
  let bytes = 0;
  let skipping = false;

  const keep = (part: Buffer): void => {
    if (skipping) return;
    bytes += part.length;
    if (bytes > lineBytesMax) {
      parts = [];
      skipping = true;
      onOverlong();
    } else if (part.length > 0) parts.push(part);
  };
  const take = (): string[] => {
    const line = skipping || parts.length === 0 ? [] : [Buffer.concat(parts).toString("utf8")];
    parts = [];
    bytes = 0;
    skipping = false;
    return line;
  };

  return {
    push(chunk) {
      const lines: string[] = [];
      let start = 0;
      for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
        keep(chunk.subarray(start, end));
        lines.push(...take());
        start = end + 1;
      }
      // A copy, because the caller may read its next chunk into the same memory.
      if (start < chunk.length) keep(Buffer.from(chunk.subarray(start)));
      return lines;
    },
    flush: take,
  };
}

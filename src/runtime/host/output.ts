/**
 * What a harness prints, made ready for the log: secrets replaced, then cut into rows at character borders.
 *
 * Nothing is dropped. What may be the beginning of a secret is held until the next bytes decide it, at most `heldMsMax`.
 */
import { createRedactor } from "../../text/redact.ts";

/** How long a possible beginning of a secret is held when nothing follows, ms: a prompt must show up at once. */
const heldMsMax = 60;

/** Largest row, bytes of its JSON text: published clients refuse events much larger. */
export const rowJsonBytesMax = 16 * 1024;

export interface OutputPipe {
  /** Takes what was printed; the bytes are the caller's again when it returns. */
  readonly push: (bytes: Buffer) => void;
  /** Hands on everything still held. */
  readonly end: () => void;
}

/** Takes a copy that is its own, and how long it is as JSON text. */
export type TakeRow = (bytes: Buffer, jsonBytes: number) => void;

export function createOutputPipe(row: TakeRow): OutputPipe {
  const redactor = createRedactor();
  let rest: Buffer = Buffer.alloc(0);
  let timer: NodeJS.Timeout | undefined;

  const emit = (bytes: Buffer, isFinal: boolean): void => {
    const all = rest.length > 0 ? Buffer.concat([rest, bytes]) : bytes;
    const whole = isFinal ? all.length : all.length - unfinishedBytes(all);
    let start = 0;
    while (start < whole) {
      const { end, jsonBytes } = rowFrom(all, start, whole);
      row(Buffer.from(all.subarray(start, end)), jsonBytes);
      start = end;
    }
    rest = Buffer.from(all.subarray(whole));
  };
  /** The beginning of a character stays: without its rest it is nothing to show. */
  const release = (): void => {
    timer = undefined;
    emit(redactor.flush(), false);
  };

  return {
    push(bytes) {
      emit(redactor.push(bytes), false);
      const isHolding = redactor.heldBytes > 0;
      if (!isHolding) clearTimeout(timer);
      else if (timer !== undefined) timer.refresh();
      else timer = setTimeout(release, heldMsMax);
      if (!isHolding) timer = undefined;
    },
    end() {
      clearTimeout(timer);
      emit(redactor.flush(), true);
    },
  };
}

/** Bytes at the end that begin a UTF-8 character without finishing it, 0 to 3. */
function unfinishedBytes(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? back : 0;
  }
  return 0;
}

/** Where a row that begins at `start` ends: its JSON text stays below the limit and no character is cut. */
function rowFrom(bytes: Buffer, start: number, end: number): { end: number; jsonBytes: number } {
  let jsonBytes = 0;
  for (let at = start; at < end; at += 1) {
    jsonBytes += jsonBytesOf[bytes[at] ?? 0] ?? 1;
    if (jsonBytes > rowJsonBytesMax) return { end: characterStart(bytes, start, at), jsonBytes };
  }
  return { end, jsonBytes };
}

function characterStart(bytes: Buffer, start: number, at: number): number {
  let border = at;
  while (border > start && at - border < 3 && ((bytes[border] ?? 0) & 0xc0) === 0x80) border -= 1;
  return border > start ? border : at;
}

/** How long each byte is in JSON text; a stray byte above 0x7f becomes U+FFFD, which is three. */
const jsonBytesOf = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte === 0x22 || byte === 0x5c) return 2;
  if (byte === 8 || byte === 9 || byte === 10 || byte === 12 || byte === 13) return 2;
  if (byte < 0x20) return 6;
  return byte < 0x80 ? 1 : 3;
});

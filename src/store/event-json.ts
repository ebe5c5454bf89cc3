/**
 * Records of the log as the JSON text that goes over the wire.
 *
 * A record holds its payload as JSON text, so what was printed is escaped twice. Made through strings that took most of
 * the time of a replay; here each printed byte becomes its doubly escaped form in one pass.
 */
import { isUtf8 } from "node:buffer";
import { type EventRecord, eventId } from "../events.ts";

export interface EventRow {
  readonly seq: number;
  readonly session_id: string;
  readonly kind: string;
  /** JSON; of output its stream, null for a pty. */
  readonly payload: string | null;
  /** Of output only. */
  readonly bytes: Buffer | null;
  readonly created_at: string;
}

export function toRecord(row: EventRow): EventRecord {
  return {
    seq: row.seq,
    id: eventId(row.seq),
    session_id: row.session_id,
    kind: row.kind,
    payload_json: row.bytes ? outputPayload(row.bytes, row.payload) : (row.payload ?? "{}"),
    created_at: row.created_at,
  };
}

const outputPayload = (bytes: Buffer, stream: string | null): string =>
  JSON.stringify(
    stream === null ? { data: bytes.toString("utf8") } : { data: bytes.toString("utf8"), stream },
  );

/** The same text as `JSON.stringify(toRecord(row))`. */
export function recordJson(row: EventRow): Buffer {
  const { seq, session_id, kind, payload, bytes, created_at } = row;
  // What is no text becomes replacement characters, which only the string has.
  if (bytes === null || !isUtf8(bytes)) return Buffer.from(JSON.stringify(toRecord(row)));
  const head = `{"seq":${seq},"id":"${eventId(seq)}","session_id":${JSON.stringify(session_id)},"kind":"${kind}","payload_json":"{\\"data\\":\\"`;
  const stream = payload === null ? "" : `,\\"stream\\":\\"${payload}\\"`;
  const tail = `\\"${stream}}","created_at":"${created_at}"}`;
  const longest = head.length * utf8BytesMax + bytes.length * escapedBytesMax + tail.length;
  if (scratch.length < longest) scratch = Buffer.allocUnsafe(longest);
  const start = scratch.write(head);
  const end = escapeTwice(bytes, scratch, start);
  return Buffer.from(scratch.subarray(0, end + scratch.write(tail, end)));
}

/** Where a record is put together before it is copied: a row's length is known only then. */
let scratch = Buffer.allocUnsafe(128 * 1024);

/** Most bytes that a character of a string becomes, and that a printed byte becomes (a control character). */
const utf8BytesMax = 3;
const escapedBytesMax = 7;

/** What each byte becomes when it is escaped twice, eight bytes for each; those of longer characters stay as they are. */
const escapes = new Uint8Array(256 * 8);
const escapedLengths = new Uint8Array(256);
for (let byte = 0; byte < 256; byte += 1) {
  const text = JSON.stringify(JSON.stringify(String.fromCharCode(byte))).slice(3, -3);
  const escaped = byte < 128 ? Buffer.from(text) : Buffer.from([byte]);
  escapes.set(escaped, byte * 8);
  escapedLengths[byte] = escaped.length;
}

/** Answers where it ended. Flat tables: with runs copied at once, or a buffer for each byte, it took half as long again. */
function escapeTwice(from: Buffer, to: Buffer, start: number): number {
  let at = start;
  for (let index = 0; index < from.length; index += 1) {
    const byte = from[index] ?? 0;
    const length = escapedLengths[byte] ?? 1;
    if (length === 1) to[at++] = byte;
    else for (let place = byte * 8; place < byte * 8 + length; place += 1) to[at++] = escapes[place] ?? 0;
  }
  return at;
}

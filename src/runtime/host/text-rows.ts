/** A long text as the texts of several rows, because a row of the log is small. */

/** Bytes of escaped JSON in one row's text: below the 16 KB of a row, with room for the fields beside it. */
const textJsonBytesMax = 15 * 1024;

/** Fewer characters than this fit without counting: none is longer than six bytes as JSON. */
const surelyFits = Math.floor(textJsonBytesMax / 6);

/** Never cuts a character in two; of an empty text, one empty row. */
export function textRows(text: string): string[] {
  const rows: string[] = [];
  let start = 0;
  while (text.length - start > surelyFits) {
    const end = rowEnd(text, start);
    if (end === text.length) break;
    rows.push(text.slice(start, end));
    start = end;
  }
  return [...rows, text.slice(start)];
}

function rowEnd(text: string, start: number): number {
  let bytes = 0;
  let at = start;
  for (const character of text.slice(start, start + textJsonBytesMax)) {
    bytes += jsonBytes(character);
    if (bytes > textJsonBytesMax) return at;
    at += character.length;
  }
  return at;
}

/** A lone surrogate is escaped, too. */
function jsonBytes(character: string): number {
  const code = character.codePointAt(0) ?? 0;
  if (code === 0x22 || code === 0x5c) return 2;
  if (code < 0x20) return 6;
  if (code < 0x80) return 1;
  if (code >= 0xd800 && code <= 0xdfff) return 6;
  return code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

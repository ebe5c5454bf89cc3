/**
 * How many columns of a terminal a character takes. @xterm/headless knows the widths of Unicode 6, from before emoji
 * were wide; harnesses count them as two columns, as terminals do today, and place what follows accordingly.
 */

/** First and last code point of the East Asian scripts and forms that are two columns wide. */
const wideRanges = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0x4dbf],
  [0x4e00, 0xa4cf],
  [0xa960, 0xa97c],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff01, 0xff60],
  [0xffe0, 0xffe6],
  [0x20000, 0x3fffd],
] as const;

const noColumn = /^[\p{Mn}\p{Me}\p{Cf}\u1160-\u11ff]$/u;
/** Half a flag is one column, so that a flag is two. */
const pictured = /^(?![\u{1f1e6}-\u{1f1ff}])\p{Emoji_Presentation}$/u;

export function characterWidth(codePoint: number): 0 | 1 | 2 {
  if (codePoint < 0x300) return codePoint < 0x20 || (codePoint >= 0x7f && codePoint < 0xa0) ? 0 : 1;
  const known = widths.get(codePoint);
  if (known !== undefined) return known;
  const width = measured(codePoint);
  if (widths.size < rememberedMax) widths.set(codePoint, width);
  return width;
}

/** Widths that are remembered: a program draws with few characters, and most of them again and again. */
const rememberedMax = 10_000;
const widths = new Map<number, 0 | 1 | 2>();

function measured(codePoint: number): 0 | 1 | 2 {
  const character = String.fromCodePoint(codePoint);
  if (noColumn.test(character)) return 0;
  const isWide = wideRanges.some(([first, last]) => codePoint >= first && codePoint <= last);
  return isWide || pictured.test(character) ? 2 : 1;
}

/** As many as can be read at a glance. */
const NEAREST_COUNT_MAX = 3;

/** More slips than that make another name. */
const DISTANCE_MAX = 3;

/**
 * Of the known names those that may have been meant, nearest first: with few slips, or begun by what was given, since
 * a name with spaces that lacks its quotes is read only up to the first of them.
 */
export function nearestNames(name: string, known: readonly string[]): string[] {
  const given = folded(name);
  if (given === "") return [];
  return known
    .flatMap((each) => {
      const distance = slips(given, folded(each));
      return distance === undefined ? [] : [{ each, distance }];
    })
    .sort((a, b) => a.distance - b.distance)
    .slice(0, NEAREST_COUNT_MAX)
    .map(({ each }) => each);
}

/** The form in which names are compared: `Sage` and `sage` are one. */
export const folded = (name: string): string => name.normalize("NFC").toLowerCase();

function slips(given: string, known: string): number | undefined {
  const longest = Math.max(given.length, known.length);
  // In a short name every second slip makes another word.
  const allowed = Math.min(DISTANCE_MAX, Math.max(1, Math.floor(longest / 3)));
  if (Math.abs(given.length - known.length) <= allowed) {
    const distance = editDistance(given, known);
    if (distance <= allowed) return distance;
  }
  return known.startsWith(given) ? DISTANCE_MAX + 1 : undefined;
}

/**
 * The optimal string alignment distance: how many insertions, deletions, replacements and swaps of neighbours lie
 * between two texts. Three rows of its matrix are enough.
 */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const isSame = a[row - 1] === b[column - 1];
      const isSwap = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      current.push(
        Math.min(
          (last[column] ?? 0) + 1,
          (current[column - 1] ?? 0) + 1,
          (last[column - 1] ?? 0) + (isSame ? 0 : 1),
          isSwap ? (beforeLast[column - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
    [beforeLast, last] = [last, current];
  }
  return last[b.length] ?? 0;
}

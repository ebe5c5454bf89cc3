/** Texts of random parts, the same ones for the same seed, so that a failure can be seen again. */
export function randomTexts({
  seed,
  parts,
  lengthMax,
}: {
  seed: number;
  parts: readonly string[];
  lengthMax: number;
}): () => string {
  const random = randomNumbers(seed);
  const below = (end: number): number => Math.floor(random() * end);
  return () => Array.from({ length: below(lengthMax + 1) }, () => parts[below(parts.length)] ?? "").join("");
}

/** Marsaglia's xorshift of 32 bits, from 0 to below 1; the seed is any whole number but 0. */
function randomNumbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

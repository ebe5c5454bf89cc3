/** A row's payload as JSON text that is no longer than a row may be; what had to be cut carries a mark. */

/** Largest row, bytes of its JSON text: published clients refuse events much larger. */
const rowJsonBytesMax = 16 * 1024;

/** How much of each text, and how many entries of each list, are kept when a payload is too long: the first that fits. */
const keeps = [
  { characters: 4000, entries: 100 },
  { characters: 1000, entries: 50 },
  { characters: 200, entries: 20 },
  { characters: 50, entries: 5 },
];

export function boundedJson(payload: object): string {
  const json = JSON.stringify(payload);
  if (fits(json)) return json;
  for (const keep of keeps) {
    const shorter = JSON.stringify(payload, (_, value: unknown) => shortened(value, keep));
    if (fits(shorter)) return shorter;
  }
  throw new Error(`an event of ${json.length} characters cannot be shortened into a row`);
}

const fits = (json: string): boolean =>
  json.length * 3 <= rowJsonBytesMax || Buffer.byteLength(json) <= rowJsonBytesMax;

function shortened(value: unknown, { characters, entries }: (typeof keeps)[number]): unknown {
  if (typeof value === "string" && value.length > characters)
    return `${value.slice(0, characters)}… (${value.length - characters} more characters)`;
  if (Array.isArray(value)) return value.slice(0, entries);
  return value;
}

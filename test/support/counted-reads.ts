/** How many characters of strings some work looks at: a measure of time that no busy machine changes. */
export function countedReads(work: () => void): number {
  let reads = 0;
  const undo = [
    replaced(
      "charCodeAt",
      (original) =>
        function (this: string, at: number) {
          reads += 1;
          return original.call(this, at);
        },
    ),
    replaced(
      "codePointAt",
      (original) =>
        function (this: string, at: number) {
          reads += 1;
          return original.call(this, at);
        },
    ),
    replaced(
      "charAt",
      (original) =>
        function (this: string, at: number) {
          reads += 1;
          return original.call(this, at);
        },
    ),
    replaced(
      "indexOf",
      (original) =>
        function (this: string, wanted: string, from = 0) {
          const found = original.call(this, wanted, from);
          reads += (found < 0 ? this.length : found + 1) - from;
          return found;
        },
    ),
    replaced(
      "slice",
      (original) =>
        function (this: string, from?: number, to?: number) {
          const part = original.call(this, from, to);
          reads += part.length;
          return part;
        },
    ),
  ];
  try {
    work();
  } finally {
    for (const each of undo) each();
  }
  return reads;
}

type Read = "charCodeAt" | "codePointAt" | "charAt" | "indexOf" | "slice";
type Method<K extends Read> = (typeof String.prototype)[K];

function replaced<K extends Read>(name: K, replacement: (original: Method<K>) => Method<K>): () => void {
  const original = String.prototype[name];
  const define = (value: Method<K>): unknown =>
    Object.defineProperty(String.prototype, name, { value, configurable: true, writable: true });
  define(replacement(original));
  return () => void define(original);
}

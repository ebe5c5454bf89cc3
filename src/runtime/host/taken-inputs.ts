/** Which inputs a run has taken, by the key of whoever sent them: what is sent again after a lost answer is not typed twice. */

/** Keys remembered of a run; beyond them the oldest is forgotten. A caller asks again within seconds. */
const keysMax = 1000;

export function createTakenInputs() {
  const byKey = new Map<string, Promise<void>>();
  return {
    /** Whether an input under the key was typed, or is being typed. */
    has: (key: string): boolean => byKey.has(key),

    /** Without a key every input is a new one. What was refused may be tried again. */
    once(key: string | undefined, type: () => Promise<void>): Promise<void> {
      if (key === undefined) return type();
      const known = byKey.get(key);
      if (known !== undefined) return known;
      const typed = type();
      byKey.set(key, typed);
      for (const oldest of byKey.keys()) {
        if (byKey.size <= keysMax) break;
        byKey.delete(oldest);
      }
      typed.catch(() => byKey.delete(key));
      return typed;
    },
  };
}

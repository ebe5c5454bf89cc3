/** Tells of each key at once, then no more often than every so many milliseconds, the last time included. */
export interface Throttle {
  readonly soon: (key: string) => void;
  readonly stop: () => void;
}

export function createThrottle(ms: number, tell: (key: string) => void): Throttle {
  /** Told a moment ago; `again` where there has been more since. */
  const resting = new Map<string, { readonly timer: NodeJS.Timeout; again: boolean }>();
  const rest = (key: string): void => {
    const timer = setTimeout(() => {
      const { again } = resting.get(key) ?? { again: false };
      resting.delete(key);
      if (again) now(key);
    }, ms);
    resting.set(key, { timer, again: false });
  };
  const now = (key: string): void => {
    rest(key);
    tell(key);
  };
  return {
    soon: (key) => {
      const quiet = resting.get(key);
      if (quiet === undefined) now(key);
      else quiet.again = true;
    },
    stop: () => {
      for (const { timer } of resting.values()) clearTimeout(timer);
      resting.clear();
    },
  };
}

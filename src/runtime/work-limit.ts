/** Work of which so much goes on at once; what is more waits, in the order in which it came. */
export class WorkLimit {
  readonly #atOnceMax: number;
  readonly #waiting: (() => void)[] = [];
  #count = 0;

  constructor(atOnceMax: number) {
    this.#atOnceMax = atOnceMax;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#count < this.#atOnceMax) this.#count += 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      // Whoever waits next takes the place over.
      const next = this.#waiting.shift();
      if (next === undefined) this.#count -= 1;
      else next();
    }
  }
}

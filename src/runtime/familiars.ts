/** Named personas: who a session is launched for, and what it takes from that. Looked up anew at each use. */
import { type Familiar, folded, readFamiliars } from "./familiars-file.ts";
import type { HarnessCatalog } from "./harness-catalog.ts";

export type { Familiar };

export interface KnownFamiliars {
  readonly familiars: readonly Familiar[];
  /** Whether they are those of the file, or, without one, the harnesses themselves. */
  readonly source: "familiars.json" | "harnesses";
  readonly problems: readonly string[];
}

export class Familiars {
  readonly #file: string;
  readonly #harnesses: HarnessCatalog;

  constructor(file: string, harnesses: HarnessCatalog) {
    this.#file = file;
    this.#harnesses = harnesses;
  }

  all(): KnownFamiliars {
    const harnesses = this.#harnesses.all();
    const { familiars, problems } = readFamiliars(this.#file);
    if (familiars === undefined) {
      const personas = harnesses.map(({ id, label }) => ({ id, label, harness: id }));
      return { familiars: personas, source: "harnesses", problems };
    }
    const known = harnesses.map(({ id }) => id);
    const isKnown = ({ harness }: Familiar): boolean => known.includes(harness);
    return {
      familiars: familiars.filter(isKnown),
      source: "familiars.json",
      problems: [
        ...problems,
        ...familiars
          .filter((familiar) => !isKnown(familiar))
          .map(
            ({ id, harness }) =>
              `${this.#file}: ${id}.harness: unknown harness ${harness}; known are ${known.join(", ")}`,
          ),
      ],
    };
  }

  /** By id; published clients pass ids that nobody has declared. */
  find(id: string): Familiar | undefined {
    return this.all().familiars.find((each) => folded(each.id) === folded(id));
  }
}

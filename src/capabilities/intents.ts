/**
 * Retries are safe: an action that is asked again by the same caller under the same intent is done once and answered
 * as it was the first time. One that is still under way is waited for; one that was cut off before its answer (the
 * daemon crashed) is told to the action as `begun`. A rejected attempt is not remembered, so that it can be repeated.
 */
import { createHash } from "node:crypto";
import { Failure } from "../errors.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { IntentKey } from "../store/intents.ts";
import type { Answer, Intent } from "./capability.ts";

export type { IntentKey };

type Perform = (intent: Intent | undefined) => Promise<unknown>;

interface UnderWay {
  readonly fingerprint: string;
  readonly output: Promise<unknown>;
}

export class Intents {
  readonly #store: Runtime["intents"];
  readonly #storeRefusal: Runtime["storeRefusal"];
  readonly #underWay = new Map<string, UnderWay>();

  constructor({ intents, storeRefusal }: Pick<Runtime, "intents" | "storeRefusal">) {
    this.#store = intents;
    this.#storeRefusal = storeRefusal;
  }

  /** Performs now where there is no intent. Throws `intent_conflict` when the intent stands for another input. */
  async once(key: IntentKey | undefined, input: unknown, perform: Perform): Promise<Answer> {
    if (key === undefined) return { output: await perform(undefined), replayed: false };
    const fingerprint = fingerprintOf(input);
    const name = nameOf(key);
    const first = this.#underWay.get(name);
    if (first !== undefined) {
      requireSame(key, first.fingerprint, fingerprint);
      return { output: await first.output, replayed: true };
    }
    const known = this.#store.find(key);
    if (known !== undefined) requireSame(key, known.fingerprint, fingerprint);
    if (typeof known?.result === "string") return { output: JSON.parse(known.result), replayed: true };

    const output = this.#perform(key, fingerprint, known?.session_id ?? undefined, perform);
    this.#underWay.set(name, { fingerprint, output });
    try {
      return { output: await output, replayed: known !== undefined };
    } finally {
      this.#underWay.delete(name);
    }
  }

  async #perform(
    key: IntentKey,
    fingerprint: string,
    begun: string | undefined,
    perform: Perform,
  ): Promise<unknown> {
    let session: string | undefined = begun;
    const begin = (id: string): void => {
      session = id;
      this.#store.begin(key, fingerprint, id);
    };
    const forget = (): void => this.#whileStoreTakesIt(() => this.#store.forget(key));
    let takeBack = (): void => undefined;
    try {
      const output = await perform({
        key: nameOf(key),
        begun,
        begin,
        forget,
        announce: (id) => {
          if (begun !== undefined) return;
          takeBack = forget;
          this.#whileStoreTakesIt(() => begin(id));
        },
      });
      this.#whileStoreTakesIt(() =>
        this.#store.finish(key, fingerprint, session ?? null, JSON.stringify(output)),
      );
      return output;
    } catch (error) {
      // What a transaction has done stays done, and what an earlier call has begun is not undone by a later one.
      takeBack();
      throw error;
    }
  }

  /** A store that takes no writes now must neither keep an effect outside of it from happening nor hide its result. */
  #whileStoreTakesIt(write: () => void): void {
    try {
      write();
    } catch (error) {
      if (this.#storeRefusal(error) === undefined) throw error;
    }
  }
}

const nameOf = ({ caller, action, id }: IntentKey): string => JSON.stringify([caller, action, id]);

/** Equal for equal arguments, whatever their order. */
const fingerprintOf = (input: unknown): string =>
  createHash("sha256").update(JSON.stringify(input, inOrder)).digest("hex");

const inOrder = (_: string, value: unknown): unknown =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)))
    : value;

function requireSame({ action, id }: IntentKey, known: string, asked: string): void {
  if (known === asked) return;
  throw new Failure("intent_conflict", `the intent ${id} already stands for another ${action}`, {
    hint: "Repeat a call with the arguments it had, or give a new call an intent of its own.",
    details: { action, intentId: id },
  });
}

/**
 * The daemon's end of the worker that draws screens. It is started by the first task and ended when it has had none
 * for a while; what it has drawn goes with it.
 */
import { Worker } from "node:worker_threads";
import * as z from "zod";
import { Failure } from "../errors.ts";
import type { Picture, ScreenView } from "../text/screen.ts";

const size = { columns: z.int(), rows: z.int() };
const step = z.union([
  z.object({ bytes: z.custom<Uint8Array>((value) => value instanceof Uint8Array) }),
  z.object(size),
]);
export type ScreenStep = z.output<typeof step>;

/** A screen is named by a number, and made by the first task that names it. */
export const screenRequest = z.object({
  id: z.int(),
  screen: z.int(),
  task: z.enum(["draw", "show", "view", "close"]),
  steps: z.array(step),
});

const span = z.tuple([z.int(), z.int()]);
const caret = { row: z.int(), column: z.int() };

const screenAnswer = z.object({
  id: z.int(),
  picture: z
    .object({
      text: z.string(),
      ...size,
      caret: z.object(caret),
      title: z.string().optional(),
    })
    .optional(),
  view: z
    .object({
      lines: z.array(z.object({ text: z.string(), dim: z.array(span), inverse: z.array(span) })),
      columns: z.int(),
      caret: z.object({ ...caret, isVisible: z.boolean() }),
      isHalfDrawn: z.boolean(),
    })
    .optional(),
});
export interface ScreenAnswer {
  readonly id: number;
  readonly picture: Picture | undefined;
  readonly view: ScreenView | undefined;
}

/** Memory of the worker for everything but the cells of the screens, which are bounded by their number. */
const heapMegabytesMax = 128;

interface Asked {
  readonly resolve: (answer: z.output<typeof screenAnswer>) => void;
  readonly reject: (error: unknown) => void;
}

export interface ScreenWorkerOptions {
  /** The program of the worker, as built. */
  readonly file: string;
  /** How long it is kept without a task, ms. */
  readonly idleMs: number;
  /** Told that it has ended, and with it all that it had drawn. */
  readonly ended: () => void;
}

export class ScreenWorker {
  readonly #options: ScreenWorkerOptions;
  readonly #asked = new Map<number, Asked>();
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #count = 0;

  constructor(options: ScreenWorkerOptions) {
    this.#options = options;
  }

  async draw(screen: number, steps: readonly ScreenStep[]): Promise<void> {
    await this.#ask(screen, "draw", steps);
  }

  async show(screen: number): Promise<Picture> {
    const { picture } = await this.#ask(screen, "show", []);
    if (picture === undefined) throw new Error("the worker of the screens answered without a picture");
    return { ...picture, title: picture.title };
  }

  async view(screen: number): Promise<ScreenView> {
    const { view } = await this.#ask(screen, "view", []);
    if (view === undefined) throw new Error("the worker of the screens answered without a view");
    return view;
  }

  async close(screen: number): Promise<void> {
    if (this.#worker !== undefined) await this.#ask(screen, "close", []);
  }

  /** Resolves when the thread is gone. */
  async end(): Promise<void> {
    const worker = this.#worker;
    this.#lose(new Failure("runtime_unavailable", "the daemon is stopping", { hint: "Start it again." }));
    await worker?.terminate();
  }

  #ask(screen: number, task: z.output<typeof screenRequest>["task"], steps: readonly ScreenStep[]) {
    const worker = (this.#worker ??= this.#start());
    clearTimeout(this.#idle);
    const id = (this.#count += 1);
    return new Promise<z.output<typeof screenAnswer>>((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
      worker.postMessage({ id, screen, task, steps });
    });
  }

  #start(): Worker {
    const worker = new Worker(this.#options.file, {
      argv: [],
      execArgv: [],
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: heapMegabytesMax },
    });
    // Drawing must not keep a daemon that stops.
    worker.unref();
    worker.on("message", (message) => this.#answered(screenAnswer.parse(message)));
    const lost = (error: unknown): void => {
      if (this.#worker === worker) this.#lose(error);
    };
    worker.on("error", lost);
    worker.on("exit", (code) => lost(new Error(`the worker of the screens ended with ${code}`)));
    return worker;
  }

  #answered(answer: z.output<typeof screenAnswer>): void {
    const asked = this.#asked.get(answer.id);
    this.#asked.delete(answer.id);
    if (this.#asked.size === 0) {
      this.#idle = setTimeout(() => void this.end(), this.#options.idleMs);
      this.#idle.unref();
    }
    asked?.resolve(answer);
  }

  #lose(error: unknown): void {
    clearTimeout(this.#idle);
    this.#worker = undefined;
    const asked = [...this.#asked.values()];
    this.#asked.clear();
    this.#options.ended();
    for (const { reject } of asked) reject(error);
  }
}

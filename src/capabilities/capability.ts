/**
 * An action, defined once. Every surface (HTTP, CLI, and whatever comes) finds the record in the registry, decodes,
 * invokes and encodes; whatever is true of an action stands here and nowhere else.
 */
import type * as z from "zod";
import type { FailureCode } from "../errors.ts";
import type { Runtime } from "../runtime/runtime.ts";

/** Who asks: the owner of the COVEN_HOME, or a run, known by its token, on behalf of its session. */
export type Identity =
  { readonly kind: "owner" } | { readonly kind: "run"; readonly run: string; readonly session: string };

export interface Caller {
  readonly identity: Identity;
  /** Where the call came in, for the log. */
  readonly surface: "http" | "json-rpc" | "mcp" | "local";
  /** Aborted when the caller is gone or does not want the answer any more. */
  readonly signal: AbortSignal;
  /** The environment that the caller runs in; a harness it launches gets it. */
  readonly env: Readonly<Record<string, string>> | undefined;
  /** The caller's own name for what it wants done: asked again under it, it is done once. */
  readonly intentId: string | undefined;
}

/** What an action that changes something is told of the intent it is asked under. */
export interface Intent {
  /** Names the intent among all callers and actions. */
  readonly key: string;
  /** The session that an earlier call under this intent had begun to act on, and was cut off before its answer. */
  readonly begun: string | undefined;
  /** Remembers what is being done; to be called inside the transaction that does it. */
  readonly begin: (session: string) => void;
  /** Takes that back, where what was begun has failed for good. */
  readonly forget: () => void;
  /**
   * The same for an effect outside the store, before it happens; taken back when the action fails. Does nothing while
   * the store takes no writes.
   */
  readonly announce: (session: string) => void;
}

export interface Context extends Runtime {
  readonly caller: Caller;
  /** Undefined for a read, and where the caller names no intent. */
  readonly intent: Intent | undefined;

  /** The whole table, for discovery. */
  readonly actions: ReadonlyMap<string, Capability>;
  /** The same way in, for an action that stands for others: what it asks for is asked by its own caller. */
  readonly invoke: Invoke;
}

/**
 * What the token of a run allows, where the owner may do anything: `anyone`: no session is touched; `project`: the
 * sessions of its own project root; `children`: to launch some there; `descendants`: what it launched, and what that
 * launched; `owner`: nothing.
 */
export type Right = "anyone" | "project" | "children" | "descendants" | "owner";

/** How an action is offered to models. */
export interface Tool {
  readonly title: string;
  /** For a model that chooses: when to use it, what it costs, what comes next, in the words it would search for. */
  readonly description: string;
  /** One of the few that are to be loaded always; clients keep the others behind a search. */
  readonly core?: true;
  /** Less than the action takes, or with other defaults: what it gives is always an input of the action. */
  readonly input?: z.ZodObject;
  /** What a model does not choose, and an action's default would be wrong for. */
  readonly usual?: Readonly<Record<string, unknown>>;
  /** Less than the action answers: what a model is shown of it, unless the object is loose, and told to expect. */
  readonly output?: z.ZodObject;
}

export interface Capability<
  I extends z.ZodObject = z.ZodObject,
  O extends z.ZodType = z.ZodType,
  N extends string = string,
> {
  /** The verb: its name on every surface. */
  readonly name: N;
  /** One sentence, for people and models. */
  readonly summary: string;
  readonly effect: "read" | "write" | "destroy";
  /** Flat and strict, so that it can be flags, a query and JSON alike. */
  readonly input: I;
  readonly output: O;
  /** What a caller must be ready for, beside `invalid_request`. */
  readonly failures: readonly FailureCode[];
  readonly right: Right;
  /** False where it is not offered to models. */
  readonly tool: Tool | false;
  /** Which arguments the CLI takes without a flag, in order. */
  readonly positional?: readonly (keyof z.input<I> & string)[];
  // A method, so that a table may hold records of different inputs.
  run(input: z.output<I>, context: Context): Promise<z.input<O>>;
}

export const capability = <I extends z.ZodObject, O extends z.ZodType, const N extends string>(
  record: Capability<I, O, N>,
): Capability<I, O, N> => record;

export interface Answer {
  readonly output: unknown;
  /** Whether this answers an earlier call under the same intent, and nothing was done now. */
  readonly replayed: boolean;
}

/** The only way in. The registry implements it in the daemon, the client over the socket. */
export type Invoke = (name: string, input: unknown, caller: Caller) => Promise<Answer>;

/**
 * What daemon and host say to each other over `$COVEN_HOME/host-<pid>.sock`: one JSON object per line.
 *
 * The daemon asks `{id, method, params}` and the host answers `{id, result}` or `{id, failure}`. Unasked, the host
 * says only `{grown}`: the log has grown to that seq, and in which sessions. It never sends a row: whoever wants to
 * know reads the log. A host outlives daemons and upgrades, so the protocol has a version; a newer daemon speaks an
 * older host's version until that host is empty.
 *
 * How it grows: within a version only by optional fields, in what is asked as in what is told, whose absence means what
 * was meant before they existed; unknown fields are ignored by both sides. A new method, or a field that must be
 * understood, takes a new version. A host of a newer version than the daemon's is not spoken to: its runs go on, out of
 * reach, until a daemon that knows its version is there.
 */
import * as z from "zod";
import { type FailureCode, isFailureCode } from "../../errors.ts";
import { sessionStatuses } from "../../events.ts";
import { permissions, launchModes } from "../harness/harness.ts";

/**
 * 2: input that stays open in mode stream, input that is not typed twice, what a run left behind. 3: with a run's start,
 * end and kill the host's log moves the wakes that belong to it.
 */
export const protocolVersion = 3;

/** Longest line either side accepts, bytes: a prompt on standard input and a large environment fit well. */
export const frameBytesMax = 8 * 1024 * 1024;

const launchSpec = z.object({
  runId: z.string(),
  sessionId: z.string(),
  harness: z.string(),
  /** Resolved executable. */
  file: z.string(),
  args: z.array(z.string()),
  cwd: z.string(),
  env: z.record(z.string(), z.string()),
  transport: z.enum(["pty", "pipes"]),
  format: z.enum(["claude", "codex"]).optional(),
  stdin: z.string().optional(),
  /** Told to the log as the conversation's first message. */
  prompt: z.string(),
  harnessSessionId: z.string().optional(),
  /** What the harness prints, and then fails, when it does not know the conversation that it is to go on with. */
  unknownConversation: z.array(z.string()).optional(),
  version: z.string().nullable(),
  launchMode: z.enum(launchModes),
  permission: z.enum(permissions).nullable(),
  model: z.string().nullable(),
  /** A clean end leaves the session `idle` rather than `completed`: the caller keeps a conversation going. */
  endsIdle: z.boolean(),
});
export type LaunchSpec = z.output<typeof launchSpec>;

/** Whether the log takes what is written to it. On a full disk harnesses are paused, not lost. */
export const storeState = z.enum(["ok", "store_full"]);
export type StoreState = z.output<typeof storeState>;

const identity = z.object({ pid: z.int(), startTime: z.string() });

const runOnly = z.object({ runId: z.string() });

const survivors = z.object({ survivors: z.array(z.object({ pid: z.int(), command: z.string() })) });

const params = {
  launch: launchSpec,
  /** `said`: what the bytes say in a conversation, told to the log as a message. `end` closes the input behind them. */
  input: runOnly.extend({
    dataBase64: z.string(),
    said: z.string().optional(),
    end: z.boolean().default(false),
    /** What comes again under the same key is answered again and not typed again. */
    inputKey: z.string().optional(),
  }),
  resize: runOnly.extend({ columns: z.int(), rows: z.int() }),
  /**
   * How many people are at the keys of the terminal, none or one; while nobody is, the host answers the terminal's
   * queries. Answered with the place in the log from which on it does so, or no longer does.
   */
  attached: runOnly.extend({ count: z.int() }),
  /** `as`: what the session is once its tree is gone, `killed` when a caller asked, `orphaned` when Coven stops. */
  kill: runOnly.extend({ graceMs: z.int(), as: z.enum(["killed", "orphaned"]) }),
  /** Ends what is left of a run that no host holds. `known`: processes of it that were seen before. */
  reap: runOnly.extend({
    ...identity.shape,
    known: z.array(identity).optional(),
    graceMs: z.int().optional(),
  }),
  runs: z.object({}),
  /** The daemon stops for good: a host that holds nothing need not wait for another one. */
  leave: z.object({}),
};

const results = {
  launch: z.object({ pid: z.int() }),
  input: z.object({}),
  resize: z.object({}),
  /** `status`: how the session ends, whether the store has taken it yet or not. */
  kill: survivors.extend({ status: z.enum(sessionStatuses).optional() }),
  attached: z.object({ seq: z.int().optional() }),
  reap: survivors,
  runs: z.object({ runIds: z.array(z.string()), store: storeState.optional() }),
  leave: z.object({}),
};

export type Method = keyof typeof params;
export type Params<M extends Method> = z.output<(typeof params)[M]>;
export type Result<M extends Method> = z.output<(typeof results)[M]>;

/** What each method takes and answers. */
export const paramsOf: { readonly [M in Method]: z.ZodType<Params<M>> } = params;
export const resultOf: { readonly [M in Method]: z.ZodType<Result<M>> } = results;

export const request = z.object({ id: z.int(), method: z.string(), params: z.unknown() });

export const wireFailure = z.object({
  code: z.custom<FailureCode>(isFailureCode),
  message: z.string(),
  hint: z.string().optional(),
  details: z.record(z.string(), z.unknown()).optional(),
});

export const fromHost = z.union([
  z.object({ grown: z.int(), sessions: z.array(z.string()), store: storeState.optional() }),
  z.object({ id: z.int(), result: z.unknown() }),
  z.object({ id: z.int(), failure: wireFailure }),
]);

export const isMethod = (name: string): name is Method => Object.hasOwn(params, name);

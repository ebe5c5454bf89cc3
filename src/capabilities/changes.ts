import * as z from "zod";
import { capability } from "./capability.ts";
import { sessionId } from "./records.ts";

/** Bytes of an answer unless told otherwise: for a program a large commit, for a model some hundred lines. */
const bytesUsual = { program: 64_000, model: 7000 } as const;

const moment = z.object({
  at: z.string(),
  /** The commit that was checked out, and its branch. */
  head: z.string().nullable(),
  branch: z.string().nullable(),
  /** What the repository was in the middle of. */
  operation: z.string().nullable(),
});

const file = z.object({
  path: z.string(),
  from: z.string().optional(),
  status: z.enum(["added", "modified", "deleted", "renamed"]),
  /** Null where there are no lines to count. */
  insertions: z.int().nullable(),
  deletions: z.int().nullable(),
  diff: z.string().optional(),
  /** The diff goes on. */
  truncated: z.literal(true).optional(),
  /** Why there is no diff: ask with its path where that is the limit. */
  omitted: z.enum(["binary", "large", "deleted", "ignored", "submodule", "limit"]).optional(),
});

export const changes = capability({
  name: "changes",
  summary: "What a session changed in its git project: files with counts and diffs, untracked ones included.",
  effect: "read",
  input: z.strictObject({
    session: sessionId.describe("session id"),
    path: z
      .string()
      .min(1)
      .max(4096)
      .refine((path) => !path.includes("\0"), "must be a path, without a null character")
      .optional()
      .describe("only this file or folder"),
    run: z.int().min(1).optional().describe("only this run of it; the first is 1"),
    maxBytes: z
      .int()
      .min(500)
      .max(1_000_000)
      .default(bytesUsual.program)
      .describe("at most about so many bytes of answer"),
  }),
  output: z.object({
    session: z.string(),
    /** False where nothing can be told, for the reason. */
    known: z.boolean(),
    reason: z.string().optional(),
    /** Where it works: paths begin here. */
    directory: z.string(),
    before: moment.optional(),
    /** When its run ended; null while it lives, where this is now. */
    after: moment.nullable().optional(),
    /** Made meanwhile; null if git no longer knows where it began. */
    commits: z
      .object({ count: z.int(), newest: z.array(z.object({ hash: z.string(), subject: z.string() })) })
      .nullable()
      .optional(),
    files: z.array(file),
    filesTotal: z.int(),
    insertions: z.int(),
    deletions: z.int(),
    /** Files or diffs were left out for their number or size. */
    truncated: z.boolean(),
    /** Other sessions that ran in the same files meanwhile. */
    sharedWith: z.array(z.string()).optional(),
    /** What keeps this from being all that the session did, and nothing else. */
    notes: z.array(z.string()),
  }),
  failures: ["session_not_found", "git_failed"],
  right: "project",
  tool: {
    title: "See changes",
    description: "Files a session changed in git, with diffs (7 KB; path: one file).",
    get input(): z.ZodObject {
      const { session, path } = changes.input.shape;
      // Their names say enough.
      return z.strictObject({ session, path: path.describe("path id") });
    },
    usual: { maxBytes: bytesUsual.model },
    output: z
      .object({
        known: z.boolean(),
        files: z.array(file.pick({ path: true, status: true }).loose()),
        truncated: z.boolean(),
      })
      .loose(),
  },
  positional: ["session", "path"],
  async run({ session, path, run, maxBytes }, { changesOf }) {
    const found = await changesOf({ session, path, run, maxBytes });
    if (!found.known) return { session, ...nothing, ...found };
    const { sharedWith, files, commits, notes, ...told } = found;
    return {
      session,
      ...told,
      commits: commits && { ...commits, newest: [...commits.newest] },
      files: [...files],
      ...(sharedWith.length > 0 ? { sharedWith: [...sharedWith] } : {}),
      notes: [...notes],
    };
  },
});

const nothing = { files: [], filesTotal: 0, insertions: 0, deletions: 0, truncated: false, notes: [] };

import * as z from "zod";
import { Failure } from "../errors.ts";
import { activityStates, isLive, sessionStatuses } from "../events.ts";
import type { ListPosition, SessionRecord } from "../store/sessions.ts";
import { listedProject } from "./authority.ts";
import { capability } from "./capability.ts";
import { sessionId, sessionRecord } from "./records.ts";
import { shortened } from "./shortened.ts";

/** Sessions on a page when the caller names no limit, and at most. */
const pageSize = 100;
export const pageSizeMax = 1000;
/** The same for a model: about 4 KB. */
const toolPageSize = 20;
/** Longest title in a brief list, bytes. */
const briefTitleBytesMax = 30;

export const listPage = z.object({ sessions: z.array(sessionRecord), nextCursor: z.string().nullable() });

const briefSession = sessionRecord
  .pick({ id: true, title: true, harness: true, status: true, last_activity_at: true })
  .extend({
    labels: sessionRecord.shape.labels.optional(),
    activity: z.enum(activityStates).optional(),
  });

const briefPage = listPage.extend({ sessions: z.array(briefSession) });

export const list = capability({
  name: "list",
  summary: "Lists sessions, newest first, in pages; archived ones only when asked for.",
  effect: "read",
  input: z.strictObject({
    status: z.enum(sessionStatuses).optional().describe("only in this state"),
    projectRoot: z.string().min(1).optional().describe("only of this project"),
    label: z.string().min(1).optional().describe("only with this label"),
    parent: sessionId.optional().describe("only launched by this one"),
    worktree: z.string().min(1).optional().describe("only in this one, by path or branch"),
    attention: z.boolean().default(false).describe("only those that ask something"),
    includeArchived: z.boolean().default(false).describe("archived sessions too"),
    limit: z.int().min(1).max(pageSizeMax).default(pageSize).describe("sessions in one answer"),
    cursor: z.string().optional().describe("nextCursor of the page before"),
    detail: z.enum(["full", "brief"]).default("full").describe("of each session its record, or a line"),
  }),
  output: z.union([listPage, briefPage]),
  failures: [],
  right: "project",
  tool: {
    title: "List sessions",
    description:
      "Finds agent sessions, newest first: by label, project or state. For the result of one use status.",
    get input(): z.ZodObject {
      return list.input.omit({ worktree: true, includeArchived: true }).extend({
        limit: list.input.shape.limit.default(toolPageSize),
        detail: list.input.shape.detail.default("brief"),
      });
    },
    // The whole record holds what the line does, and more; what it does is a word in the line, and evidence besides.
    output: listPage.extend({
      sessions: z.array(briefSession.extend({ activity: z.unknown().optional() }).loose()),
    }),
  },
  async run({ detail, ...asked }, context) {
    const { status, projectRoot, label, parent, worktree, attention, includeArchived, limit, cursor } = asked;
    const { activities } = context;
    const before = cursor === undefined ? undefined : decodePosition(cursor);
    // One more than asked for tells whether there is a next page.
    const found = context.listSessions({
      status,
      label,
      parent,
      worktree: worktree && withoutLastSlash(worktree),
      attention,
      includeArchived,
      projectRoot: listedProject(context, projectRoot && withoutLastSlash(projectRoot)),
      limit: limit + 1,
      before,
    });
    const sessions = found.slice(0, limit).map((record) => {
      const isPlain = !isLive(record.status) && record.activity === null;
      return isPlain ? record : { ...record, activity: activities.shown(record) };
    });
    const last = sessions.at(-1);
    const hasMore = found.length > limit && last !== undefined;
    const nextCursor = hasMore ? encodePosition({ createdAt: last.created_at, id: last.id }) : null;
    return detail === "brief" ? { sessions: sessions.map(brief), nextCursor } : { sessions, nextCursor };
  },
});

const brief = ({ id, title, harness, status, labels, activity, last_activity_at }: SessionRecord) => ({
  id,
  title: shortened(title, briefTitleBytesMax),
  harness,
  status,
  ...(activity === null ? {} : { activity: activity.state }),
  ...(labels.length > 0 ? { labels } : {}),
  last_activity_at,
});

/** Records hold real paths, which never end in a slash. */
const withoutLastSlash = (path: string): string => path.replace(/(?<=.)\/+$/, "");

/** The published daemon's form: URL-safe base64 of JSON. */
const encodePosition = ({ createdAt, id }: ListPosition): string =>
  Buffer.from(JSON.stringify({ created_at: createdAt, id })).toString("base64url");

const position = z.object({ created_at: z.string(), id: z.string() });

function decodePosition(cursor: string): ListPosition {
  try {
    const { created_at, id } = position.parse(JSON.parse(Buffer.from(cursor, "base64url").toString("utf8")));
    return { createdAt: created_at, id };
  } catch (cause) {
    throw new Failure("invalid_request", `not a list cursor: ${cursor}`, {
      hint: "Pass nextCursor of the page before, or begin without a cursor.",
      details: { cursor, detail: "not a cursor that list has answered" },
      cause,
    });
  }
}

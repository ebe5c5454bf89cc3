import * as z from "zod";
import { Failure } from "../errors.ts";
import { sessionStatuses } from "../events.ts";
import type { ListPosition } from "../store/sessions.ts";
import { listedProject } from "./authority.ts";
import { capability } from "./capability.ts";
import { sessionId, sessionRecord } from "./records.ts";

/** Sessions on a page when the caller names no limit, and at most. */
const pageSize = 100;
export const pageSizeMax = 1000;

export const list = capability({
  name: "list",
  summary: "Lists sessions, newest first, in pages; archived ones only when asked for.",
  effect: "read",
  input: z.strictObject({
    status: z.enum(sessionStatuses).optional().describe("only sessions in this state"),
    projectRoot: z.string().min(1).optional().describe("only sessions of this project"),
    label: z.string().min(1).optional().describe("only sessions with this label"),
    parent: sessionId.optional().describe("only sessions that this one launched"),
    includeArchived: z.boolean().default(false).describe("archived sessions too"),
    limit: z.int().min(1).max(pageSizeMax).default(pageSize).describe("sessions in one answer"),
    cursor: z.string().optional().describe("nextCursor of the page before"),
  }),
  output: z.object({ sessions: z.array(sessionRecord), nextCursor: z.string().nullable() }),
  failures: [],
  right: "project",
  tool: {
    title: "List sessions",
    description: "Lists sessions, newest first, in pages; archived ones only when asked for.",
  },
  async run({ status, projectRoot, label, parent, includeArchived, limit, cursor }, context) {
    const before = cursor === undefined ? undefined : decodePosition(cursor);
    // One more than asked for tells whether there is a next page.
    const found = context.listSessions({
      status,
      projectRoot: listedProject(context, projectRoot && withoutLastSlash(projectRoot)),
      label,
      parent,
      includeArchived,
      limit: limit + 1,
      before,
    });
    const sessions = found.slice(0, limit);
    const last = sessions.at(-1);
    const hasMore = found.length > limit && last !== undefined;
    return {
      sessions,
      nextCursor: hasMore ? encodePosition({ createdAt: last.created_at, id: last.id }) : null,
    };
  },
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

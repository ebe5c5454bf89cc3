/**
 * Who launched whom. What a run launches is its session's child: in the same project, with at most its permission, and
 * within limits, so that sessions that launch sessions come to an end. The owner's launches have no parent.
 */
import { Failure } from "../errors.ts";
import { isLive } from "../events.ts";
import type { SessionRecord } from "../store/sessions.ts";
import type { Store } from "../store/store.ts";
import { type Permission, permissions } from "./harness/harness.ts";

export interface LaunchLimits {
  /** Sessions in a row from the owner to the last, launched by one another. */
  readonly depth: number;
  /** Live children of one session. */
  readonly children: number;
  /** Live sessions in all, where a session launches one more. */
  readonly live: number;
  /** Live sessions in all, where the owner does. */
  readonly ownersLive: number;
  /** Wakes in a row that are each asked for by what the one before has woken. */
  readonly wakeChain: number;
}

export type Parent = Pick<SessionRecord, "id" | "project_root" | "permission">;

/** What a launch asks for that a parent bounds. */
export interface Wanted {
  readonly projectRoot: string;
  readonly permission: Permission | undefined;
  readonly addDirs: readonly string[];
}

/** What an interactive harness may do that was left to its own default is asked of a person; a lane can ask nobody. */
const unstated: Permission = "workspace-write";

/** The permission of a child: what it asks for, or as much as is usual and its parent has. Throws `not_permitted`. */
export function childPermission(parent: Parent, { projectRoot, permission, addDirs }: Wanted): Permission {
  if (projectRoot !== parent.project_root) {
    throw refused(parent, `it may launch sessions in its own project only, not in ${projectRoot}`, {
      hint: `Pass projectRoot: ${parent.project_root}, with a cwd inside it if you like.`,
      details: { projectRoot },
    });
  }
  if (addDirs.length > 0) {
    throw refused(parent, "addDirs are the owner's alone", {
      hint: "Launch without addDirs, or ask the owner to launch it.",
      details: { addDirs },
    });
  }
  const own = permissions.find((each) => each === parent.permission) ?? unstated;
  const isMore = (one: Permission): boolean => permissions.indexOf(one) > permissions.indexOf(own);
  if (permission === undefined) return isMore(unstated) ? own : unstated;
  if (!isMore(permission)) return permission;
  throw refused(parent, `its own permission is ${own}, and that of its children at most the same`, {
    hint: `Pass permission: ${own} or less.`,
    details: { permission, atMost: own },
  });
}

/** Whether there is room for so many more; to be asked in the transaction that makes them. Throws `limit_exceeded`. */
export function requireRoom(
  { sessions }: Pick<Store, "sessions">,
  limits: LaunchLimits,
  parent: SessionRecord | undefined,
  count: number,
): void {
  const live = sessions.liveCount();
  if (parent === undefined) {
    if (live + count > limits.ownersLive)
      throw exceeded(
        "ownersLive",
        `${live} sessions are live, and at most ${limits.ownersLive} may be`,
        limits,
      );
    return;
  }
  if (!isLive(sessions.find(parent.id)?.status ?? "orphaned"))
    throw refused(parent, "it has ended", { hint: "Only a live session launches others." });
  if (parent.depth >= limits.depth) {
    const way = `session ${parent.id} is ${parent.depth} deep, and sessions launch each other at most ${limits.depth} deep`;
    throw exceeded("depth", way, limits);
  }
  const children = sessions.liveChildren(parent.id);
  if (children + count > limits.children) {
    const many = `session ${parent.id} has ${children} live children, and may have ${limits.children} at once`;
    throw exceeded("children", many, limits);
  }
  if (live + count > limits.live)
    throw exceeded(
      "live",
      `${live} sessions are live, and sessions launch no more at ${limits.live}`,
      limits,
    );
}

/** Whether one more session may be live for it; a wake that finds no room waits for it. */
export const hasRoomToWake = (
  { sessions }: Pick<Store, "sessions">,
  { live, ownersLive }: LaunchLimits,
  { from_session }: { readonly from_session: string | null },
): boolean => sessions.liveCount() < (from_session === null ? ownersLive : live);

/** Whether the session was launched by the other, or by one that it launched. */
export function isDescendant({ sessions }: Pick<Store, "sessions">, id: string, ancestor: string): boolean {
  // A parent is always less deep, so that the way ends.
  for (let parent = sessions.find(id)?.parent_id; parent; parent = sessions.find(parent)?.parent_id)
    if (parent === ancestor) return true;
  return false;
}

const refused = (
  { id }: Pick<SessionRecord, "id">,
  why: string,
  more: { hint: string; details?: Readonly<Record<string, unknown>> },
): Failure =>
  new Failure("not_permitted", `session ${id} may not launch this: ${why}`, {
    hint: more.hint,
    details: { sessionId: id, ...more.details },
  });

/** What makes room: time, an end, or the owner's setting. */
const remedies: Readonly<Record<Exclude<keyof LaunchLimits, "wakeChain">, string>> = {
  depth: "Do it yourself, or answer your parent what is to be launched.",
  children: "Wait for one of them to end (watch, count: any), or kill one, then launch again.",
  live: "Wait until some have ended, then launch again.",
  ownersLive: "Wait until some have ended, or kill some, then launch again.",
};

const exceeded = (limit: keyof typeof remedies, what: string, limits: LaunchLimits): Failure =>
  new Failure("limit_exceeded", `nothing was launched: ${what}`, {
    hint: `${remedies[limit]} The owner sets limits.${limit} in config.json.`,
    details: { limit: `limits.${limit}`, value: limits[limit] },
  });

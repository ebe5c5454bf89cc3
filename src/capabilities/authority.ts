/**
 * What a run may ask for, by the right that each action names. The owner may do anything. This guards against agents
 * that are confused, not against hostile ones: what runs as the owner's user can become the owner.
 */
import { Failure } from "../errors.ts";
import type { LiveSessions } from "../runtime/sessions.ts";
import type { Capability, Context, Identity } from "./capability.ts";

type Sessions = Pick<LiveSessions, "get" | "isDescendant" | "requireUnended">;

/** Throws `not_permitted`; `unauthenticated` for a run that has ended; `session_not_found` where there is nothing to be permitted on. */
export function authorize(
  { name, right }: Pick<Capability, "name" | "right">,
  input: Readonly<Record<string, unknown>>,
  identity: Identity,
  sessions: Sessions,
): void {
  if (identity.kind === "owner") return;
  // A connection may outlive the run that opened it.
  sessions.requireUnended(identity.run);
  const named = sessionsIn(input);
  switch (right) {
    // Of what a run launches it is the launch that knows the bounds.
    case "anyone":
    case "children":
      return;
    case "owner":
      throw new Failure(
        "not_permitted",
        `${name} is the owner's alone, and session ${identity.session} asked for it`,
        {
          hint: "Ask the person whose sessions these are.",
          details: { action: name, sessionId: identity.session },
        },
      );
    case "project":
      for (const session of named) requireSameProject(identity, session, sessions);
      return;
    case "descendants":
      for (const session of named) requireDescendant(identity, session, sessions, name);
      return;
  }
}

export function requireSameProject(identity: Identity, session: string, sessions: Sessions): void {
  const { project_root: root } = sessions.get(session);
  const own = projectOf(identity, sessions);
  if (own === undefined || own === root) return;
  throw new Failure("not_permitted", `session ${session} belongs to another project, ${root}`, {
    hint: `A session sees those of its own project: ${own}. List them with list.`,
    details: { sessionId: session, projectRoot: own },
  });
}

export function requireDescendant(
  identity: Identity,
  session: string,
  sessions: Sessions,
  what: string,
): void {
  sessions.get(session);
  if (identity.kind === "owner" || sessions.isDescendant(session, identity.session)) return;
  const isItself = session === identity.session;
  const whose = isItself ? "a session cannot do that to itself" : "it is none of those that it launched";
  throw new Failure(
    "not_permitted",
    `${what} of session ${session} is not for session ${identity.session}: ${whose}`,
    {
      hint: "A session may do this to those it launched, and to what these launched; others are their launcher's or the owner's.",
      details: { sessionId: session },
    },
  );
}

/** The project that the caller is kept to; undefined for the owner. */
export const projectOf = (identity: Identity, sessions: Sessions): string | undefined =>
  identity.kind === "owner" ? undefined : sessions.get(identity.session).project_root;

/** The project that a listing is of: the one asked for, and of a run always its own. Throws `not_permitted`. */
export function listedProject({ caller, sessions }: Context, asked: string | undefined): string | undefined {
  const own = projectOf(caller.identity, sessions);
  if (own === undefined || asked === undefined || asked === own) return own ?? asked;
  throw new Failure("not_permitted", `the sessions of ${asked} are not for a session of another project`, {
    hint: `Leave projectRoot out: what is listed is of ${own}.`,
    details: { projectRoot: own },
  });
}

/** Every action names its sessions so. */
function sessionsIn({ session, sessions }: Readonly<Record<string, unknown>>): string[] {
  const several: readonly unknown[] = Array.isArray(sessions) ? sessions : [];
  return [session, ...several].filter((each) => typeof each === "string");
}

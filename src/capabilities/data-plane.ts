/** What of the data plane (streams, raw output, terminals) is open to a caller: the same as the actions leave to it. */
import { Failure } from "../errors.ts";
import type { LogReader } from "../runtime/reading.ts";
import type { LiveSessions } from "../runtime/sessions.ts";
import type { Terminals } from "../runtime/terminal.ts";
import { requireDescendant, requireSameProject } from "./authority.ts";
import type { Identity } from "./capability.ts";

export interface Plane {
  readonly reader: LogReader;
  readonly sessions: LiveSessions;
  readonly terminals: Terminals;
}

export function dataPlaneFor(identity: Identity, { reader, sessions, terminals }: Plane) {
  const requireSession = (session: string): void => requireSameProject(identity, session, sessions);
  return {
    follow: (named: readonly string[] | undefined, afterSeq: number, signal: AbortSignal) => {
      if (named === undefined && identity.kind !== "owner") throw unnamed();
      for (const session of named ?? []) requireSession(session);
      return reader.follow(named, afterSeq, signal);
    },
    /** What happens from now on, of the sessions that the caller may see. */
    changes: async function* (signal: AbortSignal) {
      const isOpen = (session: string): boolean =>
        identity.kind === "owner" || isAllowed(() => requireSession(session));
      for await (const events of reader.follow(undefined, reader.lastSeq(), signal))
        yield* events.filter(({ session }) => isOpen(session));
    },
    lastSeq: () => reader.lastSeq(),
    eventsPage: (...[session, from]: Parameters<LogReader["pageJson"]>) => reader.pageJson(session, from),
    output: (session: string, afterSeq: number) => reader.output(session, afterSeq),
    requireSession,
    requireLive: (session: string) => {
      requireSession(session);
      sessions.requireLive(session);
    },
    attach: (...[session, wanted, told]: Parameters<Terminals["attach"]>) => {
      requireSession(session);
      if (wanted !== "view") requireDescendant(identity, session, sessions, "the keys");
      return terminals.attach(session, wanted, told);
    },
  };
}

function isAllowed(require: () => void): boolean {
  try {
    require();
    return true;
  } catch (error) {
    if (error instanceof Failure) return false;
    throw error;
  }
}

const unnamed = (): Failure =>
  new Failure("not_permitted", "the events of all sessions are the owner's alone", {
    hint: "Name the sessions to follow: those of your own project.",
  });

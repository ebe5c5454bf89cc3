/** What of the data plane (streams, raw output, terminals) is open to a caller: the same as the actions leave to it. */
import type { LogReader } from "../runtime/reading.ts";
import type { LiveSessions } from "../runtime/sessions.ts";
import type { Terminals } from "../runtime/terminal.ts";
import { projectOf, requireDescendant, requireSameProject } from "./authority.ts";
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
      for (const session of named ?? []) requireSession(session);
      const events = reader.follow(named, afterSeq, signal);
      return named === undefined && identity.kind !== "owner"
        ? ofProject(identity, sessions, events)
        : events;
    },
    changes: (afterSeq: number, signal: AbortSignal) => {
      const rows = reader.changes(afterSeq, signal);
      return identity.kind === "owner" ? rows : ofProject(identity, sessions, rows);
    },
    lastSeq: () => reader.lastSeq(),
    cursorAt: (seq: number) => reader.cursorAt(seq),
    seqOf: (cursor: string) => reader.seqOf(cursor),
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

/** Of all that happens what the caller may see. */
async function* ofProject<E extends { readonly session: string }>(
  identity: Identity,
  sessions: LiveSessions,
  pages: AsyncIterable<E[]>,
): AsyncGenerator<E[]> {
  const own = projectOf(identity, sessions);
  const isSeen = ({ session }: E): boolean => sessions.find(session)?.project_root === own;
  for await (const events of pages) {
    const seen = events.filter(isSeen);
    if (seen.length > 0) yield seen;
  }
}

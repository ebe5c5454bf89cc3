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
  const isOwner = identity.kind === "owner";
  /** What was opened may outlive the run that opened it. Throws `unauthenticated`. */
  const requireCaller = (): void => (isOwner ? undefined : sessions.requireUnended(identity.run));
  return {
    follow: (named: readonly string[] | undefined, afterSeq: number, signal: AbortSignal) => {
      for (const session of named ?? []) requireSession(session);
      const events = reader.follow(named, afterSeq, signal);
      if (isOwner) return events;
      return whileAsked(requireCaller, named === undefined ? ofProject(identity, sessions, events) : events);
    },
    changes: (afterSeq: number, signal: AbortSignal) => {
      const rows = reader.changes(afterSeq, signal);
      return isOwner ? rows : whileAsked(requireCaller, ofProject(identity, sessions, rows));
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
      const terminal = terminals.attach(session, wanted, told);
      if (isOwner) return terminal;
      return {
        output: (...from: Parameters<typeof terminal.output>) =>
          whileAsked(requireCaller, terminal.output(...from)),
        input: async (bytes: Buffer) => {
          requireCaller();
          await terminal.input(bytes);
        },
        resize: async (columns: number, rows: number) => {
          requireCaller();
          await terminal.resize(columns, rows);
        },
        detach: terminal.detach,
      };
    },
  };
}

/** Gives on what comes for as long as the caller may ask for it. */
async function* whileAsked<T>(requireCaller: () => void, given: AsyncIterable<T>): AsyncGenerator<T> {
  for await (const each of given) {
    requireCaller();
    yield each;
  }
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

/**
 * The data plane over HTTP: a session's raw output as bytes, and events as server-sent events, of one session
 * (`/sessions/:id/events`), of several (`/events?sessionId=…&sessionId=…`) or of all that there are and will be
 * (`/events`), for whoever accepts `text/event-stream`.
 *
 * Of each event `id` is its seq, `event` its kind, `data` its record. A stream begins after `Last-Event-ID`, else after
 * `cursor` or `afterSeq`, else with the first event; `afterSeq=latest` begins with what happens next. The place where it begins is
 * said at once, as an id without data, so that a reader can come back even before it has seen an event. It ends when
 * every session it names was sacrificed, or the daemon stops.
 *
 * With `brief=true` the stream of all has as `data` only the session and the kind: who wants to know what changes need
 * not read what was printed.
 *
 * A stream reads the log from its own cursor and writes only as fast as its reader takes it.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { Failure } from "../errors.ts";
import { pathId, query, queryAll, tokenOf, untilGone, wholeNumber } from "./request.ts";
import type { DataPlane, Services } from "./services.ts";

/** Between two signs of life on a quiet event stream, ms: below the idle limits of usual clients. */
const heartbeatMs = 15_000;

/** Most sessions named on one stream: as many as one watch takes. */
const sessionsMax = 256;

const eventStream = "text/event-stream";

export function addStreams(app: FastifyInstance, { identify, data: openTo }: Services): void {
  const stopping = new AbortController();
  const streams = new Set<Promise<void>>();
  // Readers are told the end of the stream, and not merely hung up on.
  app.addHook("preClose", async () => {
    stopping.abort();
    await Promise.all(streams);
  });

  app.get("/sessions/:id/output", async (request, reply) => {
    const id = pathId(request);
    const data = openTo(identify(tokenOf(request.headers)));
    data.requireSession(id);
    const afterSeq = wholeNumber(query(request), "afterSeq") ?? 0;
    return reply.type("application/octet-stream").send(Readable.from(data.output(id, afterSeq)));
  });

  const constraints = { accept: eventStream };
  app.get("/sessions/:id/events", { constraints }, (request, reply) =>
    stream(request, reply, [pathId(request)]),
  );
  app.get("/events", { constraints }, (request, reply) => stream(request, reply, namedSessions(request)));

  async function stream(
    request: FastifyRequest,
    reply: FastifyReply,
    sessions: readonly string[] | undefined,
  ): Promise<FastifyReply> {
    const data = openTo(identify(tokenOf(request.headers)));
    for (const session of sessions ?? []) data.requireSession(session);
    const afterSeq = startOf(request, data);
    const over = AbortSignal.any([untilGone(reply), stopping.signal]);
    const isBrief = sessions === undefined && query(request).get("brief") === "true";
    const pages = isBrief ? briefly(data.changes(afterSeq, over)) : data.follow(sessions, afterSeq, over);
    const sent = send(reply, over, afterSeq, pages);
    const settled = sent.finally(() => streams.delete(settled));
    streams.add(settled);
    await settled;
    return reply;
  }
}

/** Has a route of this constraint answer those who accept an event stream, and another of the same path all others. */
export const acceptConstraint = {
  name: "accept",
  storage: <H>() => {
    const handlers = new Map<unknown, H>();
    return {
      get: (accepted: unknown) => handlers.get(accepted) ?? null,
      set: (accepted: unknown, handler: H) => void handlers.set(accepted, handler),
    };
  },
  deriveConstraint: ({ headers }: IncomingMessage) =>
    headers.accept?.includes(eventStream) === true ? eventStream : "anything",
};

/** Undefined for all sessions. */
function namedSessions(request: FastifyRequest): readonly string[] | undefined {
  const sessions = [...new Set(queryAll(request, "sessionId"))];
  if (sessions.length === 0) return undefined;
  if (sessions.length <= sessionsMax) return sessions;
  throw new Failure(
    "invalid_request",
    `${sessions.length} sessions are named; a stream takes ${sessionsMax}`,
    {
      hint: "Name none to follow all, or open several streams.",
      details: { sessions: sessions.length, sessionsMax },
    },
  );
}

/** A reconnecting reader says where it was by the last id it saw. */
function startOf(request: FastifyRequest, data: DataPlane): number {
  const seen = request.headers["last-event-id"];
  if (typeof seen === "string")
    return Math.max(wholeNumber(new Map([["Last-Event-ID", seen]]), "Last-Event-ID") ?? 0, 0);
  const asked = query(request);
  const [cursor, afterSeq] = [asked.get("cursor"), asked.get("afterSeq")];
  if (cursor !== undefined && afterSeq !== undefined) {
    throw new Failure("invalid_request", "cursor and afterSeq exclude each other", {
      hint: "Either says where the stream begins.",
      details: { cursor, afterSeq },
    });
  }
  if (cursor !== undefined) return data.seqOf(cursor);
  return afterSeq === "latest" ? data.lastSeq() : Math.max(wholeNumber(asked, "afterSeq") ?? 0, 0);
}

async function* briefly(changes: ReturnType<DataPlane["changes"]>): ReturnType<DataPlane["follow"]> {
  for await (const rows of changes)
    yield rows.map(({ seq, session, kind }) => ({
      seq,
      session,
      kind,
      json: Buffer.from(JSON.stringify({ session_id: session, kind })),
    }));
}

const blankLine = Buffer.from("\n\n");

async function send(
  reply: FastifyReply,
  over: AbortSignal,
  afterSeq: number,
  pages: ReturnType<DataPlane["follow"]>,
): Promise<void> {
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, { "content-type": eventStream, "cache-control": "no-store" });
  raw.write(`id: ${afterSeq}\n\n`);
  const heartbeat = setInterval(() => {
    if (!raw.writableNeedDrain) raw.write(":\n\n");
  }, heartbeatMs);
  try {
    for await (const events of pages) {
      const pieces = events.flatMap(({ seq, kind, json }) => [
        Buffer.from(`id: ${seq}\nevent: ${kind}\ndata: `),
        json,
        blankLine,
      ]);
      if (!raw.write(Buffer.concat(pieces))) await drained(raw, over);
    }
  } finally {
    clearInterval(heartbeat);
    raw.end();
  }
}

/** Resolves when the reader has taken what was written, or the stream is over. */
function drained(raw: ServerResponse, over: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      raw.off("drain", done);
      over.removeEventListener("abort", done);
      resolve();
    };
    raw.on("drain", done);
    over.addEventListener("abort", done);
    if (over.aborted) done();
  });
}

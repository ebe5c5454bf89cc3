/**
 * The data plane over HTTP: a session's raw output as bytes, and its events as server-sent events.
 *
 * A stream reads the log from its own cursor and writes only as fast as its reader takes it.
 */
import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { pathId, query, untilGone, wholeNumber } from "./request.ts";
import { pageArguments } from "./routes.ts";
import type { Services } from "./services.ts";

/** Between two signs of life on a quiet event stream, ms: below the idle limits of usual clients. */
const heartbeatMs = 15_000;

export function addStreams(app: FastifyInstance, { invoke, caller, data }: Services): void {
  app.get("/sessions/:id/output", async (request, reply) => {
    const id = pathId(request);
    data.requireSession(id);
    const afterSeq = wholeNumber(query(request), "afterSeq") ?? 0;
    return reply.type("application/octet-stream").send(Readable.from(data.output(id, afterSeq)));
  });

  app.get("/sessions/:id/events", async (request, reply) => {
    const session = pathId(request);
    if (!wantsStream(request)) {
      const from = caller({ signal: untilGone(reply) });
      return (await invoke("events", { session, ...pageArguments(request) }, from)).output;
    }
    data.requireSession(session);
    const gone = untilGone(reply);
    await streamEvents(reply, gone, data.follow(session, startOf(request), gone));
    return reply;
  });
}

const wantsStream = (request: FastifyRequest): boolean =>
  request.headers.accept?.includes("text/event-stream") ?? false;

/** A reconnecting reader says where it was by the last id it saw. */
function startOf(request: FastifyRequest): number {
  const seen = request.headers["last-event-id"];
  const resumed =
    typeof seen === "string" ? wholeNumber(new Map([["Last-Event-ID", seen]]), "Last-Event-ID") : undefined;
  return resumed ?? wholeNumber(query(request), "afterSeq") ?? 0;
}

async function streamEvents(
  reply: FastifyReply,
  gone: AbortSignal,
  pages: ReturnType<Services["data"]["follow"]>,
): Promise<void> {
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  raw.flushHeaders();
  const heartbeat = setInterval(() => raw.write(":\n\n"), heartbeatMs);
  try {
    for await (const events of pages) {
      const text = events.map(
        (event) => `id: ${event.seq}\nevent: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`,
      );
      if (!raw.write(text.join(""))) await drained(raw, gone);
    }
  } finally {
    clearInterval(heartbeat);
    raw.end();
  }
}

/** Resolves when the reader has taken what was written, or is gone. */
function drained(raw: ServerResponse, gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      raw.off("drain", done);
      gone.removeEventListener("abort", done);
      resolve();
    };
    raw.on("drain", done);
    gone.addEventListener("abort", done);
    if (gone.aborted) done();
  });
}

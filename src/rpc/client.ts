/**
 * The client of the API: calls actions over the socket, follows events, attaches to terminals. It is `Invoke` on the
 * other side: the same names, inputs, outputs and failures as in the daemon.
 *
 * Before it asks for anything it knows by `health` that the contract is spoken there, and it asks that again when
 * another daemon may answer: when the socket is another file than before, or a connection failed.
 */
import { statSync } from "node:fs";
import { Agent, type IncomingMessage, type RequestOptions, request as httpRequest } from "node:http";
import type { WebSocket } from "ws";
import * as z from "zod";
import { eventRecord } from "../capabilities/records.ts";
import { Failure } from "../errors.ts";
import type { EventRecord } from "../events.ts";
import { failureOf, jsonOf, reachable, requireContract, unreachable } from "./answers.ts";
import { type Endpoint, endpointName } from "./endpoint.ts";
import type { WantedControl } from "./services.ts";

export type { WantedControl } from "./services.ts";

export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly intentId?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A place in an event stream, and the event that is there; the first has none. */
export interface Streamed {
  readonly seq: number;
  readonly event: EventRecord | undefined;
}

export interface StreamOptions {
  /** All, unless some are named. */
  readonly sessions?: readonly string[];
  /** Where it begins: with the first event, unless a place is named. */
  readonly from: { readonly afterSeq: number | "latest" } | { readonly cursor: string };
  readonly signal?: AbortSignal;
}

export type Client = ReturnType<typeof createClient>;

const api = "/api/v1";

/**
 * How long a daemon may take to answer what costs it nothing, ms: one that takes longer hangs. Only the login shell, which
 * is asked once, is waited for that long: three seconds.
 */
export const answerMsMax = 5000;
/** How long an event stream may be silent, ms: three of its signs of life, which come every 15 s. */
const silenceMsMax = 45_000;
const answerTime = (): AbortSignal => AbortSignal.timeout(answerMsMax);

export function createClient(endpoint: Endpoint, origin: string) {
  const target = targetOf(endpoint);

  /** Where the contract was last seen to be spoken, and the connections kept to it. */
  let agreedWith: string | undefined;
  let agent = new Agent({ keepAlive: true });

  /** Sends a request; answers the response once its head is there. Throws `runtime_unavailable` where nothing listens. */
  const transmit = (
    method: string,
    path: string,
    options: { body?: unknown; accept?: string; signal?: AbortSignal | undefined } = {},
  ) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const body = options.body === undefined ? undefined : JSON.stringify(options.body);
      const request = httpRequest({
        ...target,
        agent,
        method,
        path: `${api}${path}`,
        headers: {
          ...target.headers,
          ...(body === undefined
            ? {}
            : { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
          ...(options.accept === undefined ? {} : { accept: options.accept }),
        },
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      });
      request.once("response", resolve);
      request.once("error", (error) => {
        agreedWith = undefined;
        reject(unreachable(endpoint, error));
      });
      request.end(body);
    });

  const health = async (signal?: AbortSignal): Promise<unknown> => {
    const answer = await jsonOf(await transmit("GET", "/health", { signal }), endpoint);
    requireContract(answer, endpoint);
    return answer;
  };

  const agree = async (signal: AbortSignal | undefined): Promise<void> => {
    const place = placeOf(endpoint);
    if (agreedWith === place) return;
    // A kept connection leads to the daemon that was there before.
    agent = new Agent({ keepAlive: true });
    await health(signal ? AbortSignal.any([signal, answerTime()]) : answerTime());
    agreedWith = place;
  };

  const send: typeof transmit = async (method, path, options) => {
    await agree(options?.signal);
    return transmit(method, path, options);
  };

  /** An event stream, once its head is there; one whose daemon hangs is not waited for. */
  const openStream = async (path: string, signal: AbortSignal | undefined): Promise<IncomingMessage> => {
    const late = new AbortController();
    const timer = setTimeout(
      () => late.abort(new DOMException("no answer in time", "TimeoutError")),
      answerMsMax,
    );
    try {
      const given = signal ? AbortSignal.any([signal, late.signal]) : late.signal;
      const response = await send("GET", path, { accept: "text/event-stream", signal: given });
      if (response.statusCode === 200) return response;
      throw await failureOf(response, endpoint);
    } finally {
      clearTimeout(timer);
    }
  };

  /** The places of a stream, and the data of the events that are there, as they come. */
  async function* follow(path: string, signal: AbortSignal | undefined): AsyncGenerator<Place> {
    const response = await openStream(path, signal);
    const silence = (): NodeJS.Timeout =>
      setTimeout(
        () => void response.destroy(new Error(`nothing came for ${silenceMsMax / 1000} s`)),
        silenceMsMax,
      );
    let text = "";
    response.setEncoding("utf8");
    let timer = silence();
    try {
      for await (const chunk of reachable(response, endpoint)) {
        clearTimeout(timer);
        text += String(chunk);
        const blocks = text.split("\n\n");
        text = blocks.pop() ?? "";
        for (const block of blocks) {
          const place = placeIn(block);
          if (place !== undefined) yield place;
        }
        // Only what is waited for can be late: whoever takes the events may be slow.
        timer = silence();
      }
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    endpoint,

    /** Invokes an action and answers its output. Throws the daemon's failure. */
    async call(action: string, args: object, { signal, intentId, env }: CallOptions = {}): Promise<unknown> {
      const response = await send("POST", "/actions", {
        body: { action, args, origin, intentId, env },
        signal,
      });
      const body = accepted.safeParse(await jsonOf(response, endpoint));
      if (body.success) return body.data.event.payload;
      throw new Failure(
        "foreign_daemon",
        `what serves ${endpointName(endpoint)} does not answer ${action} as Coven does`,
        {
          hint: "It may be the published Coven daemon, or of another release: coven daemon status says which.",
        },
      );
    },

    /** The events of a session after a cursor, as they come. Ends when the daemon or the signal ends it. */
    async *events(session: string, afterSeq: number, signal?: AbortSignal): AsyncGenerator<EventRecord> {
      const path = `/sessions/${encodeURIComponent(session)}/events?afterSeq=${afterSeq}`;
      for await (const { data } of follow(path, signal))
        if (data !== undefined) yield eventRecord.parse(data);
    },

    /**
     * The events of the named sessions, or of all, as they come; first the place where the stream begins. Ends when the
     * daemon stops, none of the sessions is left, or the signal ends it.
     */
    async *stream({ sessions = [], from, signal }: StreamOptions): AsyncGenerator<Streamed> {
      const query = new URLSearchParams(sessions.map((session): [string, string] => ["sessionId", session]));
      for (const [name, place] of Object.entries(from)) query.set(name, String(place));
      for await (const { seq, data } of follow(`/events?${query.toString()}`, signal))
        yield { seq, event: data === undefined ? undefined : eventRecord.parse(data) };
    },

    /** Which sessions grow from now on, and by what kinds of events. Ends when the daemon or the signal ends it. */
    async *changes(signal: AbortSignal): AsyncGenerator<{ session: string; kind: string }> {
      for await (const { data } of follow("/events?afterSeq=latest&brief=true", signal)) {
        if (data === undefined) continue;
        const { session_id, kind } = changed.parse(data);
        yield { session: session_id, kind };
      }
    },

    /** The raw bytes a session has printed. */
    async *output(
      session: string,
      { afterSeq = 0, signal }: { readonly afterSeq?: number; readonly signal?: AbortSignal } = {},
    ): AsyncGenerator<Buffer> {
      const path = `/sessions/${encodeURIComponent(session)}/output?afterSeq=${afterSeq}`;
      const response = await send("GET", path, { signal });
      if (response.statusCode !== 200) throw await failureOf(response, endpoint);
      for await (const chunk of reachable(response, endpoint)) if (Buffer.isBuffer(chunk)) yield chunk;
    },

    /**
     * A terminal on a session; see `rpc/attach.ts` for its frames. Where it is refused, the socket's error is the
     * daemon's failure.
     */
    async attach(session: string, afterSeq: number, control: WantedControl = "control"): Promise<WebSocket> {
      // Only this needs the library; a verb that starts in a blink should not wait for it.
      const { WebSocket } = await import("ws");
      await agree(undefined);
      const path = `${api}/sessions/${encodeURIComponent(session)}/attach?afterSeq=${afterSeq}${
        control === "control" ? "" : `&${control}=true`
      }`;
      const url =
        endpoint.kind === "socket" ? `ws+unix:${endpoint.path}:${path}` : new URL(path, endpoint.url);
      const socket = new WebSocket(url, { headers: target.headers });
      // Whoever listens is told; for others the close that follows is enough.
      socket.on("error", () => undefined);
      socket.on("unexpected-response", (_, response) => {
        void failureOf(response, endpoint).then((failure) => {
          socket.emit("error", failure);
          socket.terminate();
        });
      });
      return socket;
    },

    /** Throws `unsupported_api_version` for a daemon that speaks another contract. */
    health,

    /** Lets go of the connections that are kept. */
    close: (): void => agent.destroy(),

    /** Stops the daemon. */
    async shutdown(keep: boolean): Promise<unknown> {
      const response = await transmit("POST", "/internal/lifecycle/shutdown", { body: { keep } });
      return jsonOf(response, endpoint);
    },
  };
}

interface Place {
  readonly seq: number;
  readonly data: unknown;
}

/** Undefined for a sign of life. */
function placeIn(block: string): Place | undefined {
  const fields = new Map(
    block.split("\n").map((line) => [line.split(":", 1)[0], line.replace(/^\w*: ?/, "")]),
  );
  const [id, data] = [fields.get("id"), fields.get("data")];
  if (id === undefined) return undefined;
  return { seq: Number(id), data: data === undefined ? undefined : JSON.parse(data) };
}

const changed = eventRecord.pick({ session_id: true, kind: true });

const accepted = z.object({ ok: z.literal(true), event: z.object({ payload: z.unknown() }) });

function targetOf(endpoint: Endpoint): Omit<RequestOptions, "headers"> & { headers: Record<string, string> } {
  const { token } = endpoint;
  const authorization: Record<string, string> =
    token === undefined ? {} : { authorization: `Bearer ${token}` };
  if (endpoint.kind === "socket")
    return { socketPath: endpoint.path, headers: { host: "coven", ...authorization } };
  const { hostname, port } = endpoint.url;
  // A URL writes [::1] for the address ::1.
  return { hostname: hostname.replace(/^\[(.*)\]$/, "$1"), port, headers: authorization };
}

/** Says which daemon is there: a new one makes a new socket. */
function placeOf(endpoint: Endpoint): string {
  if (endpoint.kind === "url") return endpoint.url.href;
  const found = statSync(endpoint.path, { throwIfNoEntry: false });
  return found === undefined ? "" : `${found.ino} ${found.ctimeMs}`;
}

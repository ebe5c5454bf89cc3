/**
 * Sessions as resources: `coven://sessions`, of each its record, its log as text and its screen. Whatever is essential
 * is in the tools; this is for clients that show or follow resources.
 *
 * The log is followed only for a client that has listed or subscribed; it is then told which URIs have changed, each
 * at most a few times a second.
 */
/* eslint-disable @typescript-eslint/no-deprecated -- see server.ts */
import type { Server } from "@modelcontextprotocol/sdk/server/index.js";
import * as z from "zod";
import { Failure } from "../errors.ts";
import { invalidParams, protocolError } from "./protocol-error.ts";
import { createThrottle } from "./throttle.ts";
import type { McpOptions } from "./server.ts";

/** Between two updates of one URI, ms. */
const updateMs = 300;
/** Most URIs one client subscribes to: far more than sessions that live at once. */
const subscriptionsMax = 1000;
/** Sessions on a page of the list, and in the resource that lists them. */
const pageSize = 100;
/** Of a session's log, bytes: clients show about 50,000 characters of one answer. */
const logBytesMax = 40_000;

const root = "coven://sessions";

type View = "record" | "log" | "screen";

const views: Readonly<Record<View, { suffix: string; name: string; description: string; mimeType: string }>> =
  {
    record: {
      suffix: "",
      name: "session",
      description: "The record of a session.",
      mimeType: "application/json",
    },
    log: {
      suffix: "/log",
      name: "session log",
      description: "The end of what a session said and printed, as clean text.",
      mimeType: "text/plain",
    },
    screen: {
      suffix: "/screen",
      name: "session screen",
      description: "The terminal of a session as a person sees it.",
      mimeType: "text/plain",
    },
  };

const viewNames = ["record", "log", "screen"] as const;

const uriOf = (session: string, view: View): string =>
  `${root}/${encodeURIComponent(session)}${views[view].suffix}`;

/** Undefined for the list of all. Throws for what is no URI of ours. */
function parseUri(uri: string): { session: string; view: View } | undefined {
  if (uri === root) return undefined;
  const [, id, suffix = ""] = /^coven:\/\/sessions\/([^/?#]+)(\/[a-z]+)?$/.exec(uri) ?? [];
  const view = viewNames.find((name) => views[name].suffix === suffix);
  const session = id === undefined ? undefined : decoded(id);
  if (session === undefined || view === undefined) throw unknownUri(uri);
  return { session, view };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined; // half an escape: no URI of ours
  }
}

const unknownUri = (uri: string): Error =>
  protocolError(-32002, `unknown resource ${uri}; there are ${root} and ${root}/{id}, …/log and …/screen`, {
    uri,
  });

const page = z.object({
  sessions: z.array(z.looseObject({ id: z.string(), title: z.string() })),
  nextCursor: z.string().nullable(),
});
const text = z.looseObject({ text: z.string() });

const listed = z.looseObject({
  method: z.literal("resources/list"),
  params: z.looseObject({ cursor: z.string().optional() }).optional(),
});
const templates = z.looseObject({ method: z.literal("resources/templates/list") });
const named = z.looseObject({ uri: z.string() });
const read = z.looseObject({ method: z.literal("resources/read"), params: z.unknown().optional() });
const subscribe = z.looseObject({ method: z.literal("resources/subscribe"), params: z.unknown().optional() });
const unsubscribe = z.looseObject({
  method: z.literal("resources/unsubscribe"),
  params: z.unknown().optional(),
});

function uriIn(params: unknown): string {
  const parsed = named.safeParse(params);
  if (parsed.success) return parsed.data.uri;
  throw invalidParams("uri is missing");
}

/** A resource that an action refuses: missing, or not to be had now. */
function refused(error: unknown, uri: string): unknown {
  if (!(error instanceof Failure)) return error;
  const { code, message, hint } = error;
  const number = code === "session_not_found" ? -32002 : code === "invalid_request" ? -32602 : -32603;
  return protocolError(number, message, { uri, code, hint });
}

export interface Resources {
  /** What this client itself has done to a session; the rituals leave no event in the log. */
  readonly touched: (input: unknown) => void;
}

const touchedInput = z.object({ session: z.string() });

export function addResources(server: Server, { invoke, changes, isServing }: McpOptions): Resources {
  const subscribed = new Set<string>();
  const closed = new AbortController();
  let isListed = false;
  let isFollowing = false;

  const tell = createThrottle(updateMs, (uri) => {
    // It may have unsubscribed since.
    if (uri !== listChanged && !subscribed.has(uri)) return;
    const sent = uri === listChanged ? server.sendResourceListChanged() : server.sendResourceUpdated({ uri });
    // The client may be gone.
    sent.catch(() => undefined);
  });
  const changed = (session: string, kind: string): void => {
    const isOutput = kind === "output";
    const uris = isOutput
      ? [uriOf(session, "log"), uriOf(session, "screen")]
      : [root, ...viewNames.map((view) => uriOf(session, view))];
    for (const uri of uris) if (subscribed.has(uri)) tell.soon(uri);
    if (isListed && kind === "status") tell.soon(listChanged);
  };
  const follow = (): void => {
    if (isFollowing) return;
    isFollowing = true;
    const reading = async (): Promise<void> => {
      for await (const { session, kind } of changes(closed.signal)) changed(session, kind);
    };
    reading()
      .catch((error: unknown) => server.onerror?.(error instanceof Error ? error : new Error(String(error))))
      .finally(() => (isFollowing = false));
  };
  // The transport has one place for this, and the connection's own server may have used it.
  const before = server.onclose;
  server.onclose = () => {
    closed.abort();
    tell.stop();
    before?.();
  };

  const sessionsPage = async (cursor: string | undefined, signal: AbortSignal) =>
    page.parse(
      await invoke(
        "list",
        { limit: pageSize, detail: "brief", ...(cursor === undefined ? {} : { cursor }) },
        { signal, intentId: undefined },
      ),
    );

  const contentOf = async (uri: string, signal: AbortSignal): Promise<{ mimeType: string; text: string }> => {
    const place = parseUri(uri);
    if (place === undefined)
      return { mimeType: "application/json", text: JSON.stringify(await sessionsPage(undefined, signal)) };
    const { session, view } = place;
    const { mimeType } = views[view];
    const asked = (action: string, more: object = {}): Promise<unknown> =>
      invoke(action, { session, ...more }, { signal, intentId: undefined });
    if (view === "record") return { mimeType, text: JSON.stringify(await asked("record")) };
    const said =
      view === "log" ? await asked("tail", { lines: 10_000, maxBytes: logBytesMax }) : await asked("screen");
    return { mimeType, text: text.parse(said).text };
  };

  server.setRequestHandler(listed, async ({ params }, { signal }) => {
    const all = { uri: root, name: "sessions", title: "Sessions", mimeType: "application/json" };
    const cursor = params?.cursor;
    if (isServing !== undefined && !(await isServing())) return { resources: [all] };
    isListed = true;
    follow();
    try {
      const { sessions, nextCursor } = await sessionsPage(cursor, signal);
      const found = sessions.map(({ id, title }) => ({
        uri: uriOf(id, "record"),
        name: id,
        title,
        mimeType: views.record.mimeType,
      }));
      return {
        resources: cursor === undefined ? [all, ...found] : found,
        ...(nextCursor === null ? {} : { nextCursor }),
      };
    } catch (error) {
      throw refused(error, root);
    }
  });

  server.setRequestHandler(templates, async () => ({
    resourceTemplates: viewNames.map((view) => {
      const { suffix, ...said } = views[view];
      return { uriTemplate: `${root}/{id}${suffix}`, ...said };
    }),
  }));

  server.setRequestHandler(read, async ({ params }, { signal }) => {
    const uri = uriIn(params);
    try {
      return { contents: [{ uri, ...(await contentOf(uri, signal)) }] };
    } catch (error) {
      throw refused(error, uri);
    }
  });

  server.setRequestHandler(subscribe, async ({ params }, { signal }) => {
    const uri = uriIn(params);
    const place = parseUri(uri);
    if (subscribed.size >= subscriptionsMax && !subscribed.has(uri))
      throw invalidParams(`more than ${subscriptionsMax} subscriptions; unsubscribe from some`, { uri });
    try {
      if (place !== undefined)
        await invoke("record", { session: place.session }, { signal, intentId: undefined });
    } catch (error) {
      throw refused(error, uri);
    }
    subscribed.add(uri);
    follow();
    return {};
  });

  server.setRequestHandler(unsubscribe, async ({ params }) => {
    const uri = uriIn(params);
    parseUri(uri);
    subscribed.delete(uri);
    return {};
  });

  return {
    touched: (input) => {
      const touched = touchedInput.safeParse(input);
      if (touched.success) changed(touched.data.session, "status");
    },
  };
}

/** No URI, so that it can stand among them. */
const listChanged = "the list";

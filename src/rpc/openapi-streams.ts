/** The routes that are in no table, since what they carry is no answer of an action, as the OpenAPI document says them. */
import { capabilities } from "../capabilities/registry.ts";
import { type FailureCode, failures } from "../errors.ts";
import { answer, pathParameters, ref, refusals, refusalsOfWrites } from "./openapi-schemas.ts";

export interface OtherRoute extends Readonly<Record<string, unknown>> {
  readonly method: "get" | "post";
  readonly path: string;
}

const eventStream = "text/event-stream";
const from = { in: "query", required: false };
const streamParameters = [
  {
    ...from,
    name: "afterSeq",
    description: "Only what comes after this seq; latest: from now on.",
    schema: { type: "string" },
  },
  {
    ...from,
    name: "cursor",
    description: "The same by a cursor as run, watch or status answers it.",
    schema: { type: "string" },
  },
  {
    in: "header",
    required: false,
    name: "Last-Event-ID",
    description: "The last id that was seen; it wins over the others.",
    schema: { type: "string" },
  },
];
const session = pathParameters("/:id");
const events = {
  description:
    "Server-sent events: id is the seq, event the kind, data the record. A comment is a sign of life.",
  content: { [eventStream]: { schema: { type: "string" } } },
};

export const otherRoutes: readonly OtherRoute[] = [
  {
    method: "get",
    path: "/events",
    description:
      "With Accept: text/event-stream the events of all sessions, or of those named, as they come.",
    parameters: [
      ...streamParameters,
      {
        ...from,
        name: "brief",
        description: "Of all sessions: only which has grown and by what kind of event.",
        schema: { type: "boolean" },
      },
    ],
    responses: { 200: events },
  },
  {
    method: "get",
    path: "/sessions/{id}/events",
    description: "With Accept: text/event-stream the events as they come.",
    parameters: streamParameters,
    responses: { 200: events },
  },
  {
    method: "get",
    path: "/sessions/{id}/output",
    operationId: "get_sessions_id_output",
    summary: "Everything a session has printed, as it was printed.",
    parameters: [...session, { ...from, name: "afterSeq", schema: { type: "integer", minimum: 0 } }],
    responses: {
      200: { description: "The bytes.", content: { "application/octet-stream": {} } },
      ...refusals(["session_not_found"]),
    },
  },
  {
    method: "get",
    path: "/sessions/{id}/attach",
    operationId: "get_sessions_id_attach",
    summary:
      "A terminal on a session, as a WebSocket: binary frames are output and keys, text frames are JSON.",
    parameters: [
      ...session,
      { ...from, name: "afterSeq", schema: { type: "integer", minimum: 0 } },
      {
        ...from,
        name: "take",
        description: "Take the keys, also from another terminal.",
        schema: { type: "boolean" },
      },
      { ...from, name: "view", description: "Never take the keys.", schema: { type: "boolean" } },
    ],
    responses: { 101: { description: "The protocol is switched." }, ...refusals(["session_not_found"]) },
  },
  {
    method: "post",
    path: "/actions",
    operationId: "post_actions",
    summary: "Any action by its name.",
    requestBody: { required: true, content: { "application/json": { schema: ref("Action") } } },
    responses: {
      200: answer(ref("ActionDone")),
      ...refusals(Object.keys(failures).filter(isRaised), ref("ActionRejected")),
    },
  },
  {
    method: "post",
    path: "/internal/lifecycle/shutdown",
    operationId: "post_internal_lifecycle_shutdown",
    summary: "Ends the live sessions, or keeps them with their host, and then the daemon.",
    requestBody: {
      required: false,
      content: {
        "application/json": { schema: { type: "object", properties: { keep: { type: "boolean" } } } },
      },
    },
    responses: { 202: answer({ type: "object" }), ...refusals([]) },
  },
  {
    method: "post",
    path: "/rpc",
    operationId: "post_rpc",
    summary: "Any action over JSON-RPC 2.0, a single request or a batch; /openrpc.json says what there is.",
    description: "An upgrade of this path is the same as a WebSocket, with subscriptions.",
    requestBody: { required: true, content: { "application/json": { schema: {} } } },
    responses: {
      200: answer({}),
      204: { description: "Nothing is to be answered." },
      ...refusals(["payload_too_large"], { type: "object" }),
    },
  },
  {
    method: "get",
    path: "/openrpc.json",
    operationId: "get_openrpc_json",
    summary: "The OpenRPC document of /rpc.",
    responses: { 200: answer({ type: "object" }) },
  },
  {
    method: "get",
    path: "/openapi.json",
    operationId: "get_openapi_json",
    summary: "This document.",
    responses: { 200: answer({ type: "object" }) },
  },
];

function isRaised(code: string): code is FailureCode {
  const raised: readonly string[] = [
    "unknown_action",
    "payload_too_large",
    ...refusalsOfWrites,
    ...[...capabilities.values()].flatMap(({ failures: codes }) => codes),
  ];
  return raised.includes(code);
}

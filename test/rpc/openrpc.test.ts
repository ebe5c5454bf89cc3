import { Ajv, type AnySchemaObject } from "ajv";
import { createRequire } from "node:module";
import { expect, test } from "vitest";
import { z } from "zod";
import { capabilities } from "../../src/capabilities/registry.ts";
import { openRpcDocument } from "../../src/rpc/openrpc.ts";
import { startDaemon } from "../support/daemon.ts";
import { openRpc, post } from "../support/json-rpc.ts";
import { launch } from "../support/launch.ts";
import { send } from "../support/socket.ts";

const shape = z.looseObject({
  methods: z.array(
    z.looseObject({
      name: z.string(),
      params: z.array(z.looseObject({ name: z.string(), required: z.boolean() })),
      result: z.looseObject({ schema: z.record(z.string(), z.json()) }),
      errors: z.array(z.object({ code: z.int(), message: z.string(), data: z.unknown() })).optional(),
    }),
  ),
});
const document = shape.parse(openRpcDocument());
const methodNamed = (name: string) => document.methods.find((method) => method.name === name);

const schemaObject = z.record(z.string(), z.unknown());
const load = createRequire(import.meta.url);
const draft7: AnySchemaObject = schemaObject.parse(load("ajv/dist/refs/json-schema-draft-07.json"));
// Its types are of its documents, and do not know the schema that it is.
const { openrpcDocument } = z.object({ openrpcDocument: schemaObject }).parse(load("@open-rpc/meta-schema"));

/** What is wrong with a document, by OpenRPC's own schema. */
function problemsOf(checked: unknown): unknown {
  const ajv = new Ajv({ strict: false, validateSchema: false, validateFormats: false });
  // Where OpenRPC looks for what a JSON schema is: draft 7, and the one part of it that it asks for by name.
  const jsonSchema = "https://meta.json-schema.tools";
  ajv.addSchema({ ...draft7, $id: jsonSchema });
  ajv.addSchema({
    $id: `${jsonSchema}/`,
    definitions: { JSONSchemaObject: { properties: { $ref: { type: "string" } } } },
  });
  const validate = ajv.compile(openrpcDocument);
  return validate(checked) ? undefined : validate.errors;
}

test("the document is one of OpenRPC by its own meta-schema, which refuses others", () => {
  expect(problemsOf(openRpcDocument())).toBeUndefined();
  expect(problemsOf({ ...openRpcDocument(), methods: [{ name: "run" }] })).toBeDefined();
  const wrongSchema = { name: "x", params: [{ name: "y", schema: { type: "nothing" } }] };
  expect(problemsOf({ ...openRpcDocument(), methods: [wrongSchema] })).toBeDefined();
});

test("the document has every action and every method of a connection, once, with what each takes", () => {
  const names = document.methods.map(({ name }) => name);
  expect(names).toEqual([
    ...capabilities.keys(),
    "subscribe",
    "unsubscribe",
    "cancel",
    "$/cancelRequest",
    "rpc.discover",
  ]);
  for (const { name, input, effect } of capabilities.values()) {
    const beside = effect === "read" ? [] : ["intentId", "env"];
    expect(
      methodNamed(name)?.params.map((param) => param.name),
      name,
    ).toEqual([...Object.keys(input.shape), ...beside]);
  }
  expect(methodNamed("wake")?.params).toContainEqual(
    expect.objectContaining({
      name: "message",
      required: true,
      schema: expect.objectContaining({ type: "string" }),
    }),
  );
  // What has a default need not be said.
  expect(methodNamed("watch")?.params).toContainEqual(
    expect.objectContaining({ name: "until", required: false }),
  );
  expect(document["x-notifications"]).toMatchObject([{ name: "event" }, { name: "subscription_ended" }]);
});

test("each number of an error is said once, with the failures it stands for", () => {
  for (const { name, errors = [] } of document.methods) {
    const codes = errors.map(({ code }) => code);
    expect(new Set(codes).size, name).toBe(codes.length);
  }
  expect(methodNamed("kill")?.errors).toContainEqual({
    code: 409,
    message: expect.stringContaining("session_not_live"),
    data: { codes: expect.arrayContaining(["session_not_live", "intent_conflict"]) },
  });
});

test("the document is answered by rpc.discover over both transports, and served under both paths", async () => {
  const daemon = await startDaemon();
  const expected: unknown = JSON.parse(JSON.stringify(openRpcDocument()));
  const rpc = await openRpc(daemon.socket);
  expect((await rpc.ask("rpc.discover")).result).toEqual(expected);
  expect((await post(daemon.socket, "rpc.discover", [])).result).toEqual(expected);
  for (const path of ["/openrpc.json", "/api/v1/openrpc.json"])
    expect(await send(daemon.socket, "GET", path)).toMatchObject({ status: 200, body: expected });
});

test("what the daemon answers is what the document says", async () => {
  const daemon = await startDaemon();
  const { id } = await launch(daemon, "echo hello");
  const rpc = await openRpc(daemon.socket);
  const asked: readonly [string, object][] = [
    ["watch", { sessions: [id] }],
    ["status", { session: id }],
    ["record", { session: id }],
    ["events", { session: id }],
    ["tail", { session: id }],
    ["list", {}],
    ["health", {}],
    ["capabilities", {}],
    ["subscribe", {}],
    ["unsubscribe", { subscription: "events-1" }],
    ["cancel", { id: "none" }],
    ["archive", { session: id }],
    ["sacrifice", { session: id, confirm: true }],
  ];
  for (const [method, params] of asked) {
    const { result, error } = await rpc.ask(method, params);
    expect(error, method).toBeUndefined();
    const schema = z.fromJSONSchema(methodNamed(method)?.result.schema ?? {}, { defaultTarget: "draft-7" });
    expect(schema.safeParse(result).error, method).toBeUndefined();
  }
});

/** The examples of the specification of JSON-RPC 2.0, section 7, and what else it demands, over both transports. */
import { expect, test } from "vitest";
import { z } from "zod";
import { Failure } from "../../src/errors.ts";
import { type Say, byPost, bySocket, openRpc } from "../support/json-rpc.ts";
import { read, serveMethods } from "../support/json-rpc-server.ts";

const numbers = z.array(z.number());
const difference = z.union([
  z.tuple([z.number(), z.number()]),
  z
    .object({ minuend: z.number(), subtrahend: z.number() })
    .transform(({ minuend, subtrahend }): [number, number] => [minuend, subtrahend]),
]);
const sum = (params: unknown): number => numbers.parse(params).reduce((total, each) => total + each, 0);

const methods = {
  subtract: read((params) => {
    const [minuend, subtrahend] = difference.parse(params);
    return minuend - subtrahend;
  }),
  sum: read(sum),
  get_data: read(() => ["hello", 5]),
  update: read(sum),
  notify_hello: read(sum),
  notify_sum: read(sum),
  nothing: read(() => undefined),
  breaks: read(() => {
    throw new Error("a secret of the inside");
  }),
  fails: read(() => {
    throw new Failure("session_live", "it is live", { hint: "Kill it.", details: { sessionId: "s" } });
  }),
  marker: read(() => "marker"),
};

const failure = (id: unknown, code: number, message: string): object => ({
  jsonrpc: "2.0",
  id,
  error: { code, message, data: expect.objectContaining({ code: expect.any(String) }) },
});
const result = (id: unknown, value: unknown): object => ({ jsonrpc: "2.0", id, result: value });
const parseError = failure(null, -32700, "Parse error");
const invalid = (id: unknown = null): object => failure(id, -32600, "Invalid Request");
const notFound = (id: unknown): object => failure(id, -32601, "Method not found");

/** What is said, and what is answered: undefined for nothing. */
const examples: readonly (readonly [string, string, unknown])[] = [
  ["positions", '{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}', result(1, 19)],
  [
    "positions, the other way round",
    '{"jsonrpc": "2.0", "method": "subtract", "params": [23, 42], "id": 2}',
    result(2, -19),
  ],
  [
    "names",
    '{"jsonrpc": "2.0", "method": "subtract", "params": {"subtrahend": 23, "minuend": 42}, "id": 3}',
    result(3, 19),
  ],
  [
    "names, the other way round",
    '{"jsonrpc": "2.0", "method": "subtract", "params": {"minuend": 42, "subtrahend": 23}, "id": 4}',
    result(4, 19),
  ],
  ["a notification", '{"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}', undefined],
  ["a notification of what is not there", '{"jsonrpc": "2.0", "method": "foobar"}', undefined],
  ["an unknown method", '{"jsonrpc": "2.0", "method": "foobar", "id": "1"}', notFound("1")],
  ["no JSON", '{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]', parseError],
  ["an invalid request", '{"jsonrpc": "2.0", "method": 1, "params": "bar"}', invalid()],
  [
    "a batch that is no JSON",
    '[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},{"jsonrpc": "2.0", "method"]',
    parseError,
  ],
  ["an empty batch", "[]", invalid()],
  ["a batch of nothing valid", "[1]", [invalid()]],
  ["a batch of several invalid", "[1,2,3]", [invalid(), invalid(), invalid()]],
  [
    "a mixed batch",
    `[
      {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},
      {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},
      {"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"},
      {"foo": "boo"},
      {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
      {"jsonrpc": "2.0", "method": "get_data", "id": "9"}
    ]`,
    [result("1", 7), result("2", 19), invalid(), notFound("5"), result("9", ["hello", 5])],
  ],
  [
    "a batch of notifications",
    '[{"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]},{"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}]',
    undefined,
  ],
];

const request = (members: string): string => `{"jsonrpc": "2.0", ${members}}`;

/** What implementations get wrong. */
const more: readonly (readonly [string, string, unknown])[] = [
  ["null", "null", invalid()],
  ["a text", '"ping"', invalid()],
  ["a number", "1", invalid()],
  ["an object of nothing", "{}", invalid()],
  ["nothing but an id", request('"id": 7'), invalid(7)],
  ["a response", request('"id": 1, "result": 19'), invalid(1)],
  ["another version", '{"jsonrpc": "1.0", "method": "marker", "id": 1}', invalid(1)],
  ["a version that is a number", '{"jsonrpc": 2.0, "method": "marker", "id": 1}', invalid(1)],
  ["no version", '{"method": "marker", "id": "x"}', invalid("x")],
  ["no version and no id", '{"method": "marker"}', invalid()],
  ["params that are a text", request('"method": "marker", "params": "bar", "id": 1'), invalid(1)],
  ["params that are null", request('"method": "marker", "params": null, "id": 1'), invalid(1)],
  ["params that are a number, and no id", request('"method": "marker", "params": 1'), invalid()],
  ["an id that is an object", request('"method": "marker", "id": {}'), invalid()],
  ["an id that is a list", request('"method": "marker", "id": [1]'), invalid()],
  ["an id that is true", request('"method": "marker", "id": true'), invalid()],
  ["an id that is no exact number", request('"method": "marker", "id": 12345678901234567890'), invalid()],
  ["an id beyond all numbers", request('"method": "marker", "id": 1e999'), invalid()],
  ["an id that is null", request('"method": "get_data", "id": null'), result(null, ["hello", 5])],
  ["an id that is a fraction", request('"method": "get_data", "id": 1.5'), result(1.5, ["hello", 5])],
  ["an id that is zero", request('"method": "get_data", "id": 0'), result(0, ["hello", 5])],
  ["an id that is empty", request('"method": "get_data", "id": ""'), result("", ["hello", 5])],
  ["members that nobody knows", request('"method": "get_data", "id": 1, "x": 2'), result(1, ["hello", 5])],
  ["a result that is nothing", request('"method": "nothing", "id": 1'), result(1, null)],
  ["a batch of one", `[${request('"method": "get_data", "id": 1')}]`, [result(1, ["hello", 5])]],
  ["a batch in a batch", `[[${request('"method": "get_data", "id": 1')}]]`, [invalid()]],
  ["a batch of null", "[null]", [invalid()]],
  [
    "a batch of a notification and one invalid",
    `[${request('"method": "notify_sum", "params": [1]')}, {"foo": "boo"}]`,
    [invalid()],
  ],
  ["a notification that fails", request('"method": "fails"'), undefined],
  ["a notification that breaks", request('"method": "breaks"'), undefined],
  ["lists, one in another, without end", "[".repeat(200_000), parseError],
  ["lists, one in another", `${"[".repeat(50_000)}${"]".repeat(50_000)}`, [invalid()]],
  [
    "a failure",
    request('"method": "fails", "id": 1'),
    {
      jsonrpc: "2.0",
      id: 1,
      error: {
        code: 409,
        message: "it is live",
        data: { code: "session_live", hint: "Kill it.", details: { sessionId: "s" } },
      },
    },
  ],
  ...["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf", ""].map(
    (name) => [`the method ${name}`, request(`"method": "${name}", "id": 1`), notFound(1)] as const,
  ),
];

async function transports(): Promise<readonly (readonly [string, Say])[]> {
  const path = await serveMethods(methods);
  return [
    ["POST", byPost(path)],
    ["WebSocket", bySocket(await openRpc(path), "marker")],
  ];
}

test("the specification's own examples are answered as it says", async () => {
  for (const [transport, say] of await transports())
    for (const [what, said, answer] of examples)
      expect(await say(said), `${transport}: ${what}`).toEqual(answer);
});

test("so is what its words demand beyond them", async () => {
  for (const [transport, say] of await transports())
    for (const [what, said, answer] of more) expect(await say(said), `${transport}: ${what}`).toEqual(answer);
});

test("what is wrong and what to do is in the error's data", async () => {
  for (const [transport, say] of await transports()) {
    expect(await say("{"), transport).toMatchObject({
      error: { data: { code: "invalid_request", message: expect.stringContaining("not JSON") } },
    });
    expect(await say('{"method": "marker", "params": 1, "id": {}}'), transport).toMatchObject({
      error: { data: { message: expect.stringMatching(/jsonrpc.*params.*id/), hint: expect.any(String) } },
    });
    expect(await say(request('"method": "markr", "id": 1')), transport).toMatchObject({
      error: {
        data: {
          code: "unknown_action",
          message: expect.stringContaining("markr"),
          hint: expect.stringContaining("marker"),
          details: { method: "markr", methods: Object.keys(methods) },
        },
      },
    });
  }
});

test("what goes wrong inside is told by a reference, and by nothing else", async () => {
  for (const [transport, say] of await transports()) {
    const answer = await say(request('"method": "breaks", "id": 1'));
    expect(answer, transport).toMatchObject({
      error: {
        code: -32603,
        message: expect.stringMatching(/reference [0-9a-f]{12}/),
        data: { code: "internal_error", details: { reference: expect.any(String) } },
      },
    });
    expect(JSON.stringify(answer), transport).not.toContain("secret");
  }
});

test("a batch has a limit, above which none of it is done", async () => {
  const done: unknown[] = [];
  const path = await serveMethods({ note: read((params) => void done.push(params)), ...methods });
  const batchOf = (count: number): string =>
    JSON.stringify(Array.from({ length: count }, (_, id) => ({ jsonrpc: "2.0", method: "note", id })));
  for (const say of [byPost(path), bySocket(await openRpc(path), "marker")]) {
    expect(await say(batchOf(65))).toMatchObject({
      id: null,
      error: { code: -32600, data: { details: { requests: 65, requestsMax: 64 } } },
    });
    expect(done).toEqual([]);
    expect(await say(batchOf(64))).toHaveLength(64);
    expect(done.splice(0)).toHaveLength(64);
  }
});

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { capabilities } from "../../src/capabilities/registry.ts";
import { listen } from "../../src/rpc/listener.ts";
import { startDaemon } from "../support/daemon.ts";
import { launch } from "../support/launch.ts";
import { stubServices } from "../support/services.ts";
import { send } from "../support/socket.ts";

const operation = z.looseObject({
  operationId: z.string(),
  summary: z.string(),
  parameters: z.array(z.looseObject({ name: z.string(), in: z.string() })).default([]),
  responses: z.record(
    z.string(),
    z.looseObject({
      content: z.record(z.string(), z.looseObject({ schema: z.unknown().optional() })).optional(),
    }),
  ),
});
const openApi = z.looseObject({
  openapi: z.literal("3.1.0"),
  paths: z.record(z.string(), z.record(z.string(), operation)),
  components: z.object({ schemas: z.record(z.string(), z.looseObject({})) }),
});
const text = readFileSync(fileURLToPath(new URL("../../docs/openapi.json", import.meta.url)), "utf8");
const document = openApi.parse(JSON.parse(text));
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, said]) => ({ path, method, said })),
);

/** What the router prints is a tree: a line is a part of a path, deeper by four characters for each part before. */
function routesIn(printed: string): string[] {
  const parts: string[] = [];
  return printed.split("\n").flatMap((line) => {
    const [, indent = "", part = "", methods = ""] = /^([│├└─ ]*)(\S+)(?: \(([A-Z, ]+)\))?/.exec(line) ?? [];
    if (part === "") return [];
    const depth = indent.length / 4;
    parts.splice(depth - 1, Infinity, part);
    const path = parts.join("");
    return methods === "" ? [] : methods.split(", ").map((method) => `${method} ${path}`);
  });
}

test("the document has every route that the socket has, and no other", async () => {
  const folder = mkdtempSync(join(tmpdir(), "coven-listen-"));
  const app = await listen(join(folder, "s.sock"), stubServices, pino({ level: "silent" }));
  onTestFinished(async () => {
    await app.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const served = [...new Set(routesIn(app.printRoutes({ commonPrefix: false })))];
  expect(served.length).toBeGreaterThan(20);
  // What MCP clients ask for is told by their own protocol.
  const own = served.filter((route) => !route.endsWith(" /mcp"));
  expect(served.length - own.length).toBe(3);
  // A terminal is asked for by an upgrade, which no router sees.
  const documented = operations
    .filter(({ path }) => path !== "/sessions/{id}/attach")
    .map(({ path, method }) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ":$1")}`);
  expect(own.sort()).toEqual(documented.flatMap((route) => [route, route.replace(" ", " /api/v1")]).sort());
});

test("the document is served as it stands in the repository, under both paths", async () => {
  const daemon = await startDaemon();
  for (const path of ["/openapi.json", "/api/v1/openapi.json"])
    expect(await send(daemon.socket, "GET", path)).toMatchObject({ status: 200, body: JSON.parse(text) });
});

test("the document is whole: every reference leads somewhere, every operation and parameter is named once", () => {
  const named = [...text.matchAll(/"\$ref": "#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name);
  expect(named.length).toBeGreaterThan(50);
  expect(named.filter((name) => document.components.schemas[name ?? ""] === undefined)).toEqual([]);
  const ids = operations.map(({ said }) => said.operationId);
  expect(new Set(ids).size).toBe(ids.length);
  for (const { path, method, said } of operations) {
    const where = `${method} ${path}`;
    const inPath = said.parameters.filter((each) => each.in === "path").map(({ name }) => name);
    expect(inPath, where).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
    const names = said.parameters.map(({ name }) => name);
    expect(new Set(names).size, where).toBe(names.length);
  }
});

test("any action is in it by its name, with what it takes and what it answers", () => {
  const { Action, ActionDone } = document.components.schemas;
  for (const [of, schema] of [
    ["request", Action],
    ["done", ActionDone],
  ] as const)
    expect(schema, of).toEqual({
      oneOf: [...capabilities.keys()].map((name) => ({ $ref: `#/components/schemas/${name}.${of}` })),
    });
  expect(document.components.schemas["run.input"]).toMatchObject({
    properties: { harness: { type: "string" }, prompt: {}, lanes: { type: "array" } },
    additionalProperties: false,
  });
  expect(document.components.schemas["wake.input"]).toMatchObject({
    required: expect.arrayContaining(["session", "message"]),
  });
});

test("what changes something may meet another call of its intent and a store that is full, and says so", () => {
  const refused = operations
    .filter(({ method, said }) => method !== "get" && said["x-action"] !== undefined)
    .map(({ path, said }) => [path, Object.keys(said.responses)] as const);
  expect(refused.length).toBeGreaterThan(5);
  for (const [path, statuses] of refused)
    expect(statuses, path).toEqual(expect.arrayContaining(["409", "413", "503", "507"]));
});

test("what the daemon answers is what the document says", async () => {
  const daemon = await startDaemon();
  const { id } = await launch(daemon, "exit 0");
  await daemon.client.call("watch", { sessions: [id] });
  await daemon.client.call("register", { id: "elsewhere", projectRoot: "/", harness: "mine" });
  const requests: readonly [string, string, string, number][] = [
    ["GET", "/health", "/health", 200],
    ["GET", "/capabilities", "/capabilities", 200],
    ["GET", "/sessions", "/sessions", 200],
    ["GET", "/sessions", "/sessions?limit=1", 200],
    ["GET", "/sessions/{id}", `/sessions/${id}`, 200],
    ["GET", "/sessions/{id}", "/sessions/none", 404],
    ["GET", "/sessions/{id}/events", `/sessions/${id}/events?limit=2`, 200],
    ["GET", "/sessions/{id}/wait", `/sessions/${id}/wait?timeoutMs=1000`, 200],
    ["GET", "/sessions/{id}/wait", `/sessions/${id}/wait?count=x`, 400],
    ["GET", "/events", `/events?sessionId=${id}`, 200],
    ["POST", "/sessions/{id}/archive", `/sessions/${id}/archive`, 200],
    ["POST", "/sessions/{id}/kill", `/sessions/${id}/kill`, 409],
    ["POST", "/sessions/{id}/kill", "/sessions/elsewhere/kill", 422],
    ["DELETE", "/sessions/{id}", `/sessions/${id}`, 400],
    ["DELETE", "/sessions/{id}", `/sessions/${id}?confirm=true`, 200],
  ];
  // Where a schema by itself looks for what it refers to.
  const local = openApi.parse(JSON.parse(text.replaceAll("#/components/schemas/", "#/$defs/")));
  for (const [method, path, asked, status] of requests) {
    const answer = await send(daemon.socket, method, asked);
    expect(answer.status, asked).toBe(status);
    const said =
      local.paths[path]?.[method.toLowerCase()]?.responses[String(status)]?.content?.["application/json"];
    const schema = z.fromJSONSchema({
      ...z.record(z.string(), z.json()).parse(said?.schema),
      $defs: z.record(z.string(), z.record(z.string(), z.json())).parse(local.components.schemas),
    });
    expect(schema.safeParse(answer.body).error, asked).toBeUndefined();
  }
});

/**
 * The published contract `coven.daemon.v1`, route by route: what clients written for it send, and what they may rely
 * on in the answer. Every route answers with its prefix and without.
 */
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { type TestDaemon, makeHome, startDaemon } from "./support/daemon.ts";
import { eventsOf, makeProject } from "./support/launch.ts";
import { type Sent, send } from "./support/socket.ts";

const prefixes = ["/api/v1", ""];

/** What is sent, and what comes back: the status and what the body must hold. */
type Row = readonly [what: string, method: string, path: string, sent: Sent, status: number, body: unknown];

async function expectAll(daemon: TestDaemon, rows: readonly Row[]): Promise<void> {
  for (const prefix of prefixes) {
    for (const [what, method, path, sent, status, body] of rows) {
      const answer = await send(daemon.socket, method, prefix + path, sent);
      expect(answer, `${what}: ${method} ${prefix}${path}`).toMatchObject({ status, body });
    }
  }
}

const none = {};
const refusal = (code: string, details?: object): object => ({
  error: { code, message: expect.any(String), ...(details === undefined ? {} : { details }) },
});
const noRoute = { error: { code: "not_found", message: "Route not found." } };

const recordFields = [
  "id",
  "project_root",
  "harness",
  "title",
  "status",
  "exit_code",
  "archived_at",
  "created_at",
  "updated_at",
  "conversation_id",
  "familiar_id",
  "execution_binding",
  "labels",
  "visibility",
  "external",
  "transcript_path",
];
const anyRecord = z.looseObject({ id: z.string(), status: z.string() });
const page = z.object({
  events: z.array(z.object({ seq: z.int(), id: z.string(), kind: z.string(), payload_json: z.string() })),
  nextCursor: z.object({ afterSeq: z.int() }).nullable(),
  hasMore: z.boolean(),
});

const shell = (prompt: string, more: object = {}): { body: object } => ({
  body: { harness: "shell", projectRoot: makeProject(), prompt, ...more },
});

async function launch(daemon: TestDaemon, prompt: string, more: object = {}): Promise<string> {
  const { status, body } = await send(daemon.socket, "POST", "/api/v1/sessions", shell(prompt, more));
  expect(status, JSON.stringify(body)).toBe(201);
  return anyRecord.parse(body).id;
}

async function launchToEnd(daemon: TestDaemon, prompt: string, more: object = {}): Promise<string> {
  const id = await launch(daemon, prompt, { launchMode: "nonInteractive", ...more });
  await daemon.client.call("watch", { sessions: [id] });
  return id;
}

const recordOf = async (daemon: TestDaemon, id: string) =>
  anyRecord.parse((await send(daemon.socket, "GET", `/api/v1/sessions/${id}`)).body);

test("health, versions, capabilities and cast codes are where published clients look for them", async () => {
  const daemon = await startDaemon();
  const absent = { status: "disabled", actions: [] };
  const harness = { harness_id: "codex", global_instructions: { present: false }, skills: [], plugins: [] };
  await expectAll(daemon, [
    [
      "health",
      "GET",
      "/health",
      none,
      200,
      {
        ok: true,
        apiVersion: "coven.daemon.v1",
        covenVersion: expect.any(String),
        daemon: { pid: daemon.pid, socket: daemon.socket, startedAt: expect.any(String) },
      },
    ],
    ["versions", "GET", "/api-version", none, 200, { apiVersion: "v1", supportedApiVersions: ["v1"] }],
    [
      "catalog",
      "GET",
      "/capabilities",
      none,
      200,
      {
        capabilities: expect.arrayContaining([
          expect.objectContaining({ id: "coven.travel", ...absent }),
          expect.objectContaining({ id: "coven.scheduler", ...absent }),
          expect.objectContaining({
            id: "coven.control.actions",
            actions: ["coven.capabilities.refresh"],
            status: "available",
          }),
          expect.objectContaining({ id: "desktop.automation", ...absent, policy: "requiresApproval" }),
        ]),
      },
    ],
    [
      "all harnesses",
      "GET",
      "/capabilities/harnesses?refresh=1",
      none,
      200,
      {
        coven_skills: [],
        harness_capabilities: expect.arrayContaining([expect.objectContaining(harness)]),
        scanned_at: expect.any(String),
      },
    ],
    ["one harness", "GET", "/capabilities/codex?refresh=1", none, 200, { ...harness, warnings: [] }],
    [
      "no such harness",
      "GET",
      "/capabilities/nobody",
      none,
      404,
      refusal("harness_not_found", { harnessId: "nobody" }),
    ],
  ]);

  const { body: health } = await send(daemon.socket, "GET", "/health");
  expect(health).toHaveProperty("capabilities", {
    sessions: true,
    events: true,
    eventCursor: "sequence",
    structuredErrors: true,
    sessionLaunchPolicy: true,
    travel: false,
    scheduler: false,
    hub: false,
    executorDispatch: false,
    sessionHandoff: false,
    afs: false,
    afsCommit: false,
    afsCommitDryRun: false,
    afsMount: false,
    executionBindingContracts: [],
    requestAdoptionContracts: [],
  });
  const { body: catalog } = await send(daemon.socket, "GET", "/capabilities");
  const ids = z.object({ capabilities: z.array(z.object({ id: z.string() })) }).parse(catalog).capabilities;
  expect(ids.slice(0, 5).map(({ id }) => id)).toEqual([
    "coven.sessions",
    "coven.travel",
    "coven.scheduler",
    "coven.control.actions",
    "desktop.automation",
  ]);
  const { body: codes } = await send(daemon.socket, "GET", "/cast-codes");
  const text = { description: expect.any(String) };
  expect(codes).toEqual([
    { code: "~?", type: "status", ...text },
    { code: "~?{familiar}", type: "status", ...text },
    { code: "~>{familiar}", type: "switch", ...text },
    { code: "~delegate:{familiar}", type: "delegate", ...text },
    { code: "~broadcast *", type: "broadcast", ...text },
    { code: "~^ resume", type: "resume", ...text },
    { code: "~<handoff", type: "handoff", ...text },
  ]);
});

describe("the transport", () => {
  test("knows one answer for what is no route, whatever the method", async () => {
    const daemon = await startDaemon();
    for (const prefix of prefixes) {
      for (const [method, path] of [
        ["GET", "/nope"],
        ["GET", "/health/"],
        ["GET", "/sessions/x/input"],
        ["DELETE", "/health"],
        ["PUT", "/sessions"],
        ["PATCH", "/sessions/x"],
        ["OPTIONS", "/health"],
        ["POST", "/health"],
      ] as const) {
        const { status, body } = await send(daemon.socket, method, prefix + path);
        expect([status, body], `${method} ${prefix}${path}`).toEqual([404, noRoute]);
      }
      expect(await send(daemon.socket, "HEAD", `${prefix}/health`)).toMatchObject({
        status: 404,
        body: undefined,
      });
    }
    for (const path of ["/api/v1", "/api/v1/", "/api/v2", "/api/", "/api", "/"])
      expect(await send(daemon.socket, "GET", path), path).toMatchObject({ status: 404, body: noRoute });
    for (const version of ["v2", "V1", ""]) {
      const { status, body } = await send(daemon.socket, "GET", `/api/${version}/health`);
      expect([status, body], version).toMatchObject([
        404,
        refusal("invalid_request", { apiVersion: version, supportedApiVersions: ["v1"] }),
      ]);
    }
  });

  test("takes ids as bytes of any length, in the path and in the query", async () => {
    const daemon = await startDaemon();
    for (const id of ["none", "a%2Fb", "50%", "%zz", "a;b", "x".repeat(256), "x".repeat(5000)]) {
      const missing = refusal("session_not_found", { sessionId: id });
      await expectAll(daemon, [
        ["record", "GET", `/sessions/${id}`, none, 404, missing],
        ["events", "GET", `/sessions/${id}/events?limit=1`, none, 404, missing],
        ["log", "GET", `/sessions/${id}/log`, none, 404, missing],
        ["input", "POST", `/sessions/${id}/input`, { body: "no JSON" }, 404, missing],
        ["kill", "POST", `/sessions/${id}/kill`, none, 404, missing],
        ["complete", "POST", `/sessions/${id}/complete`, none, 404, missing],
        ["events by query", "GET", `/events?sessionId=${id}&limit=1`, none, 404, missing],
      ]);
    }
    await expectAll(daemon, [
      ["no id", "GET", "/events", none, 400, refusal("invalid_request")],
      [
        "first of two",
        "GET",
        "/events?sessionId=a&sessionId=b",
        none,
        404,
        { error: { details: { sessionId: "a" } } },
      ],
    ]);
  });

  test("looks at no content type, and answers JSON", async () => {
    const daemon = await startDaemon();
    for (const type of ["text/plain", "multipart/form-data", ";;", "application/json; charset=latin1"]) {
      expect(
        await send(daemon.socket, "POST", "/api/v1/cast", {
          body: '{"code":"~?"}',
          headers: { "content-type": type },
        }),
        type,
      ).toMatchObject({ status: 202 });
    }
    expect(await exchange(daemon, "GET /health HTTP/1.1\r\nHost: coven\r\n\r\n")).toMatch(
      /^HTTP\/1\.1 200 OK\r\n(.*\r\n)*content-type: application\/json\r\n/i,
    );
    // The socket is the owner's alone, so the name of the host is nothing to it.
    expect(await exchange(daemon, "GET /health HTTP/1.1\r\nHost: evil.example\r\n\r\n")).toMatch(
      /^HTTP\/1\.1 200/,
    );
  });

  test("ends the connection after its answer for a client that reads to the end, and hangs up on what is no HTTP", async () => {
    const daemon = await startDaemon();
    expect(await exchange(daemon, "GET /api/v1/nope HTTP/1.1\r\nHost: coven\r\n\r\n")).toMatch(
      /Route not found/,
    );
    expect(await exchange(daemon, "GET /health HTTP/1.1\r\n\r\n")).toMatch(/^HTTP\/1\.1 200 [^]*"ok":true/);
    expect(await exchange(daemon, "HELLO\r\n\r\n")).toBe("");
  });

  test("says of itself what it refuses by itself", async () => {
    const daemon = await startDaemon();
    const large = { body: "x".repeat(4 * 1024 * 1024 + 1) };
    const tooLarge = { ok: false, ...refusal("payload_too_large") };
    await expectAll(daemon, [
      ["launch", "POST", "/sessions", large, 413, tooLarge],
      ["cast", "POST", "/cast", large, 413, tooLarge],
      [
        "action",
        "POST",
        "/actions",
        large,
        413,
        { ...tooLarge, accepted: false, action: "(unknown)", status: "rejected", reason: expect.any(String) },
      ],
    ]);
  });
});

/** Everything that comes until the other side ends the connection. */
async function exchange(daemon: TestDaemon, text: string): Promise<string> {
  const connection = connect(daemon.socket);
  let received = "";
  connection.on("data", (chunk) => (received += String(chunk)));
  connection.on("error", () => undefined);
  connection.write(text);
  await once(connection, "close");
  return received;
}

test("an action is answered in its envelope, and refused in it", async () => {
  const daemon = await startDaemon();
  const rejected = { ok: false, accepted: false, status: "rejected", reason: expect.any(String) };
  const action = "coven.capabilities.refresh";
  const completed = { ok: true, accepted: true, action, status: "completed" };
  const event = { kind: "capabilities.refreshed", action, payload: { capabilities: expect.any(Number) } };
  await expectAll(daemon, [
    ["refresh", "POST", "/actions", { body: { action } }, 200, { ...completed, event }],
    [
      "nulls",
      "POST",
      "/actions",
      { body: { action, origin: null, intentId: null, args: null } },
      200,
      { ...completed, event },
    ],
    [
      "unknown",
      "POST",
      "/actions",
      { body: { action: "nope" } },
      400,
      { ...rejected, action: "nope", reason: "unknown action `nope`" },
    ],
    ["no JSON", "POST", "/actions", { body: "{" }, 400, { ...rejected, action: "(unknown)" }],
    ["no object", "POST", "/actions", { body: "[]" }, 400, { ...rejected, action: "(unknown)" }],
    ["no name", "POST", "/actions", { body: {} }, 400, { ...rejected, action: "" }],
    ["no text", "POST", "/actions", { body: { action: 5 } }, 400, { ...rejected, action: "" }],
    ["blank", "POST", "/actions", { body: { action: " " } }, 400, { ...rejected, action: "" }],
  ]);
  const named = { action, origin: "test", intentId: "intent-1" };
  expect((await send(daemon.socket, "POST", "/actions", { body: named })).body).toHaveProperty("event", {
    ...event,
    origin: "test",
    intentId: "intent-1",
  });
  expect((await send(daemon.socket, "POST", "/actions", { body: { action } })).body).toHaveProperty(
    "event",
    event,
  );
});

describe("a launch", () => {
  test("takes every published field, null and blank ones as left out", async () => {
    const daemon = await startDaemon();
    const project = makeProject();
    const body = {
      harness: "shell",
      projectRoot: project,
      cwd: project,
      prompt: "read line",
      title: "A title",
      launchMode: null,
      model: null,
      conversation: null,
      launchPolicy: null,
      executionBinding: null,
      conversationId: "a conversation: 1",
      familiarId: " sage ",
      callerFamiliarId: "cody",
    };
    for (const prefix of prefixes) {
      const answer = await send(daemon.socket, "POST", `${prefix}/sessions`, { body });
      expect(answer).toMatchObject({
        status: 201,
        body: {
          status: "running",
          project_root: project,
          harness: "shell",
          title: "A title",
          conversation_id: "a conversation: 1",
          familiar_id: "sage",
          caller_familiar_id: "cody",
          launch_mode: "interactive",
          exit_code: null,
          archived_at: null,
          execution_binding: null,
          labels: [],
          visibility: "private",
          external: false,
          transcript_path: null,
        },
      });
      expect(Object.keys(anyRecord.parse(answer.body))).toEqual(expect.arrayContaining(recordFields));
    }
    const untitled = await send(daemon.socket, "POST", "/sessions", shell("read line", { title: " " }));
    expect(untitled).toMatchObject({ status: 201, body: { title: "read line" } });
    const newer = await send(daemon.socket, "POST", "/sessions", shell("read line", { unheardOf: { a: 1 } }));
    expect(newer).toMatchObject({ status: 201, body: { title: "read line" } });
    // Longer than a list can show, and no reason to refuse the work.
    const long = await send(
      daemon.socket,
      "POST",
      "/sessions",
      shell("read line", { title: "x".repeat(9000) }),
    );
    expect(long).toMatchObject({ status: 201, body: { title: expect.stringMatching(/^x{500}…$/) } });
  });

  test("that is wrong is refused before there is a record", async () => {
    const daemon = await startDaemon();
    const policy = { approval: "never", sandbox: "workspace-write" };
    const forCodex = { harness: "codex", launchMode: "nonInteractive" };
    const wrong: readonly (readonly [string, Sent])[] = [
      ["no JSON", { body: "{" }],
      ["no object", { body: "[]" }],
      ["no body", {}],
      ["no prompt", shell("x", { prompt: undefined })],
      ["null prompt", shell("x", { prompt: null })],
      ["blank prompt", shell(" ")],
      ["no project root", shell("x", { projectRoot: undefined })],
      ["missing project root", shell("x", { projectRoot: "/nowhere/at/all" })],
      ["cwd outside", shell("x", { cwd: "/" })],
      ["unknown harness", shell("x", { harness: "nobody" })],
      ["the composer's record as a harness", shell("x", { harness: "cockpit" })],
      ["unknown mode", shell("x", { launchMode: "batch" })],
      ["conversation without an id", shell("x", { conversation: { mode: "resume" } })],
      ["conversation of no kind", shell("x", { conversation: { mode: "again", id: "a" } })],
      ["conversation id as an option", shell("x", { conversation: { mode: "init", id: "--x y" } })],
      ["policy for another harness", shell("x", { launchMode: "nonInteractive", launchPolicy: policy })],
      ["policy for a terminal", shell("x", { harness: "codex", launchPolicy: policy })],
      ["another approval", shell("x", { ...forCodex, launchPolicy: { ...policy, approval: "always" } })],
      ["another sandbox", shell("x", { ...forCodex, launchPolicy: { ...policy, sandbox: "none" } })],
      ["half a policy", shell("x", { ...forCodex, launchPolicy: { approval: "never" } })],
      ["more than a policy", shell("x", { ...forCodex, launchPolicy: { ...policy, network: true } })],
      ["relative folder", shell("x", { ...forCodex, launchPolicy: { ...policy, addDirs: ["here"] } })],
      ["missing folder", shell("x", { ...forCodex, launchPolicy: { ...policy, addDirs: ["/nowhere"] } })],
      ["policy and permission", shell("x", { ...forCodex, launchPolicy: policy, permission: "full" })],
    ];
    await expectAll(
      daemon,
      wrong.map(([what, sent]) => [what, "POST", "/sessions", sent, 400, refusal("invalid_request")]),
    );
    const { body } = await send(daemon.socket, "GET", "/sessions?includeArchived=true");
    expect(body).toEqual({ sessions: [], next_cursor: null });
  });
});

test("a list is an array, or a page when one is asked for, the newest first", async () => {
  const daemon = await startDaemon();
  const ids: string[] = [];
  for (const prompt of ["exit 0", "exit 1", "exit 2"]) ids.unshift(await launchToEnd(daemon, prompt));
  await daemon.client.call("archive", { session: ids[1] ?? "" });
  const shown = [ids[0], ids[2]].map((id) => ({ id }));
  await expectAll(daemon, [
    ["array", "GET", "/sessions", none, 200, shown],
    ["unknown parameter", "GET", "/sessions?colour=red", none, 200, shown],
    ["page", "GET", "/sessions?limit=2", none, 200, { sessions: shown, next_cursor: null }],
    ["half a page", "GET", "/sessions?limit=1", none, 200, { next_cursor: expect.any(String) }],
    [
      "archived too",
      "GET",
      "/sessions?includeArchived=true",
      none,
      200,
      { sessions: ids.map((id) => ({ id })), next_cursor: null },
    ],
    ["archived not", "GET", "/sessions?includeArchived=false", none, 200, { sessions: shown }],
    ...[
      ["limit", "0"],
      ["limit", "1001"],
      ["limit", "two"],
      ["limit", ""],
      ["includeArchived", "maybe"],
      ["cursor", "zzz"],
    ].map(([name = "", value = ""]): Row => [
      `${name} ${value}`,
      "GET",
      `/sessions?${name}=${value}`,
      none,
      400,
      refusal("invalid_request", { [name]: value }),
    ]),
  ]);
  const { next_cursor } = z
    .object({ next_cursor: z.string() })
    .parse((await send(daemon.socket, "GET", "/sessions?limit=1")).body);
  expect(await send(daemon.socket, "GET", `/sessions?limit=1&cursor=${next_cursor}`)).toMatchObject({
    body: { sessions: [{ id: ids[2] }], next_cursor: null },
  });
});

describe("a session", () => {
  test("is fed and killed while it lives, and neither afterwards", async () => {
    const daemon = await startDaemon();
    const at = (id: string, what: string): string => `/api/v1/sessions/${id}/${what}`;
    const accepted = { status: 202, body: { ok: true, accepted: true } };
    const id = await launch(daemon, 'read line; echo "got $line"; read more');
    expect(await send(daemon.socket, "POST", at(id, "input"), { body: { data: "" } })).toMatchObject(
      accepted,
    );
    expect(
      await send(daemon.socket, "POST", at(id, "input"), {
        body: { data: "hello\r", executionBinding: null },
      }),
    ).toMatchObject(accepted);
    await daemon.client.call("watch", {
      sessions: [id],
      matchText: "got hello",
      cursor: await cursorOf(daemon),
    });
    for (const body of ["{", "[]", "{}", '{"data":5}', '{"data":null}'])
      expect(await send(daemon.socket, "POST", at(id, "input"), { body }), body).toMatchObject({
        status: 400,
        body: refusal("invalid_request", { sessionId: id }),
      });
    const paste = { body: { data: "x".repeat(2_000_000) } };
    expect(await send(daemon.socket, "POST", at(id, "input"), paste)).toMatchObject({
      status: 413,
      body: refusal("input_too_large", { sessionId: id }),
    });
    const kill = { body: "not { JSON", headers: { "content-type": "application/json" } };
    expect(await send(daemon.socket, "POST", at(id, "kill"), kill)).toMatchObject(accepted);
    expect(await recordOf(daemon, id)).toMatchObject({ status: "killed", exit_code: null });
    for (const body of ["{", '{"data":"x"}', ""])
      expect(await send(daemon.socket, "POST", at(id, "input"), { body }), body).toMatchObject({
        status: 409,
        body: refusal("session_not_live", { sessionId: id }),
      });
    expect(await send(daemon.socket, "POST", at(id, "kill"))).toMatchObject({
      status: 409,
      body: refusal("session_not_live", { sessionId: id }),
    });
    expect(await eventsOf(daemon, id)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ kind: "input", payload: { data: "hello\r" } }),
        expect.objectContaining({ kind: "kill", payload: { status: "killed" } }),
      ]),
    );
  });

  test("tells how it ended", async () => {
    const daemon = await startDaemon();
    const failed = await launchToEnd(daemon, "exit 3");
    const idle = await launchToEnd(daemon, "exit 0", { conversationId: "chat" });
    const done = await launchToEnd(daemon, "exit 0");
    expect(await recordOf(daemon, failed)).toMatchObject({ status: "failed", exit_code: 3 });
    expect(await recordOf(daemon, idle)).toMatchObject({ status: "idle", exit_code: 0 });
    expect(await recordOf(daemon, done)).toMatchObject({ status: "completed", exit_code: 0 });
    expect((await eventsOf(daemon, failed)).at(-1)).toMatchObject({
      kind: "exit",
      payload: { status: "failed", exitCode: 3 },
    });
  });

  test("gives its events by every published cursor, and its log in lines", async () => {
    const daemon = await startDaemon();
    const id = await launchToEnd(daemon, "echo one; exit 0");
    const read = async (query: string) =>
      page.parse((await send(daemon.socket, "GET", `/api/v1/sessions/${id}/events${query}`)).body);
    const all = await read("");
    const seqs = all.events.map(({ seq }) => seq);
    const [first, second, third] = all.events;
    expect(seqs.length).toBeGreaterThan(3);
    expect(all).toMatchObject({ hasMore: false, nextCursor: { afterSeq: seqs.at(-1) } });
    const fromThird = { events: expect.arrayContaining([expect.objectContaining({ seq: third?.seq })]) };
    for (const path of [`/sessions/${id}/events?`, `/events?sessionId=${id}&`]) {
      await expectAll(daemon, [
        ["everything", "GET", path, none, 200, { events: seqs.map((seq) => ({ seq, session_id: id })) }],
        ["by seq", "GET", `${path}afterSeq=${second?.seq}&limit=1`, none, 200, fromThird],
        ["by id", "GET", `${path}afterEventId=${second?.id}&limit=1`, none, 200, fromThird],
        [
          "seq before id",
          "GET",
          `${path}afterEventId=${first?.id}&afterSeq=${second?.seq}&limit=1`,
          none,
          200,
          fromThird,
        ],
        [
          "id never seen",
          "GET",
          `${path}afterEventId=6b1f&limit=1`,
          none,
          200,
          { events: [{ seq: first?.seq }] },
        ],
        [
          "limit below",
          "GET",
          `${path}limit=0`,
          none,
          200,
          { events: [{ seq: first?.seq }], hasMore: true, nextCursor: { afterSeq: first?.seq } },
        ],
        ["limit far below", "GET", `${path}limit=-7`, none, 200, { events: [{ seq: first?.seq }] }],
        ["limit above", "GET", `${path}limit=5000`, none, 200, { events: seqs.map((seq) => ({ seq })) }],
        ["before all", "GET", `${path}afterSeq=-1&limit=1`, none, 200, { events: [{ seq: first?.seq }] }],
        [
          "after all",
          "GET",
          `${path}afterSeq=${seqs.at(-1)}`,
          none,
          200,
          { events: [], nextCursor: null, hasMore: false },
        ],
        ["beyond all", "GET", `${path}afterSeq=9007199254740993`, none, 200, { events: [] }],
        ...["afterSeq", "limit"].flatMap((name) =>
          ["abc", "1.5", "", "99999999999999999999"].map((value): Row => [
            `${name} ${value}`,
            "GET",
            `${path}${name}=${value}`,
            none,
            400,
            refusal("invalid_request", { [name]: value }),
          ]),
        ),
      ]);
    }
    const line = { ts: expect.any(String), level: "info" };
    const { body: log } = await send(daemon.socket, "GET", `/sessions/${id}/log`);
    expect(log).toHaveLength(seqs.length);
    expect(log).toEqual(expect.arrayContaining([{ ...line, message: expect.stringMatching(/^one\r?\n$/) }]));
    expect(log).toEqual(
      expect.arrayContaining([{ ...line, message: 'exit: {"status":"completed","exitCode":0}' }]),
    );
  });

  test("shows a long event in its log as a short line", async () => {
    const daemon = await startDaemon();
    const id = await launchToEnd(daemon, "head -c 3000 /dev/zero | tr '\\0' x");
    const { body } = await send(daemon.socket, "GET", `/api/v1/sessions/${id}/log`);
    const messages = z
      .array(z.object({ message: z.string() }))
      .parse(body)
      .map(({ message }) => message);
    expect(messages.find((message) => message.startsWith("xxx"))).toHaveLength(240);
    expect(messages.every((message) => message.length <= 240)).toBe(true);
  });
});

const cursorOf = async (daemon: TestDaemon): Promise<string> => {
  const { cursor } = z.object({ cursor: z.string() }).parse(await daemon.client.call("status", {}));
  return cursor.replace(/\d+$/, "0");
};

describe("a session that runs elsewhere", () => {
  const registration = { id: "ext:1.a_b-c", projectRoot: "/elsewhere", harness: "coven-code" };

  test("is registered once, and ended by whoever runs it", async () => {
    const daemon = await startDaemon();
    const own = await launchToEnd(daemon, "exit 0");
    const post = (path: string, body?: string | object) =>
      send(daemon.socket, "POST", `/api/v1/sessions/${path}`, body === undefined ? {} : { body });
    const record = {
      id: registration.id,
      external: true,
      status: "running",
      title: "External session",
      project_root: "/elsewhere",
      harness: "coven-code",
      labels: ["a"],
      transcript_path: "/elsewhere/log.jsonl",
    };
    const body = { ...registration, title: null, labels: ["a"], transcriptPath: "/elsewhere/log.jsonl" };
    expect(await post("external", body)).toMatchObject({ status: 201, body: record });
    expect(await post("external", { ...body, title: "Another" })).toMatchObject({
      status: 200,
      body: record,
    });
    expect(await send(daemon.socket, "GET", "/sessions")).toMatchObject({
      body: [{ id: registration.id }, { id: own }],
    });
    for (const id of [own, "__cockpit__"])
      expect(await post("external", { ...registration, id }), id).toMatchObject({
        status: 409,
        body: refusal("session_id_conflict", { sessionId: id }),
      });
    expect(await post(`${registration.id}/kill`)).toMatchObject({
      status: 422,
      body: refusal("external_session_not_killable", { sessionId: registration.id }),
    });
    expect(await post(`${registration.id}/input`, { data: "x" })).toMatchObject({
      status: 409,
      body: refusal("session_not_live", { sessionId: registration.id }),
    });
    expect(await post(`${own}/complete`, {})).toMatchObject({
      status: 422,
      body: refusal("not_external_session", { sessionId: own }),
    });
    expect(await post(`${registration.id}/complete`, { exitCode: "2" })).toMatchObject({ status: 400 });
    const failed = { ...record, status: "failed", exit_code: 2 };
    expect(await post(`${registration.id}/complete`, { exitCode: 2 })).toMatchObject({
      status: 200,
      body: failed,
    });
    expect(await post(`${registration.id}/complete`, { exitCode: 0 })).toMatchObject({
      status: 200,
      body: failed,
    });
    expect((await eventsOf(daemon, registration.id)).at(-1)).toMatchObject({
      kind: "exit",
      payload: { status: "failed", exitCode: 2 },
    });
    expect(await post(`${registration.id}/kill`)).toMatchObject({
      status: 409,
      body: refusal("session_not_live", { sessionId: registration.id }),
    });
    for (const [id, sent] of [
      ["zero", { exitCode: 0 }],
      ["null", { exitCode: null }],
      ["absent", {}],
      ["empty", undefined],
    ] as const) {
      await post("external", { ...registration, id });
      expect(await post(`${id}/complete`, sent), id).toMatchObject({
        status: 200,
        body: { status: "completed" },
      });
    }
  });

  test("is refused when its registration is wrong", async () => {
    const daemon = await startDaemon();
    const wrong = [
      "{",
      { ...registration, id: undefined },
      { ...registration, id: "" },
      { ...registration, id: "a b" },
      { ...registration, id: "a/b" },
      { ...registration, id: "x".repeat(257) },
      { ...registration, projectRoot: " " },
      { ...registration, harness: null },
      { ...registration, labels: ["x".repeat(65)] },
      { ...registration, labels: Array.from({ length: 17 }, String) },
    ];
    await expectAll(
      daemon,
      wrong.map((body): Row => [
        JSON.stringify(body).slice(0, 80),
        "POST",
        "/sessions/external",
        { body },
        400,
        refusal("invalid_request"),
      ]),
    );
    expect((await send(daemon.socket, "GET", "/sessions")).body).toEqual([]);
  });

  test("wakes who waits for its end, is no ritual's while it runs, and no concern of a daemon that stops", async () => {
    const home = makeHome();
    const daemon = await startDaemon(home);
    await send(daemon.socket, "POST", "/sessions/external", { body: registration });
    expect(await daemon.client.call("health", {})).toMatchObject({ liveSessions: 0 });
    for (const [ritual, more] of [
      ["archive", {}],
      ["sacrifice", { confirm: true }],
    ] as const)
      await expect(daemon.client.call(ritual, { session: registration.id, ...more })).rejects.toMatchObject({
        code: "session_live",
      });
    expect(await daemon.client.shutdown(false)).toMatchObject({ ended: [], survived: [] });
    await daemon.exited;

    const next = await startDaemon(home);
    expect(await recordOf(next, registration.id)).toMatchObject({ status: "running" });
    await next.client.call("health", {});
    const ended = next.client.call("watch", { sessions: [registration.id] });
    // Answered after the watch was read, so the watch waits when the end is told.
    await next.client.call("health", {});
    await send(next.socket, "POST", `/sessions/${registration.id}/complete`, { body: { exitCode: 1 } });
    expect(await ended).toMatchObject({ outcome: "met", sessions: [{ status: "failed" }] });
    await next.client.call("sacrifice", { session: registration.id, confirm: true });
    expect(await send(next.socket, "GET", `/sessions/${registration.id}`)).toMatchObject({ status: 404 });
  });
});

describe("a cast", () => {
  const castId = expect.stringMatching(/^cast-[0-9a-f]{32}$/);

  test("is kept as it is, in the log of the session it names or of the composer", async () => {
    const daemon = await startDaemon();
    const id = await launchToEnd(daemon, "exit 0");
    const before = (await eventsOf(daemon, id)).length;
    const code = ' ~cody: review `this` | and "that" ';
    expect(await send(daemon.socket, "POST", "/api/v1/cast", { body: { code, target: id } })).toMatchObject({
      status: 202,
      body: { accepted: true, cast_id: castId, echo: `${code.trim()} → ${id}` },
    });
    const events = await eventsOf(daemon, id);
    expect(events).toHaveLength(before + 1);
    expect(events.at(-1)).toMatchObject({
      kind: "cast",
      payload: { cast_id: castId, code: code.trim(), target: id },
    });
    for (const target of [null, undefined, "", "__cockpit__"])
      expect(await send(daemon.socket, "POST", "/cast", { body: { code: "/status", target } })).toMatchObject(
        {
          status: 202,
          body: { echo: target === "__cockpit__" ? "/status → __cockpit__" : "/status" },
        },
      );
    const { body } = await send(daemon.socket, "GET", "/sessions");
    expect(body).toMatchObject([
      { id: "__cockpit__", project_root: "(cockpit)", harness: "cockpit", status: "idle", external: false },
      { id },
    ]);
    expect((await eventsOf(daemon, "__cockpit__")).filter(({ kind }) => kind === "cast")).toHaveLength(4);
    for (const what of ["kill", "input"])
      expect(await send(daemon.socket, "POST", `/sessions/__cockpit__/${what}`)).toMatchObject({
        status: 409,
        body: refusal("session_not_live", { sessionId: "__cockpit__" }),
      });
    expect(await daemon.client.call("health", {})).toMatchObject({ liveSessions: 0 });
  });

  test("that says nothing, names nobody or is too long for a log is refused", async () => {
    const daemon = await startDaemon();
    const id = await launchToEnd(daemon, "exit 0");
    const long = "x".repeat(3 * 1024 * 1024);
    await expectAll(daemon, [
      ["no code", "POST", "/cast", { body: { target: id } }, 400, refusal("invalid_request")],
      ["blank code", "POST", "/cast", { body: { code: " " } }, 400, refusal("invalid_request")],
      ["code of no text", "POST", "/cast", { body: { code: 5 } }, 400, refusal("invalid_request")],
      ["no JSON", "POST", "/cast", { body: "~?" }, 400, refusal("invalid_request")],
      [
        "no such target",
        "POST",
        "/cast",
        { body: { code: "~?", target: "nobody" } },
        404,
        refusal("session_not_found", { sessionId: "nobody" }),
      ],
      [
        "too long",
        "POST",
        "/cast",
        { body: { code: long, target: id } },
        413,
        refusal("cast_too_large", { sessionId: id }),
      ],
      [
        "as long for nobody",
        "POST",
        "/cast",
        { body: { code: long } },
        202,
        { accepted: true, cast_id: castId },
      ],
    ]);
    expect(await recordOf(daemon, id)).toMatchObject({ status: "completed" });
  });
});

test("a harness shows the instructions and skills that the user keeps for it", async () => {
  const home = makeHome();
  const claude = join(home, ".claude");
  mkdirSync(join(claude, "skills/tidy"), { recursive: true });
  mkdirSync(join(claude, "skills/no-skill"));
  writeFileSync(join(claude, "CLAUDE.md"), "Be brief.\n");
  writeFileSync(
    join(claude, "skills/tidy/SKILL.md"),
    '---\nname: Tidy up\ndescription: "Puts things away"\n---\nText.\n',
  );
  const daemon = await startDaemon(home);
  expect(await send(daemon.socket, "GET", "/api/v1/capabilities/claude")).toMatchObject({
    status: 200,
    body: {
      harness_id: "claude",
      global_instructions: { present: true, path: join(claude, "CLAUDE.md"), byte_count: 10 },
      skills: [
        {
          id: "tidy",
          name: "Tidy up",
          description: "Puts things away",
          source: "harness-native",
          harness_id: "claude",
          path: join(claude, "skills/tidy"),
          tags: [],
        },
      ],
      warnings: [],
    },
  });
});

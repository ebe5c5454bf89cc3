#!/usr/bin/env node
// A scripted stand-in for the Anthropic Messages API, loopback only.
//   node mock-anthropic.mjs --scenario s.json --log seen.jsonl [--port 0] [--port-file p] [--full]
// It answers POST /v1/messages (SSE or JSON) from the scenario's script and records every
// request: tool names and definitions, new tool results, model, betas. --full keeps bodies.
// Requests that carry no tools (titles, summaries, quota probes) get a fixed short text and
// are recorded as kind "side"; they never use up a turn.
import http from "node:http";
import fs from "node:fs";
import { args, fill, loadScenario, nextTurn, readBody, recorder, sleep } from "./scenario.mjs";

const opt = args({ port: "0" });
const scenario = loadScenario(opt.scenario);
const log = recorder(opt.log);
let msgSeq = 0;

const textOf = (c) =>
  typeof c === "string"
    ? c
    : (c ?? [])
        .map((b) =>
          b.type === "text" ? b.text : b.type === "tool_result" ? textOf(b.content) : `[${b.type}]`,
        )
        .join("\n");

function conversation(messages) {
  const results = [],
    order = [];
  let assistant = 0;
  let firstUserText = "";
  for (const m of messages) {
    if (m.role === "assistant") {
      assistant++;
      for (const b of Array.isArray(m.content) ? m.content : []) if (b.type === "tool_use") order.push(b.id);
    } else {
      if (!firstUserText) firstUserText = textOf(m.content);
      for (const b of Array.isArray(m.content) ? m.content : []) {
        if (b.type === "tool_result")
          results.push({
            id: b.tool_use_id,
            is_error: !!b.is_error,
            text: textOf(b.content),
            content: b.content,
          });
      }
    }
  }
  // Parallel calls come back in the order they finished; scenarios count them in the order they were made.
  results.sort((a, b) => order.indexOf(a.id) - order.indexOf(b.id));
  return { results, turnIndex: assistant, firstUserText };
}

function blocksFor(turn) {
  const blocks = [];
  if (turn.text !== undefined) blocks.push({ type: "text", text: turn.text });
  for (const c of turn.calls)
    blocks.push({
      type: "tool_use",
      id: `toolu_mock${String(++msgSeq).padStart(6, "0")}`,
      name: c.tool,
      input: c.input,
    });
  if (!blocks.length) blocks.push({ type: "text", text: "" });
  return blocks;
}

function sse(res, model, blocks, stop) {
  const send = (type, data) => res.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`);
  send("message_start", {
    message: {
      id: `msg_mock${++msgSeq}`,
      type: "message",
      role: "assistant",
      model,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: {
        input_tokens: 10,
        cache_creation_input_tokens: 0,
        cache_read_input_tokens: 0,
        output_tokens: 1,
      },
    },
  });
  blocks.forEach((b, index) => {
    if (b.type === "text") {
      send("content_block_start", { index, content_block: { type: "text", text: "" } });
      send("content_block_delta", { index, delta: { type: "text_delta", text: b.text } });
    } else {
      send("content_block_start", {
        index,
        content_block: { type: "tool_use", id: b.id, name: b.name, input: {} },
      });
      send("content_block_delta", {
        index,
        delta: { type: "input_json_delta", partial_json: JSON.stringify(b.input) },
      });
    }
    send("content_block_stop", { index });
  });
  send("message_delta", { delta: { stop_reason: stop, stop_sequence: null }, usage: { output_tokens: 20 } });
  send("message_stop", {});
  res.end();
}

const server = http.createServer(async (req, res) => {
  const path = new URL(req.url, "http://x").pathname;
  const raw = await readBody(req);
  const json = (status, body) => {
    res.writeHead(status, { "content-type": "application/json", "request-id": "req_mock" });
    res.end(JSON.stringify(body));
  };
  let body;
  try {
    body = raw.length ? JSON.parse(raw) : undefined;
  } catch {
    /* not JSON */
  }
  if (req.method === "POST" && path === "/v1/messages/count_tokens") {
    log("count_tokens", { model: body?.model });
    return json(200, { input_tokens: 100 });
  }
  if (!(req.method === "POST" && path === "/v1/messages")) {
    log("other", { method: req.method, path, bytes: raw.length });
    return json(path === "/" ? 200 : 404, {
      type: "error",
      error: { type: "not_found_error", message: "mock" },
    });
  }
  const tools = body.tools ?? [];
  const conv = conversation(body.messages);
  const main = tools.length > 0;
  log(main ? "turn" : "side", {
    model: body.model,
    stream: !!body.stream,
    beta: req.headers["anthropic-beta"],
    turn: conv.turnIndex,
    tools: tools.map((t) => t.name),
    deferred: tools.filter((t) => t.defer_loading).map((t) => t.name),
    toolDefs: main
      ? tools.filter((t) => opt.full || t.name?.startsWith("mcp__") || t.defer_loading)
      : undefined,
    results: conv.results,
    ...(opt.full ? { body } : { lastUser: textOf(body.messages.at(-1)?.content).slice(0, 4000) }),
  });
  const turn = main
    ? nextTurn(scenario, { ...conv, results: conv.results.map((r) => r.text) })
    : { index: -1, text: fill(scenario.side ?? "ok", []), calls: [] };
  if (turn.delay) await sleep(turn.delay);
  if (turn.error) {
    log("error", { turn: turn.index, error: turn.error });
    return json(turn.error.status ?? 500, {
      type: "error",
      error: { type: turn.error.type ?? "api_error", message: turn.error.message ?? "scripted" },
    });
  }
  const blocks = blocksFor(turn);
  const stop = turn.calls.length ? "tool_use" : "end_turn";
  log("answer", { turn: turn.index, main, blocks, stop });
  if (!body.stream) {
    return json(200, {
      id: `msg_mock${++msgSeq}`,
      type: "message",
      role: "assistant",
      model: body.model,
      content: blocks,
      stop_reason: stop,
      stop_sequence: null,
      usage: {
        input_tokens: 10,
        output_tokens: 20,
        cache_creation_input_tokens: 0,
        cache_read_input_tokens: 0,
      },
    });
  }
  res.writeHead(200, {
    "content-type": "text/event-stream",
    "cache-control": "no-cache",
    "request-id": "req_mock",
  });
  sse(res, body.model, blocks, stop);
});
server.listen(Number(opt.port), "127.0.0.1", () => {
  const { port } = server.address();
  if (opt["port-file"]) fs.writeFileSync(opt["port-file"], String(port));
  log("listening", { port });
  // Started with an IPC channel (stand-ins.ts): tell the port, and do not outlive the test that asked.
  process.send?.({ port });
});
process.on("disconnect", () => process.exit(0));

#!/usr/bin/env node
// A scripted stand-in for the OpenAI Responses API, loopback only.
//   node mock-openai.mjs --scenario s.json --log seen.jsonl [--port 0] [--port-file p] [--full]
// It answers POST .../responses (SSE) from the scenario's script and records every request:
// tool names and definitions, tool outputs, model. --full keeps bodies.
// Scripted calls become function_call items. "mcp__server__tool" is sent as namespace
// "mcp__server" + name "tool" when the request offers that namespace, else as a flat name.
// Newer models (see --model) get their MCP tools deferred; a scenario then says
//   { "tool": "tool_search", "kind": "tool_search", "input": { "query": "...", "limit": 5 } }  before the call, or
//   { "tool": "exec", "kind": "custom", "raw": "text(await tools.mcp__server__tool({...}))" }  in code mode.
import http from "node:http";
import fs from "node:fs";
import zlib from "node:zlib";
import { args, fill, loadScenario, nextTurn, readBody, recorder, sleep } from "./scenario.mjs";

const opt = args({ port: "0" });
const scenario = loadScenario(opt.scenario);
const log = recorder(opt.log);
let seq = 0;

const textOf = (c) =>
  typeof c === "string"
    ? c
    : Array.isArray(c)
      ? c.map((b) => b.text ?? (b.type ? `[${b.type}]` : JSON.stringify(b))).join("\n")
      : c == null
        ? ""
        : JSON.stringify(c);

function conversation(input) {
  const results = [],
    order = [];
  const tags = new Set();
  let turns = 0,
    pending = false,
    firstUserText = "";
  for (const it of input) {
    if (/_call$/.test(it.type ?? "")) {
      const tag = /^call_t(\d+)_/.exec(it.call_id ?? "")?.[1] ?? it.call_id ?? it.id;
      order.push(it.call_id);
      if (!tags.has(tag)) {
        tags.add(tag);
        turns++;
      }
      pending = false;
    } else if (/_output$/.test(it.type ?? "")) {
      results.push({ id: it.call_id, type: it.type, text: textOf(it.output ?? it.tools), output: it.output });
    } else if (it.role === "assistant") {
      if (pending) turns++;
      pending = true;
    } else if (it.role === "user") {
      if (pending) {
        turns++;
        pending = false;
      }
      // Codex puts its own context (environment, AGENTS.md) in user messages first.
      const t = textOf(it.content);
      if (!firstUserText && !/^\s*(<|# AGENTS)/.test(t)) firstUserText = t;
    }
  }
  if (pending) turns++;
  results.sort((a, b) => order.indexOf(a.id) - order.indexOf(b.id));
  return { results, turnIndex: turns, firstUserText };
}

function itemsFor(turn, tools) {
  const items = [];
  const namespaces = new Map(tools.filter((t) => t.type === "namespace").map((t) => [t.name, t]));
  if (turn.text !== undefined) {
    items.push({
      type: "message",
      role: "assistant",
      id: `msg_mock${++seq}`,
      status: "completed",
      ...(turn.calls.length ? { phase: "commentary" } : {}),
      content: [{ type: "output_text", text: turn.text, annotations: [] }],
    });
  }
  turn.calls.forEach((c, i) => {
    const call_id = `call_t${turn.index}_${i}_${++seq}`;
    const base = { id: `fc_mock${seq}`, status: "completed", call_id };
    if (c.kind === "custom") {
      // Codex code mode: { "tool": "exec", "kind": "custom", "raw": "text(await tools.mcp__x__y({}))" }
      const ns =
        c.namespace ??
        [...namespaces.values()].find((n) => n.tools.some((t) => t.type === "custom" && t.name === c.tool))
          ?.name;
      return items.push({
        type: "custom_tool_call",
        ...base,
        name: c.tool,
        ...(ns ? { namespace: ns } : {}),
        input: c.raw ?? JSON.stringify(c.input),
      });
    }
    if (c.kind === "tool_search")
      return items.push({ type: "tool_search_call", ...base, execution: "client", arguments: c.input });
    let name = c.tool,
      namespace = c.namespace;
    if (!namespace) {
      for (const ns of namespaces.keys()) {
        const cut = ns.replace(/_+$/, "");
        if (!name.startsWith(`${cut}__`)) continue;
        namespace = ns;
        name = name.slice(cut.length + 2);
        const known = namespaces.get(ns).tools.map((t) => t.name);
        // Codex shows tool names with every character outside [A-Za-z0-9_] replaced by "_".
        if (!known.includes(name) && known.includes(name.replace(/[^A-Za-z0-9_]/g, "_")))
          name = name.replace(/[^A-Za-z0-9_]/g, "_");
        break;
      }
    }
    items.push({
      type: "function_call",
      ...base,
      name,
      ...(namespace ? { namespace } : {}),
      arguments: JSON.stringify(c.input),
    });
  });
  return items;
}

const server = http.createServer(async (req, res) => {
  const path = new URL(req.url, "http://x").pathname;
  let raw = await readBody(req);
  const enc = req.headers["content-encoding"];
  if (enc === "zstd" && zlib.zstdDecompressSync)
    raw = zlib.zstdDecompressSync(raw); // Node 22.15+
  else if (enc === "gzip") raw = zlib.gunzipSync(raw);
  const json = (status, body) => {
    res.writeHead(status, { "content-type": "application/json" });
    res.end(JSON.stringify(body));
  };
  let body;
  try {
    body = raw.length ? JSON.parse(raw) : undefined;
  } catch {
    /* not JSON */
  }
  if (!(req.method === "POST" && path.endsWith("/responses") && body)) {
    log("other", { method: req.method, path: req.url, bytes: raw.length, encoding: enc });
    return json(404, { error: { message: "mock: not served", type: "invalid_request_error" } });
  }
  const input = typeof body.input === "string" ? [{ role: "user", content: body.input }] : body.input;
  const tools = [
    ...(body.tools ?? []),
    ...input.flatMap((i) =>
      ["additional_tools", "tool_search_output"].includes(i.type) ? (i.tools ?? []) : [],
    ),
  ];
  const conv = conversation(input);
  const main = tools.length > 0;
  log(main ? "turn" : "side", {
    model: body.model,
    stream: !!body.stream,
    turn: conv.turnIndex,
    tools: tools.flatMap((t) =>
      t.type === "namespace" ? t.tools.map((x) => `${t.name}/${x.name}`) : [t.name ?? t.type],
    ),
    deferred: tools
      .flatMap((t) => [t, ...(t.tools ?? [])])
      .filter((t) => t.defer_loading)
      .map((t) => t.name),
    toolDefs: main
      ? tools.filter(
          (t) => opt.full || t.type === "namespace" || /mcp/.test(t.name ?? "") || t.type === "tool_search",
        )
      : undefined,
    results: conv.results,
    ...(opt.full ? { body } : { lastInput: input.slice(-1) }),
  });
  const turn = main
    ? nextTurn(scenario, { ...conv, results: conv.results.map((r) => r.text) })
    : { index: -1, text: fill(scenario.side ?? "ok", []), calls: [] };
  if (turn.delay) await sleep(turn.delay);
  if (turn.error) {
    log("error", { turn: turn.index, error: turn.error });
    return json(turn.error.status ?? 500, {
      error: { type: turn.error.type ?? "server_error", message: turn.error.message ?? "scripted" },
    });
  }
  const items = itemsFor(turn, tools);
  log("answer", { turn: turn.index, main, items });
  const id = `resp_mock${++seq}`;
  const usage = {
    input_tokens: 10,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: 20,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: 30,
  };
  res.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  const send = (type, data) =>
    res.write(`event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: ++seq, ...data })}\n\n`);
  send("response.created", {
    response: { id, object: "response", status: "in_progress", model: body.model, output: [] },
  });
  items.forEach((item, output_index) => {
    send("response.output_item.added", {
      output_index,
      item:
        item.type === "message"
          ? { ...item, status: "in_progress", content: [] }
          : { ...item, status: "in_progress" },
    });
    if (item.type === "message") {
      const text = item.content[0].text;
      send("response.output_text.delta", { item_id: item.id, output_index, content_index: 0, delta: text });
      send("response.output_text.done", { item_id: item.id, output_index, content_index: 0, text });
    }
    send("response.output_item.done", { output_index, item });
  });
  send("response.completed", {
    response: { id, object: "response", status: "completed", model: body.model, output: items, usage },
  });
  res.end();
});
server.listen(Number(opt.port), "127.0.0.1", () => {
  const { port } = server.address();
  if (opt["port-file"]) fs.writeFileSync(opt["port-file"], String(port));
  log("listening", { port });
  // Started with an IPC channel (stand-ins.ts): tell the port, and do not outlive the test that asked.
  process.send?.({ port });
});
process.on("disconnect", () => process.exit(0));

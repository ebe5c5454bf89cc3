// Shared by both stand-in model servers (tests start them with stand-ins.ts): which scripted turn comes next, template filling, JSONL recording.
//
// Scenario file (JSON):
// { "turns": [ <turn>, ... ],                       // the default script
//   "scripts": [ { "when": "substring of the first user text", "turns": [ ... ] } ] }
// <turn>: { "text": "..." }                         // a final assistant message
//       | { "tool": "name", "input": {...} }        // one tool call
//       | { "tools": [ { "tool": "...", "input": {...} }, ... ] } // parallel calls
//   each may add "delay_ms": N, "text": "..." before the calls, or
//   "error": { "status": 529, "type": "overloaded_error", "message": "..." } (answered `times` times, default 1).
// Templates in any string: {{result[N]}}  {{result[-1].a.b}}  {{result[0]~/regex(group)/}}
//   N counts tool results of the conversation from 0 (negative: from the end); a path reads
//   the result's text as JSON (the first JSON object or array in it). A string that is one
//   whole template keeps the value's type.
// The turn is found from the conversation itself (how many assistant turns it holds), so
// retries and reconnects repeat the same turn instead of skipping one.
import fs from "node:fs";

export function loadScenario(file) {
  const s = JSON.parse(fs.readFileSync(file, "utf8"));
  if (!Array.isArray(s.turns) && !Array.isArray(s.scripts))
    throw new Error("scenario needs turns or scripts");
  return s;
}

export function recorder(file) {
  const fd = file ? fs.openSync(file, "a") : null;
  let seq = 0;
  return (kind, data) => {
    const line = JSON.stringify({ seq: seq++, t: Date.now(), kind, ...data });
    if (fd !== null) fs.writeSync(fd, line + "\n");
    else process.stdout.write(line + "\n");
  };
}

function firstJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    /* look inside */
  }
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c !== "{" && c !== "[") continue;
    let depth = 0,
      str = false;
    for (let j = i; j < text.length; j++) {
      const d = text[j];
      if (str) {
        if (d === "\\") j++;
        else if (d === '"') str = false;
        continue;
      }
      if (d === '"') str = true;
      else if (d === "{" || d === "[") depth++;
      else if ((d === "}" || d === "]") && --depth === 0) {
        try {
          return JSON.parse(text.slice(i, j + 1));
        } catch {
          break;
        }
      }
    }
  }
  return undefined;
}

function lookup(expr, results) {
  const m = /^result\[(-?\d+)\](.*)$/s.exec(expr.trim());
  if (!m) return undefined;
  const n = Number(m[1]);
  const text = results.at(n);
  if (text === undefined) return undefined;
  const rest = m[2];
  if (!rest) return text;
  if (rest.startsWith("~/") && rest.endsWith("/")) {
    const r = new RegExp(rest.slice(2, -1), "s").exec(text);
    return r ? (r[1] ?? r[0]) : undefined;
  }
  let v = firstJson(text);
  for (const key of rest
    .replace(/\[(\d+)\]/g, ".$1")
    .split(".")
    .filter(Boolean))
    v = v?.[key];
  return v;
}

export function fill(value, results) {
  if (typeof value === "string") {
    const whole = /^\{\{([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}\}$/.exec(value);
    if (whole) {
      const v = lookup(whole[1], results);
      return v === undefined ? value : v;
    }
    return value.replace(/\{\{([^}]*)\}\}/g, (all, e) => {
      const v = lookup(e, results);
      return v === undefined ? all : typeof v === "string" ? v : JSON.stringify(v);
    });
  }
  if (Array.isArray(value)) return value.map((v) => fill(v, results));
  if (value && typeof value === "object")
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, fill(v, results)]));
  return value;
}

const errorsSent = new Map();

// -> { index, text, calls: [{tool, input}], delay, error }
export function nextTurn(scenario, { turnIndex, firstUserText, results }) {
  const script = (scenario.scripts ?? []).find((s) => firstUserText.includes(s.when)) ?? scenario;
  const turns = script.turns ?? [];
  const turn = turns[turnIndex] ?? { text: `[mock] script ended (turn ${turnIndex})` };
  if (turn.error) {
    const key = `${script.when ?? ""}#${turnIndex}`;
    const sent = errorsSent.get(key) ?? 0;
    if (sent < (turn.error.times ?? 1)) {
      errorsSent.set(key, sent + 1);
      return { index: turnIndex, error: turn.error, calls: [] };
    }
  }
  const calls = (turn.tools ?? (turn.tool ? [turn] : [])).map((c) => ({
    tool: fill(c.tool, results),
    input: fill(c.input ?? {}, results),
    raw: c.raw === undefined ? undefined : String(fill(c.raw, results)),
    kind: c.kind,
    namespace: c.namespace,
  }));
  return {
    index: turnIndex,
    text: turn.text === undefined ? undefined : fill(turn.text, results),
    calls,
    delay: turn.delay_ms ?? 0,
  };
}

export const sleep = (ms) => new Promise((r) => setTimeout(r, ms));

export async function readBody(req) {
  const chunks = [];
  for await (const c of req) chunks.push(c);
  return Buffer.concat(chunks);
}

export function args(defaults) {
  const out = { ...defaults };
  const av = process.argv.slice(2);
  for (let i = 0; i < av.length; i++) {
    const m = /^--([a-z-]+)(?:=(.*))?$/s.exec(av[i]);
    if (!m) throw new Error(`unknown argument ${av[i]}`);
    out[m[1]] = m[2] ?? (av[i + 1] === undefined || av[i + 1].startsWith("--") ? true : av[++i]);
  }
  return out;
}

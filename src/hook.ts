/**
 * `coven hook HARNESS`: what a harness tells a hook of it on standard input goes on to the daemon, for the run whose
 * token stands in the environment.
 *
 * The harness waits for this program and reads what it prints. So it loads next to nothing, starts no daemon, gives up
 * soon, prints nothing on standard output, and is silent where no daemon listens. It never exits with 2, which a
 * harness takes as a refusal of what is asked.
 */
import { fstatSync, readFileSync } from "node:fs";
import { Socket, connect } from "node:net";
import { homedir } from "node:os";
import { join } from "node:path";

/** How long a harness may be kept waiting, ms, whatever hangs. */
const patienceMs = 2000;

/** Of a longer event only the names at its beginning are read, bytes. */
const eventBytesMax = 1_000_000;

/** Of the event is sent, bytes: far less than the daemon takes, far more than a person reads. */
const sentBytesMax = 16_000;

/** What the daemon reads of an event. The rest, such as what a tool answered or was said last, may be long and private. */
const fields = [
  "hook_event_name",
  "session_id",
  "agent_id",
  "source",
  "tool_name",
  "tool_input",
  "message",
  "notification_type",
  "error",
  "mcp_server_name",
] as const;

/** The exit codes of `errors.ts`, which is not loaded for them. */
const exitCodes = { done: 0, wrongCall: 64, notAllowed: 77 } as const;

type Json = Readonly<Record<string, unknown>>;

interface Outcome {
  readonly exit: number;
  readonly says?: string;
}

const [harness = ""] = process.argv.slice(2);
setTimeout(() => process.exit(exitCodes.done), patienceMs);
void report(harness).then(({ exit, says }) => {
  // Written before it is left: a pipe takes so little at once.
  if (says !== undefined) process.stderr.write(`coven hook: ${says}\n`);
  process.exit(exit);
});

async function report(harness: string): Promise<Outcome> {
  if (harness === "" || harness.startsWith("-")) {
    const says = "invalid_request: it is called as coven hook HARNESS, with a hook's event on standard input";
    return { exit: exitCodes.wrongCall, says };
  }
  const token = process.env["COVEN_TOKEN"];
  if (token === undefined || token === "") {
    const says = "not_permitted: only a session's harness calls it, with the token of its run in COVEN_TOKEN";
    return { exit: exitCodes.notAllowed, says };
  }
  const read = await standardInput();
  const event = read === undefined ? undefined : eventIn(read);
  if (event === undefined) {
    const says = "invalid_request: it reads a hook's event, a JSON object, on standard input";
    return { exit: exitCodes.wrongCall, says };
  }
  const body = JSON.stringify({ action: "hook", args: { harness, event: fitting(event) } });
  const answer = await post(body, token);
  return answer === undefined ? { exit: exitCodes.done } : outcomeOf(answer);
}

/** Undefined where a person's terminal would be waited for. */
async function standardInput(): Promise<Buffer | undefined> {
  const stat = fstatSync(0);
  if (!stat.isFIFO() && !stat.isSocket()) return process.stdin.isTTY ? undefined : readFileSync(0);
  // `process.stdin` would do the same, and take longer to be there.
  const input = new Socket({ fd: 0, readable: true, writable: false });
  const pieces: Buffer[] = [];
  let bytes = 0;
  return new Promise((resolve) => {
    input.on("data", (piece) => {
      // What is over the limit is read all the same: a harness must not write into a pipe that nobody empties.
      if (bytes <= eventBytesMax) pieces.push(piece);
      bytes += piece.length;
    });
    input.on("error", () => resolve(Buffer.concat(pieces)));
    input.on("end", () => resolve(Buffer.concat(pieces)));
  });
}

function eventIn(read: Buffer): Json | undefined {
  if (read.length > eventBytesMax) return namesIn(read.toString("utf8", 0, eventBytesMax));
  try {
    const event: unknown = JSON.parse(read.toString("utf8"));
    return isObject(event) ? event : undefined;
  } catch {
    return undefined; // said to the caller
  }
}

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Which event of whom it was; the harnesses write these first, and whatever is long behind them. */
function namesIn(text: string): Json | undefined {
  const found = ["hook_event_name", "session_id", "agent_id", "tool_name"].flatMap((name) => {
    const value = new RegExp(`"${name}":"([^"\\\\]{1,200})"`).exec(text)?.[1];
    return value === undefined ? [] : [[name, value] as const];
  });
  return found.some(([name]) => name === "hook_event_name") ? Object.fromEntries(found) : undefined;
}

/** Its telling fields, with their texts cut as far as it takes. */
function fitting(event: Json): Json {
  const told = fields.flatMap((name) => (event[name] === undefined ? [] : [[name, event[name]] as const]));
  for (const charactersMax of [2000, 200, 20]) {
    const cut = told.map(([name, value]) => [name, shortened(value, charactersMax)] as const);
    const fits = Buffer.byteLength(JSON.stringify(cut)) <= sentBytesMax;
    if (fits) return Object.fromEntries(cut);
  }
  return Object.fromEntries(told.filter(([name]) => name === "hook_event_name" || name === "session_id"));
}

/** Entries of a list or an object, and levels of them, that a question ever has. */
const entriesMax = 20;
const levelsMax = 5;

function shortened(value: unknown, charactersMax: number, levels = levelsMax): unknown {
  if (typeof value === "string") return value.slice(0, charactersMax).replace(/[\ud800-\udbff]$/, "");
  if (typeof value !== "object" || value === null) return value;
  if (levels === 0) return null;
  const inner = (each: unknown): unknown => shortened(each, charactersMax, levels - 1);
  if (Array.isArray(value)) {
    const entries: readonly unknown[] = value;
    return entries.slice(0, entriesMax).map(inner);
  }
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, entriesMax)
      .map(([name, each]) => [name.slice(0, charactersMax), inner(each)]),
  );
}

/** The whole HTTP answer; undefined where nobody listens, or hangs up. */
function post(body: string, token: string): Promise<string | undefined> {
  // The rule of `home.ts`.
  const home = process.env["COVEN_HOME"] || join(homedir(), ".coven");
  const head = [
    "POST /api/v1/actions HTTP/1.1",
    "Host: localhost",
    // A line break would begin a header of its own; no token has one.
    `Authorization: Bearer ${token.replaceAll(/\s/g, "")}`,
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
  ];
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect(join(home, "coven.sock"), () =>
      socket.write(`${head.join("\r\n")}\r\n\r\n${body}`),
    );
    socket.setEncoding("utf8");
    socket.on("data", (text) => (answer += String(text)));
    socket.on("error", () => resolve(undefined));
    socket.on("end", () => resolve(answer));
  });
}

/** Only what is wrong with the call itself is told: a daemon in trouble is no matter of the harness. */
function outcomeOf(answer: string): Outcome {
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]);
  if (!(status >= 400 && status < 500)) return { exit: exitCodes.done };
  const isForbidden = status === 401 || status === 403;
  return { exit: isForbidden ? exitCodes.notAllowed : exitCodes.wrongCall, says: failureIn(answer) };
}

function failureIn(answer: string): string {
  const body = answer.slice(answer.indexOf("\r\n\r\n") + 4);
  try {
    const parsed: unknown = JSON.parse(body);
    const error = isObject(parsed) && isObject(parsed["error"]) ? parsed["error"] : {};
    return [`${String(error["code"])}:`, error["message"], error["hint"]].filter(Boolean).join(" ");
  } catch {
    return answer.slice(0, answer.indexOf("\r\n"));
  }
}

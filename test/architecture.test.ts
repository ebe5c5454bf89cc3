/** Holds the import table of the house: who may know whom, and which folder alone knows a package. */
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const src = fileURLToPath(new URL("../src", import.meta.url));

/** Room → the rooms whose values it may import; `types` are those it may know by type only. */
const rooms: Readonly<
  Record<string, { readonly values: readonly string[]; readonly types?: readonly string[] }>
> = {
  errors: { values: [] },
  events: { values: [] },
  home: { values: ["errors"] },
  config: { values: [], types: ["home"] },
  hook: { values: [] },
  "caller-token": { values: ["errors"] },
  log: { values: [] },
  "loopback-address": { values: ["errors"] },
  "owner-token": { values: ["errors"], types: ["home"] },
  text: { values: ["errors", "events"] },
  store: { values: ["errors", "events"] },
  "runtime/harness": { values: ["errors", "events"], types: ["text"] },
  "runtime/host": { values: ["runtime/harness", "store", "text", "errors", "events", "home", "log"] },
  runtime: {
    values: ["runtime/harness", "runtime/host", "store", "text", "errors", "events", "home", "log"],
  },
  capabilities: { values: ["text", "errors", "events"], types: ["runtime", "runtime/harness", "store"] },
  rpc: { values: ["capabilities", "errors", "events", "home", "log", "loopback-address", "caller-token"] },
  client: { values: ["capabilities", "errors", "rpc/client"], types: ["events"] },
  index: { values: ["client", "errors"], types: ["capabilities", "events"] },
  mcp: { values: ["capabilities", "errors", "rpc/client"] },
  cli: {
    values: [
      "capabilities",
      "text",
      "errors",
      "events",
      "home",
      "config",
      "caller-token",
      "loopback-address",
      "owner-token",
      "rpc/client",
    ],
  },
};

/** What whoever calls the daemon shares: the line to it, where it is, and waiting while it is away. */
const clientSide = new Set(["rpc/client", "rpc/endpoint", "rpc/answers", "rpc/patience"]);

/** What of the host the daemon's own rooms may use: the line to it, and who a process is. */
const hostForDaemon = new Set(["link", "processes", "protocol"]);

/** Package → the one room that knows it. */
const owners: Readonly<Record<string, string>> = {
  pino: "log",
  "pino-roll": "log",
  "@xterm/headless": "text",
  re2js: "text",
  "better-sqlite3": "store",
  "node-pty": "runtime/host",
  "shell-env": "runtime",
  fastify: "rpc",
  ws: "rpc",
  "json-rpc-2.0": "rpc",
  commander: "cli",
  "@modelcontextprotocol/sdk": "mcp",
};

/** Of `@scope/name/some/file.js` the package. */
const packageOf = (name: string): string => name.split("/", name.startsWith("@") ? 2 : 1).join("/");

interface Import {
  readonly from: string;
  readonly to: string;
  readonly isType: boolean;
}

const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((name) =>
  /(?<!\.d)\.ts$/.test(name),
);
const imports = files.flatMap(importsOf);

function importsOf(file: string): Import[] {
  const text = readFileSync(join(src, file), "utf8");
  const found = text.matchAll(
    /(?:^|\n)(?:import|export)\s+(type\s)?[^;]*?from\s+"([^"]+)"|import\("([^"]+)"\)/g,
  );
  return [...found].map(([, type, name = "", lazy]) => ({
    from: file,
    to: lazy ?? name,
    isType: type !== undefined,
  }));
}

const local = imports
  .filter(({ to }) => to.startsWith("."))
  .map((each) => ({ ...each, to: relative(src, join(src, dirname(each.from), each.to)) }));

function roomOf(file: string): string {
  const path = file.replace(/\.ts$/, "");
  if (clientSide.has(path)) return "rpc/client";
  const folder = dirname(path);
  // Its verbs, terminals and checks are one room with it.
  if (folder.startsWith("cli/")) return "cli";
  if (folder === "rpc/json-rpc") return "rpc";
  return folder === "." ? path : folder;
}

/** The composition roots may know everybody. */
const roots = new Set([
  "main",
  "compose",
  "daemon",
  "sole-daemon",
  "serve-daemon",
  "serve-host",
  "serve-screens",
  "mcp-bridge",
]);

describe("the tree", () => {
  test("imports only downwards, as the table of rooms says", () => {
    const wrong = local.filter(({ from, to, isType }) => {
      const [room, other] = [roomOf(from), roomOf(to)];
      const allowed = rooms[room === "rpc/client" ? "rpc" : room];
      if (roots.has(room) || other === room || (room === "rpc/client" && other === "rpc")) return false;
      if (room === "rpc" && other === "rpc/client") return false;
      if (allowed?.values.includes(other) === true) return false;
      return !(isType && allowed?.types?.includes(other) === true);
    });
    expect(wrong).toEqual([]);
  });

  test("has no room that the table does not know, and no permission that nobody uses", () => {
    const used = new Map<string, Set<string>>();
    for (const { from, to } of local) {
      const room = roomOf(from) === "rpc/client" ? "rpc" : roomOf(from);
      used.set(room, (used.get(room) ?? new Set()).add(roomOf(to)));
    }
    const known = new Set([...Object.keys(rooms), ...roots, "types"]);
    expect(files.map(roomOf).filter((room) => !known.has(room) && room !== "rpc/client")).toEqual([]);
    const stale = Object.entries(rooms).flatMap(([room, { values, types = [] }]) =>
      [...values, ...types]
        .filter((other) => used.get(room)?.has(other) !== true)
        .map((other) => `${room} → ${other}`),
    );
    expect(stale).toEqual([]);
  });

  test("knows of the host, in the daemon, only the line to it and who a process is", () => {
    const wrong = local.filter(
      ({ from, to, isType }) =>
        roomOf(from) === "runtime" &&
        roomOf(to) === "runtime/host" &&
        !isType &&
        !hostForDaemon.has(nameOf(to)),
    );
    expect(wrong).toEqual([]);
  });

  test("keeps each package to its one room", () => {
    const wrong = imports.filter(({ from, to, isType }) => {
      const owner = owners[packageOf(to)];
      return !isType && owner !== undefined && owner !== roomOf(from).replace("rpc/client", "rpc");
    });
    expect(wrong).toEqual([]);
  });

  test("has no circle of imports", () => {
    const next = new Map<string, string[]>();
    for (const { from, to, isType } of local) if (!isType) next.set(from, [...(next.get(from) ?? []), to]);
    const circles: string[] = [];
    const done = new Set<string>();
    const walk = (file: string, way: readonly string[]): void => {
      if (way.includes(file)) circles.push([...way.slice(way.indexOf(file)), file].join(" → "));
      if (done.has(file) || way.includes(file)) return;
      for (const other of next.get(file) ?? []) walk(other, [...way, file]);
      done.add(file);
    };
    for (const file of files) walk(file, []);
    expect(circles).toEqual([]);
  });

  test("writes SQL in the store only", () => {
    const wrong = files.filter(
      (file) =>
        !file.startsWith("store/") &&
        /"(?:SELECT|INSERT|UPDATE|DELETE) |`\s*(?:SELECT|INSERT|UPDATE|DELETE) /.test(
          readFileSync(join(src, file), "utf8"),
        ),
    );
    expect(wrong).toEqual([]);
  });
});

const nameOf = (file: string): string => file.replace(/^.*\/|\.ts$/g, "");

// Writes the tables of README.md from the code that they list, between their markers, and docs/openapi.json. CI fails
// when that changes anything: `node scripts/generate.mjs --check`.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { format, resolveConfig } from "prettier";
import { exportsOf } from "./exports-of.mjs";

const { capabilities, failures, openApiDocument } = await exportsOf(`
  export { capabilities } from "./src/capabilities/registry.ts";
  export { failures } from "./src/errors.ts";
  export { openApiDocument } from "./src/rpc/openapi.ts";
`);

const tables = {
  actions: table(
    ["action", "effect", "for a run", "tool", "arguments", "what it does"],
    [...capabilities.values()].map(({ name, effect, right, tool, input, summary }) => [
      code(name),
      effect,
      right,
      tool === false ? "" : "yes",
      argumentsOf(input),
      summary,
    ]),
  ),
  failures: table(
    ["code", "HTTP", "exit code", "may succeed if repeated"],
    Object.entries(failures).map(([name, { http, exit, retry }]) => [
      code(name),
      http,
      exit,
      retry ? "yes" : "no",
    ]),
  ),
};

const before = readFileSync("README.md", "utf8");
let after = before;
for (const [name, text] of Object.entries(tables)) {
  const [begin, end] = [`<!-- ${name}: made by npm run generate -->`, `<!-- end of ${name} -->`];
  const [from, to] = [after.indexOf(begin), after.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`README.md has no place for the table of ${name}`);
  after = `${after.slice(0, from + begin.length)}\n\n${text}\n\n${after.slice(to)}`;
}
const openApi = "docs/openapi.json";
const generated = new Map([
  ["README.md", await formatted("README.md", after, "markdown")],
  [openApi, await formatted(openApi, JSON.stringify(openApiDocument()), "json")],
]);

if (process.argv.includes("--check")) {
  const stale = [...generated].filter(
    ([file, text]) => !existsSync(file) || readFileSync(file, "utf8") !== text,
  );
  if (stale.length === 0) process.exit(0);
  console.error(
    `${stale.map(([file]) => file).join(", ")}: not what the code says; run npm run generate and commit it.`,
  );
  process.exit(1);
}
mkdirSync("docs", { recursive: true });
for (const [file, text] of generated) writeFileSync(file, text);

async function formatted(file, text, parser) {
  return format(text, { ...(await resolveConfig(file)), parser });
}

function argumentsOf(input) {
  const names = Object.entries(input.shape).map(([name, schema]) =>
    schema.isOptional() ? `${name}?` : name,
  );
  return names.length === 0 ? "–" : code(names.join(", "));
}

function table(head, rows) {
  const line = (cells) => `| ${cells.map((cell) => String(cell).replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

function code(text) {
  return `\`${text}\``;
}

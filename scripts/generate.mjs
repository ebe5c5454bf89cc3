// Writes the tables of README.md from the code that they list, between their markers. CI fails when that changes
// anything: `node scripts/generate.mjs --check`.
import { readFileSync, writeFileSync } from "node:fs";
import { build } from "esbuild";
import { format, resolveConfig } from "prettier";

const { capabilities, failures } = await load(`
  export { capabilities } from "./src/capabilities/registry.ts";
  export { failures } from "./src/errors.ts";
`);

const tables = {
  actions: table(
    ["action", "effect", "arguments", "what it does"],
    [...capabilities.values()].map(({ name, effect, input, summary }) => [
      code(name),
      effect,
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
after = await format(after, { ...(await resolveConfig("README.md")), parser: "markdown" });

if (process.argv.includes("--check")) {
  if (after === before) process.exit(0);
  console.error("README.md is not what the code says; run npm run generate and commit it.");
  process.exit(1);
}
writeFileSync("README.md", after);

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

/** What a piece of TypeScript exports. */
async function load(contents) {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: process.cwd(), loader: "ts" },
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    logLevel: "warning",
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
}

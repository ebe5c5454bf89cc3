// Bundles src into dist, split so that each verb loads only its part; the worker is an entry of its own. Native modules stay outside.
import { chmodSync, rmSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

// The MCP SDK loads a validator for forms that no server of ours sends; it would be a fifth of the start of `coven mcp`.
const withoutAjv = {
  name: "without-ajv",
  setup(esbuild) {
    esbuild.onLoad({ filter: /sdk[\\/]dist[\\/]esm[\\/]validation[\\/]ajv-provider\.js$/ }, () => ({
      contents:
        "export class AjvJsonSchemaValidator { constructor() { throw new Error('give the server a jsonSchemaValidator'); } }",
    }));
  },
};

// pino-roll asks for all of date-fns, 300 files, to format a date; they would be a fifth of the start of daemon and host.
const littleOfDateFns = {
  name: "little-of-date-fns",
  setup(esbuild) {
    const used = ["addDays", "addHours", "format", "isValid", "parse"];
    esbuild.onLoad({ filter: /date-fns[\\/]index\.c?js$/ }, () => ({
      contents: used.map((name) => `exports.${name} = require("./${name}.cjs").${name};`).join("\n"),
    }));
  },
};

rmSync("dist", { recursive: true, force: true });
await build({
  entryPoints: ["src/main.ts", "src/serve-screens.ts", "src/index.ts"],
  outdir: "dist",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20.19",
  external: ["better-sqlite3", "node-pty", "fs-ext"],
  sourcemap: true,
  // Bundled CommonJS packages ask for node's own modules by require.
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
  },
  plugins: [withoutAjv, littleOfDateFns],
  logLevel: "warning",
});
// A harness waits for it at every hook: one small file, in the module format that starts soonest.
await build({
  entryPoints: ["src/hook.ts"],
  outfile: "dist/hook.cjs",
  bundle: true,
  format: "cjs",
  platform: "node",
  target: "node20.19",
  minify: true,
  logLevel: "warning",
});
// For the launcher: native modules load on the Node whose ABI they were built for.
writeFileSync("dist/built-with", `${process.execPath}\n${process.versions.modules}\n${process.version}\n`);
chmodSync("bin/coven", 0o755);

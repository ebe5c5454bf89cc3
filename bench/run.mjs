// Bundles the bench (Node 20 runs no TypeScript) and runs it: npm run bench [-- reads launch latency …]
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const outfile = `${root}.cache/bench.mjs`;
await build({
  entryPoints: [`${root}bench/main.ts`],
  outfile,
  bundle: true,
  packages: "external",
  format: "esm",
  platform: "node",
  target: "node20.19",
  define: { "import.meta.dirname": JSON.stringify(`${root}bench`) },
  logLevel: "warning",
});
const { main } = await import(pathToFileURL(outfile).href);
process.exitCode = await main(process.argv.slice(2));

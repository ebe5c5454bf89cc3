// Runs the MCP conformance suite against Coven's HTTP transport with a fixture on it (test/conformance). The suite, and
// the newer Node that it needs, are installed in the versions of test/conformance/programs.json, into
// .cache/conformance or the folder that COVEN_TEST_CONFORMANCE names. What is there already stays as it is.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { ensurePrograms } from "./test-programs.mjs";

/** How long the whole suite may take, ms: on a small machine it takes about ten seconds. */
const suiteMsMax = 10 * 60_000;

const revision = process.argv[2] ?? "2025-11-25";
const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const folder = resolve(process.env.COVEN_TEST_CONFORMANCE || join(root, ".cache/conformance"));
ensurePrograms("conformance", join(root, "test/conformance/programs.json"), folder);

const fixture = await startFixture();
try {
  process.exitCode = await runSuite(fixture.url);
} finally {
  await fixture.stop();
}

/** Bundled, since it is TypeScript that Node 20 does not read. */
async function startFixture() {
  const outfile = join(folder, "fixture.mjs");
  await build({
    entryPoints: [join(root, "test/conformance/server.ts")],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20.19",
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
    },
    logLevel: "warning",
  });
  // It ends with its input, so also when this program is killed.
  const child = spawn(process.execPath, [outfile], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(child, "exit");
  const url = await Promise.race([once(child.stdout, "data"), ended.then(() => undefined)]);
  if (url === undefined) throw new Error("the fixture did not start");
  return {
    url: String(url[0]).trim(),
    stop: async () => {
      child.stdin.end();
      await ended;
    },
  };
}

async function runSuite(url) {
  const node = join(folder, "node_modules/node/bin/node");
  const suite = join(folder, "node_modules/@modelcontextprotocol/conformance/dist/index.js");
  const results = join(folder, "results");
  rmSync(results, { recursive: true, force: true });
  const options = ["--url", url, "--requirements", revision, "--output-dir", results];
  const child = spawn(node, [suite, "server", ...options], { cwd: folder, stdio: "inherit" });
  const tooLong = setTimeout(() => child.kill("SIGKILL"), suiteMsMax);
  const [code, signal] = await once(child, "exit");
  clearTimeout(tooLong);
  console.log(`conformance: ${revision} against ${url}: ${signal ?? `exit ${code}`}`);
  return code ?? 1;
}

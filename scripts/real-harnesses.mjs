// Installs the real harness programs for `npm run test:real`, in the versions of test/real/programs.json, into
// .cache/harnesses or the folder that COVEN_TEST_HARNESSES names. What is there already stays as it is.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const folder = resolve(process.env.COVEN_TEST_HARNESSES || join(root, ".cache/harnesses"));
const wanted = Object.entries(readJson(join(root, "test/real/programs.json")));

const missing = wanted.filter(([name, version]) => installedVersion(name) !== version);
for (const [name, version] of wanted) {
  const found = installedVersion(name);
  const state = found === version ? "is there" : found === undefined ? "is missing" : `is there as ${found}`;
  console.log(`real harnesses: ${name} ${version} ${state} (${folder})`);
}
if (missing.length > 0) install(missing.map(([name, version]) => `${name}@${version}`));

function install(packages) {
  console.log(`real harnesses: installing ${packages.join(" and ")}`);
  mkdirSync(folder, { recursive: true });
  // Without a package.json of its own npm would take the folder for a part of the project around it. Claude Code's
  // package puts the program for this machine in place by an install script.
  const manifest = join(folder, "package.json");
  const allowScripts = Object.fromEntries(wanted.map(([name]) => [name, true]));
  if (!existsSync(manifest)) writeFileSync(manifest, `${JSON.stringify({ private: true, allowScripts })}\n`);
  const options = ["--save-exact", "--no-audit", "--no-fund"];
  const { status } = spawnSync("npm", ["install", "--prefix", folder, ...options, ...packages], {
    cwd: folder,
    stdio: "inherit",
  });
  if (status !== 0) process.exit(status ?? 1);
}

function installedVersion(name) {
  const manifest = join(folder, "node_modules", name, "package.json");
  return existsSync(manifest) ? readJson(manifest).version : undefined;
}

function readJson(file) {
  return JSON.parse(readFileSync(file, "utf8"));
}

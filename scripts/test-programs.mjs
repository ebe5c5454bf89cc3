// Programs that only some tests need, in exact versions, installed into a folder of their own. What is there already
// stays as it is.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** `versions`: a JSON file of package names and their versions. */
export function ensurePrograms(what, versions, folder) {
  const wanted = Object.entries(readJson(versions));
  const missing = wanted.filter(([name, version]) => installedVersion(folder, name) !== version);
  for (const [name, version] of wanted) {
    const found = installedVersion(folder, name);
    const state =
      found === version ? "is there" : found === undefined ? "is missing" : `is there as ${found}`;
    console.log(`${what}: ${name} ${version} ${state} (${folder})`);
  }
  if (missing.length === 0) return;
  const packages = missing.map(([name, version]) => `${name}@${version}`);
  console.log(`${what}: installing ${packages.join(" and ")}`);
  install(
    folder,
    packages,
    wanted.map(([name]) => name),
  );
}

function install(folder, packages, names) {
  mkdirSync(folder, { recursive: true });
  // Without a package.json of its own npm would take the folder for a part of the project around it. Some packages put
  // the program for this machine in place by an install script.
  const manifest = join(folder, "package.json");
  const allowScripts = Object.fromEntries(names.map((name) => [name, true]));
  if (!existsSync(manifest)) writeFileSync(manifest, `${JSON.stringify({ private: true, allowScripts })}\n`);
  const options = ["--save-exact", "--no-audit", "--no-fund"];
  const { status } = spawnSync("npm", ["install", "--prefix", folder, ...options, ...packages], {
    cwd: folder,
    stdio: "inherit",
  });
  if (status !== 0) process.exit(status ?? 1);
}

function installedVersion(folder, name) {
  const manifest = join(folder, "node_modules", name, "package.json");
  return existsSync(manifest) ? readJson(manifest).version : undefined;
}

const readJson = (file) => JSON.parse(readFileSync(file, "utf8"));

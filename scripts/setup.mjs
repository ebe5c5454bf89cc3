// Makes a fresh clone ready: installs what the lock file names when it is not there yet, then builds.
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";

process.chdir(resolve(dirname(fileURLToPath(import.meta.url)), ".."));

const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Coven needs Node 20.19 or newer; this is ${process.version}.`);
  process.exit(1);
}

const installed = "node_modules/.package-lock.json";
const isInstalled =
  existsSync(installed) && statSync(installed).mtimeMs >= statSync("package-lock.json").mtimeMs;
if (!isInstalled) run("npm", ["ci", "--no-audit", "--no-fund"]);
run(process.execPath, ["scripts/build.mjs"]);

function run(command, args) {
  const { status } = spawnSync(command, args, { stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}

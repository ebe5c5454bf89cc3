// Installs the real harness programs for `npm run test:real`, in the versions of test/real/programs.json, into
// .cache/harnesses or the folder that COVEN_TEST_HARNESSES names. What is there already stays as it is.
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { ensurePrograms } from "./test-programs.mjs";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const folder = resolve(process.env.COVEN_TEST_HARNESSES || join(root, ".cache/harnesses"));
ensurePrograms("real harnesses", join(root, "test/real/programs.json"), folder);

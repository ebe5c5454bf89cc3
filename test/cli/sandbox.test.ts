/** The CLI where a sandbox lets it reach no socket. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { covenForFile } from "../support/coven.ts";

const { coven, socket } = covenForFile();

const forbids = fileURLToPath(new URL("../fixtures/forbids-connect.cjs", import.meta.url));
const env = { NODE_OPTIONS: `--require=${forbids}` };

test("in the sandbox of Codex says that it forbids the socket, and to use the tools, and starts no daemon", async () => {
  const { code, stdout, stderr } = await coven(["list"], {
    env: { ...env, CODEX_SANDBOX_NETWORK_DISABLED: "1" },
  });
  expect({ code, stdout }).toEqual({ code: 69, stdout: "" });
  expect(stderr).toMatch(
    /^coven: runtime_unavailable: the sandbox of Codex forbids it: cannot reach .*coven\.sock: connect EPERM .*\nUse the MCP tools of coven instead/,
  );
  expect(existsSync(socket)).toBe(false);
});

test("in another one says that it is not let out, and not that no daemon runs", async () => {
  const { code, stderr } = await coven(["list"], { env });
  expect(code).toBe(69);
  expect(stderr).toMatch(
    /^coven: runtime_unavailable: cannot reach .*EPERM.*\nA sandbox or a file permission forbids it/,
  );
});

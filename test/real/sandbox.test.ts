/** Codex's own sandbox lets no command reach the daemon's socket; the CLI in it says so. */
import { delimiter, dirname } from "node:path";
import { expect, it } from "vitest";
import { covenForFile } from "../support/coven.ts";
import { programOf } from "./lane.ts";

const { coven, shell, env } = covenForFile();
const PATH = [dirname(programOf("codex")), env["PATH"]].join(delimiter);

it("coven in the sandbox of codex says that it is not let out, and what to use instead", async () => {
  await coven(["daemon", "start"]);
  // Through a pipe, as codex itself reads it: Node hands a child sockets, on which Node in the sandbox cannot write.
  const { stdout } = await shell(`{ codex sandbox -- coven list; echo "code $?"; } 2>&1 | cat`, {
    env: { PATH },
  });
  expect(stdout).toMatch(
    /^coven: runtime_unavailable: the sandbox of Codex forbids it: .*\nUse the MCP tools of coven instead.*\ncode 69$/m,
  );
});

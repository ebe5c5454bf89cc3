import { expect, test } from "vitest";
import { identify, stillLiving } from "../../../src/runtime/host/processes.ts";
import { spawnInPty } from "../../../src/runtime/host/pty.ts";

/** More than one read of a terminal gives (4 KB), less than it takes from a writer that nobody reads from. */
const bytesPrinted = 12_000;
/** Only for a terminal that takes less than that. */
const heldMsMax = 2000;

test("What a harness printed right before its end is read, however late the reader comes to it.", async () => {
  for (let round = 0; round < 5; round += 1) {
    const child = await spawnInPty({
      file: "/bin/sh",
      args: ["-c", `head -c ${bytesPrinted} /dev/zero | tr '\\0' x`],
      cwd: "/",
      env: { PATH: "/usr/bin:/bin" },
      stdin: undefined,
    });
    let bytes = 0;
    const ended = new Promise((resolve) => {
      child.listen({ output: (_, printed) => (bytes += printed.length), ended: resolve });
    });
    holdTheReaderUntilItEnds(child.pid);
    expect(await ended).toEqual({ exitCode: 0, signal: null });
    expect(bytes).toBe(bytesPrinted);
  }
});

function holdTheReaderUntilItEnds(pid: number): void {
  const identity = identify(pid);
  const deadline = performance.now() + heldMsMax;
  while (identity !== undefined && stillLiving([identity]).length > 0 && performance.now() < deadline);
}

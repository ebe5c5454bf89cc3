/** A harness has what it reads and prints to, and nothing of Coven or of another session. */
import { readdirSync, readlinkSync } from "node:fs";
import { expect, test } from "vitest";
import { startDaemon } from "../support/daemon.ts";
import { launchOn, processOf, transports } from "../support/lanes.ts";

test.skipIf(process.platform !== "linux")(
  "no harness holds a descriptor of Coven or of another session, however many are launched at once",
  async () => {
    const daemon = await startDaemon();
    const lanes = await Promise.all(
      Array.from({ length: 5 }, () =>
        transports.map(async (transport) => ({
          transport,
          ...(await launchOn(transport, daemon, "exec sleep 1000")),
        })),
      ).flat(),
    );
    // What the test itself was started with passes through to everybody.
    const ours = new Set(openIn(process.pid).map(({ path }) => path));
    const held: string[] = [];
    for (const { id, transport } of lanes) {
      const { pid } = await processOf(daemon, id);
      const open = openIn(pid).filter(({ fd, path }) => Number(fd) <= 2 || !ours.has(path));
      expect(open.map(({ fd }) => fd).sort()).toEqual(["0", "1", "2"]);
      const paths = new Set(open.map(({ path }) => path));
      for (const path of paths)
        expect(path).toMatch(transport === "pty" ? /^\/dev\/pts\/\d+$/ : /^(socket|pipe):/);
      held.push(...paths);
    }
    expect(new Set(held).size).toBe(held.length);
  },
);

/** What is closed while it is looked at was only open for looking. */
function openIn(pid: number): { fd: string; path: string }[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [{ fd, path: readlinkSync(`/proc/${pid}/fd/${fd}`) }];
    } catch {
      return [];
    }
  });
}

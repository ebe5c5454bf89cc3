import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type Socket, createConnection, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { DaemonConnection } from "../../../src/runtime/host/connection.ts";
import { createLineSplitter } from "../../../src/runtime/host/lines.ts";
import { frameBytesMax, fromHost } from "../../../src/runtime/host/protocol.ts";

/** A host's end of a connection, and the daemon's, which reads nothing yet. */
async function connected() {
  const folder = mkdtempSync(join(tmpdir(), "coven-connection-"));
  const server = createServer();
  onTestFinished(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });
  server.listen(join(folder, "s"));
  await once(server, "listening");
  const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
  const daemon = createConnection(join(folder, "s")).pause();
  onTestFinished(() => void daemon.destroy());
  return { daemon, hostSocket: await accepted };
}

const quiet = { asked: async () => ({}), failed: () => undefined, closed: () => undefined };

test("a daemon that stands still is owed one notice, however much happens, and gets it when it reads", async () => {
  const { daemon, hostSocket } = await connected();
  const host = new DaemonConnection(hostSocket, quiet);
  const last = 200_000;
  for (let seq = 1; seq <= last; seq += 1) host.grown(seq, [`session-${seq % 300}`]);
  host.storeChanged("store_full", last);
  expect(hostSocket.writableLength).toBeLessThan(128 * 1024);

  const sessions = new Set<string>();
  const lines = createLineSplitter(frameBytesMax, () => expect.fail("a line was too long"));
  await new Promise<void>((resolve) => {
    daemon.on("data", (chunk: Buffer) => {
      for (const line of lines.push(chunk)) {
        const notice = fromHost.parse(JSON.parse(line));
        if (!("grown" in notice)) continue;
        for (const session of notice.sessions) sessions.add(session);
        if (notice.store === "store_full" && notice.grown === last) resolve();
      }
    });
    daemon.resume();
  });
  expect(sessions.size).toBe(300);
});

test("a daemon that asks and does not read the answers is not listened to until it does", async () => {
  const { daemon, hostSocket } = await connected();
  let asked = 0;
  const answer = { text: "x".repeat(10_000) };
  new DaemonConnection(hostSocket, { ...quiet, asked: async () => ((asked += 1), answer) });
  const question = Buffer.from(`${"q".repeat(1000)}\n`.repeat(2000));
  daemon.write(question);
  await expect.poll(() => hostSocket.isPaused()).toBe(true);
  expect(asked).toBeLessThan(2000);
  let answers = 0;
  const lines = createLineSplitter(frameBytesMax, () => expect.fail("a line was too long"));
  await new Promise<void>((resolve) => {
    daemon.on("data", (chunk: Buffer) => {
      answers += lines.push(chunk).length;
      if (answers === 2000) resolve();
    });
    daemon.resume();
  });
});

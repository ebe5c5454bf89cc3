/** Every byte a harness printed before its end is in the log, in order, once, whatever the load. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { type TestDaemon, startDaemon } from "../support/daemon.ts";
import {
  addOutput,
  digestOf,
  eventsDigest,
  hostOf,
  launchOn,
  numberedFile,
  outputDigest,
  type Transport,
} from "../support/lanes.ts";

const megabytes = 72;
/** Ten of these through a machine that does other things as well. */
const limitMs = 240_000;

/** A terminal would make CR LF of each newline; on pipes there is none. */
const flooding = (path: string, more = ""): string => `stty -opost 2>&-; cat ${path} ${more}`;

const ended = async ({ client }: TestDaemon, { id, cursor }: { id: string; cursor: string }) => {
  expect(await client.call("watch", { sessions: [id], cursor })).toMatchObject({
    sessions: [{ status: "completed", exitCode: 0 }],
  });
};

test(
  "ten floods in a row are in the log byte for byte, by /output and by /events, from terminals and pipes",
  { timeout: limitMs },
  async () => {
    const daemon = await startDaemon();
    const { path, bytes } = numberedFile(megabytes);
    const wanted = digestOf(bytes);
    const on: Transport[] = ["pty", "pty", "pty", "pipes", "pty", "pty", "pty", "pipes", "pty", "pty"];
    for (const transport of on) {
      const session = await launchOn(transport, daemon, flooding(path));
      await ended(daemon, session);
      expect(await outputDigest(daemon, session.id)).toBe(wanted);
      expect(await eventsDigest(daemon, session.id)).toBe(wanted);
    }
  },
);

test.each(["pty", "pipes"] as const)(
  "a flood on %s is whole although the host was stopped for half a second at its end",
  { timeout: limitMs },
  async (transport) => {
    const daemon = await startDaemon();
    const { path, bytes } = numberedFile(8);
    const last = `#${String(Math.floor(bytes.length / 64) - 2000).padStart(9, "0")}`;
    const session = await launchOn(transport, daemon, flooding(path));
    await daemon.client.call("watch", { sessions: [session.id], cursor: session.cursor, matchText: last });
    const host = String(hostOf(daemon.home));
    spawnSync("sh", ["-c", `kill -STOP ${host}; sleep 0.5; kill -CONT ${host}`]);
    await ended(daemon, session);
    expect(await outputDigest(daemon, session.id)).toBe(digestOf(bytes));
  },
);

test("a reader that does not read holds up nobody, and finds everything when it does", async () => {
  const daemon = await startDaemon();
  const { path, bytes } = numberedFile(20);
  const session = await launchOn("pty", daemon, `read go; ${flooding(path)}`);
  const reading = daemon.client.events(session.id, 0);
  const first = await reading.next();
  await daemon.client.call("input", { session: session.id, keys: ["enter"] });
  await ended(daemon, session);

  const hash = createHash("sha256");
  for (let next = first; next.done !== true && next.value.kind !== "exit"; next = await reading.next())
    addOutput(hash, next.value);
  const echo = Buffer.from("\r\n");
  expect(hash.digest("hex")).toBe(digestOf(echo, bytes));
});

test.each(["pty", "pipes"] as const)(
  "a hundred megabytes on %s as the last act of a harness are all there",
  { timeout: limitMs },
  async (transport) => {
    const daemon = await startDaemon();
    const { path, bytes } = numberedFile(50);
    const session = await launchOn(transport, daemon, `stty -opost 2>&-; exec cat ${path} ${path}`);
    await ended(daemon, session);
    expect(await outputDigest(daemon, session.id)).toBe(digestOf(bytes, bytes));
  },
);

import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { type Socket, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { listen } from "../../src/rpc/listener.ts";
import { type TestDaemon, startDaemon } from "../support/daemon.ts";
import { openEventStream } from "../support/event-stream.ts";
import { launch } from "../support/launch.ts";
import { stubServices } from "../support/services.ts";
import { send } from "../support/socket.ts";

/** A connection that has sent this and then does nothing, reading included. */
async function silentClient(socket: string, request: string): Promise<Socket> {
  const client = connect(socket);
  onTestFinished(() => void client.destroy());
  client.on("error", () => undefined);
  await once(client, "connect");
  client.pause();
  client.write(request);
  return client;
}

const get = (path: string, ...headers: string[]): string =>
  `GET ${path} HTTP/1.1\r\n${["Host: x", ...headers].join("\r\n")}\r\n\r\n`;
const stream = "Accept: text/event-stream";
const upgrade = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
];

const residentBytes = ({ pid }: TestDaemon): number =>
  Number(execFileSync("ps", ["-o", "rss=", "-p", String(pid)], { encoding: "utf8" })) * 1024;

const isHealthy = async ({ socket }: TestDaemon): Promise<void> =>
  expect(await send(socket, "GET", "/health")).toMatchObject({ status: 200, body: { ok: true } });

test("clients that never read hold up no flood, no other reader and no health, and the memory stays bounded", async () => {
  const daemon = await startDaemon();
  const { id } = await launch(daemon, "read line; seq 1 4000000", { launchMode: "interactive" });
  const requests = [
    get("/events", stream),
    get(`/sessions/${id}/events`, stream),
    get(`/sessions/${id}/attach`, ...upgrade),
  ];
  for (let index = 0; index < 30; index += 1)
    await silentClient(daemon.socket, requests[index % requests.length] ?? "");
  await isHealthy(daemon);
  const before = residentBytes(daemon);

  const reader = await openEventStream(daemon.socket, `/sessions/${id}/events`);
  await daemon.client.call("input", { session: id, keys: ["enter"] });
  let output = 0;
  let most = 0;
  let seen = 0;
  for await (const { record } of reader.sent) {
    if (record?.kind === "output") output += 1;
    if (record?.kind === "exit") break;
    seen += 1;
    if (seen % 500 === 0) {
      await isHealthy(daemon);
      most = Math.max(most, residentBytes(daemon));
    }
  }
  let bytes = 0;
  for await (const chunk of daemon.client.output(id)) bytes += chunk.length;
  // Every line of it, each with its carriage return.
  expect(bytes).toBeGreaterThan(34_000_000);
  expect(output).toBeGreaterThan(1000);
  await silentClient(daemon.socket, get(`/sessions/${id}/output`));
  await isHealthy(daemon);
  // Thirty times the flood would be more than a gigabyte.
  expect(Math.max(most, residentBytes(daemon)) - before).toBeLessThan(250_000_000);
}, 120_000);

test("clients that never end their request keep nobody else waiting, nor the daemon when it stops", async () => {
  const daemon = await startDaemon();
  const body = "POST /api/v1/actions HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{";
  const partial = ["G", "GET /health HTTP/1.1\r\nHo", "GET /health HTTP/1.1\r\nHost: x\r\n", body, ""];
  const clients = await Promise.all(
    Array.from({ length: 100 }, (_, index) =>
      silentClient(daemon.socket, partial[index % partial.length] ?? ""),
    ),
  );
  for (let index = 0; index < 20; index += 1) {
    await isHealthy(daemon);
    for (const client of clients) client.write("x");
  }
  await daemon.client.shutdown(false);
  expect(await daemon.exited).toBe(0);
});

test("a client that takes longer than the limit for its request is hung up on", async () => {
  const folder = mkdtempSync(join(tmpdir(), "coven-listen-"));
  const app = await listen(join(folder, "s.sock"), stubServices, pino({ level: "silent" }));
  onTestFinished(async () => {
    await app.close();
    rmSync(folder, { recursive: true, force: true });
  });
  expect([app.server.headersTimeout, app.server.requestTimeout]).toEqual([60_000, 60_000]);
  // The limit as it stands is too long for a test; that it is kept shows as well with a shorter one.
  app.server.headersTimeout = 50;
  app.server.requestTimeout = 50;
  for (const request of [
    "GET /health HTTP/1.1\r\nHo",
    "POST /actions HTTP/1.1\r\nContent-Length: 9\r\nHost: x\r\n\r\n{",
  ]) {
    const client = await silentClient(join(folder, "s.sock"), request);
    await once(client.resume(), "close");
  }
});

test("a thousand connections at once leave the daemon answering, and are let go of when they go", async () => {
  const daemon = await startDaemon();
  const { id } = await launch(daemon, "read line", { launchMode: "interactive" });
  const descriptors = (): number =>
    process.platform === "linux" ? readdirSync(`/proc/${daemon.pid}/fd`).length : 0;
  await isHealthy(daemon);
  const before = descriptors();
  const requests = [
    "",
    get("/events", stream),
    get(`/sessions/${id}/events`, stream),
    get(`/sessions/${id}/wait`),
    get(`/sessions/${id}/attach?view=true`, ...upgrade),
  ];
  // All in one burst where the system lets so many wait to be accepted.
  const atOnce = process.platform === "linux" ? 1000 : 100;
  const clients: Socket[] = [];
  while (clients.length < 1000) {
    const burst = Array.from({ length: atOnce }, (_, index) =>
      silentClient(daemon.socket, requests[index % requests.length] ?? ""),
    );
    clients.push(...(await Promise.all(burst)));
  }
  for (let index = 0; index < 10; index += 1) await isHealthy(daemon);
  // Each request is a look: all are accepted within a few.
  while (process.platform === "linux" && descriptors() < before + 1000) await isHealthy(daemon);

  const reader = await openEventStream(daemon.socket, `/sessions/${id}/events`);
  await reader.until(({ record }) => record?.kind === "message");
  for (const client of clients.slice(0, 500)) client.destroy();
  await daemon.client.call("input", { session: id, keys: ["enter"] });
  await reader.until(({ record }) => record?.kind === "exit");
  expect(z.object({ status: z.string() }).parse(await daemon.client.call("record", { session: id }))).toEqual(
    {
      status: "completed",
    },
  );
  reader.close();
  for (const client of clients.slice(500)) client.destroy();
  do await isHealthy(daemon);
  while (descriptors() > before + 5);
});

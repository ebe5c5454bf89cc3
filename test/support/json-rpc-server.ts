/** Both transports of JSON-RPC, on a socket of their own, with methods of a test. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fastify from "fastify";
import { pino } from "pino";
import { onTestFinished } from "vitest";
import { createAnswer } from "../../src/rpc/json-rpc/answer.ts";
import type { Method } from "../../src/rpc/json-rpc/method.ts";
import { addRpc } from "../../src/rpc/json-rpc/post.ts";
import { rpcUpgrade } from "../../src/rpc/json-rpc/socket.ts";
import type { Services } from "../../src/rpc/services.ts";
import { addUpgrades } from "../../src/rpc/upgrade.ts";
import { stubServices } from "./services.ts";

/** Answers the path of the socket. */
export async function serveMethods(
  methods: Readonly<Record<string, Method>>,
  services: Services = stubServices,
): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "coven-rpc-"));
  const log = pino({ level: "silent" });
  const app = fastify({ forceCloseConnections: true });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_, body, done) => done(null, body));
  const rpc = { services, answer: createAnswer(new Map(Object.entries(methods)), log), log };
  await app.register((scope) => addRpc(scope, rpc), { prefix: "/api/v1" });
  addUpgrades(app, [rpcUpgrade(rpc)], log);
  const path = join(folder, "s.sock");
  await app.listen({ path });
  onTestFinished(async () => {
    await app.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return path;
}

export const read = (run: (params: unknown) => unknown): Method => ({
  effect: "read",
  run: async (params) => run(params),
});

/** A call that lasts until it is cancelled; `begun` and `ended` resolve when it is. */
export function waiting(effect: Method["effect"] = "read"): {
  method: Method;
  begun: Promise<void>;
  ended: Promise<void>;
} {
  const tell = { begun: (): void => undefined, ended: (): void => undefined };
  const begun = new Promise<void>((resolve) => (tell.begun = resolve));
  const ended = new Promise<void>((resolve) => (tell.ended = resolve));
  const run: Method["run"] = (_, { signal }) =>
    new Promise((resolve) => {
      tell.begun();
      signal.addEventListener("abort", () => {
        tell.ended();
        resolve({ outcome: "what was found by then" });
      });
    });
  return { method: { effect, run }, begun, ended };
}

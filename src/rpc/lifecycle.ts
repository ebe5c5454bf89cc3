/** How the CLI stops the daemon: answered once the sessions are ended (or left to their host), before it goes. */
import type { FastifyInstance } from "fastify";
import { jsonObject } from "./request.ts";
import type { Services } from "./services.ts";

export function addLifecycle(app: FastifyInstance, { stop }: Services): void {
  app.post("/internal/lifecycle/shutdown", async (request, reply) => {
    const { keep } = jsonObject(request);
    return reply.code(202).send({ ok: true, accepted: true, ...(await stop({ keep: keep === true })) });
  });
}

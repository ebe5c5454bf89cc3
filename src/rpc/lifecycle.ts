/** How the CLI stops the daemon: answered once the sessions are ended (or left to their host), before it goes. */
import type { FastifyInstance } from "fastify";
import { Failure } from "../errors.ts";
import { jsonObject, tokenOf } from "./request.ts";
import type { Services } from "./services.ts";

export function addLifecycle(app: FastifyInstance, { identify, stop }: Services): void {
  app.post("/internal/lifecycle/shutdown", async (request, reply) => {
    if (identify(tokenOf(request.headers)).kind !== "owner")
      throw new Failure("not_permitted", "only the owner may stop the daemon");
    const { keep } = jsonObject(request);
    return reply.code(202).send({ ok: true, accepted: true, ...(await stop({ keep: keep === true })) });
  });
}

/**
 * JSON-RPC over HTTP: `POST /rpc` takes one message and answers 200 with its answer, an error included, or 204 where
 * nothing is to be answered. What is refused before there is a message (a token, a body that is too large) has the
 * status of its failure, and the form of an answer all the same. Who hangs up has cancelled what is under way.
 */
import type { FastifyInstance } from "fastify";
import { failures } from "../../errors.ts";
import type { Log } from "../../log.ts";
import { failureOf } from "../failure.ts";
import { tokenOf, untilGone } from "../request.ts";
import type { Services } from "../services.ts";
import type { AnswerMessage } from "./answer.ts";
import { Calls } from "./calls.ts";
import { errorAnswer } from "./error.ts";

interface Options {
  readonly services: Pick<Services, "identify">;
  readonly answer: AnswerMessage;
  readonly log: Log;
}

export async function addRpc(app: FastifyInstance, { services, answer, log }: Options): Promise<void> {
  await app.register(async (scope) => {
    scope.setErrorHandler(async (error, request, reply) => {
      const failure = await failureOf(error, request, log);
      return reply.code(failures[failure.code].http).send(errorAnswer(null, failure, log));
    });
    scope.post("/rpc", async ({ headers, body }, reply) => {
      const identify = (): ReturnType<Services["identify"]> => services.identify(tokenOf(headers));
      identify();
      const calls = new Calls();
      untilGone(reply).addEventListener("abort", () => calls.cancelAll());
      const message = Buffer.isBuffer(body) ? body.toString("utf8") : "";
      const { text } = await answer(message, { identify, calls, subscriptions: undefined });
      if (text === undefined) return reply.code(204).send();
      return reply.type("application/json").send(text);
    });
  });
}

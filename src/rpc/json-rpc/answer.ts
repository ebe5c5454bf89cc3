/**
 * One message in, at most one answer out. The library runs each request; what it does not hold to the specification is
 * done here: what is no request is answered before it, a batch is put together from single requests, and an error says
 * nothing of our inside.
 */
import { type JSONRPCRequest, type JSONRPCResponse, JSONRPCErrorCode, JSONRPCServer } from "json-rpc-2.0";
import { shown } from "../../errors.ts";
import type { Log } from "../../log.ts";
import { cancelled, errorAnswer, fault } from "./error.ts";
import { type Member, type Message, readMessage } from "./message.ts";
import type { Call, Conversation, Method, Methods } from "./method.ts";

export interface Answered {
  /** Undefined where nothing is to be answered. */
  readonly text: string | undefined;
  /** What had to wait for the answer. */
  readonly afterwards: () => void;
}

export type AnswerMessage = (message: string | Message, conversation: Conversation) => Promise<Answered>;

export function createAnswer(methods: Methods, log: Log): AnswerMessage {
  const server = createServer(methods, log);

  return async (message, conversation) => {
    const { isBatch, members } = typeof message === "string" ? readMessage(message) : message;
    const after: (() => void)[] = [];
    // All of them are known before the first is run, so that one may cancel another.
    const begun = members.map((member) => begin(member, conversation, (then) => after.push(then)));
    const answers = await Promise.all(begun.map((run) => run()));
    const said = answers.filter((answer) => answer !== null);
    return {
      text: said.length === 0 ? undefined : JSON.stringify(isBatch ? said : said[0]),
      afterwards: () => after.forEach((then) => then()),
    };
  };

  function begin(
    member: Member,
    conversation: Conversation,
    afterAnswer: Call["afterAnswer"],
  ): () => Promise<JSONRPCResponse | null> {
    if (!("method" in member)) return async () => member;
    const { id, method } = member;
    try {
      if (methods.get(method)?.isInstant !== true) conversation.calls.requireRoom();
      const under = conversation.calls.begin(id);
      const { signal } = under;
      const call: Call = { ...conversation, signal, isNotification: id === undefined, afterAnswer };
      return async () => {
        try {
          return await server.receive(member, call);
        } finally {
          conversation.calls.end(id, under);
        }
      };
    } catch (error) {
      return async () => answerOf(member, error);
    }
  }

  function answerOf({ id, method }: JSONRPCRequest, error: unknown): JSONRPCResponse | null {
    if (id !== undefined) return errorAnswer(id, error, log);
    log.debug({ method, err: error }, "a notification was not done");
    return null;
  }
}

function createServer(methods: Methods, log: Log): JSONRPCServer<Call> {
  // The caller is answered, or is a notification; the action has logged what it was asked.
  const server = new JSONRPCServer<Call>({ errorListener: (what, err) => log.debug({ err }, what) });
  for (const [name, method] of methods)
    server.addMethod(name, (params: unknown, call) => runUnlessCancelled(method, params, call));
  server.mapErrorToJSONRPCErrorResponse = (id, error: unknown) => errorAnswer(id, error, log);
  server.handleMethodNotFound = async ({ method }) => {
    throw fault(JSONRPCErrorCode.MethodNotFound, `unknown method \`${shown(method)}\``, {
      hint: `The methods are ${[...methods.keys()].join(", ")}.`,
      details: { method: shown(method), methods: [...methods.keys()] },
    });
  };
  return server;
}

/** What a read has found when it is cancelled is not the whole; what a write has done stays done, and is told. */
async function runUnlessCancelled({ effect, run }: Method, params: unknown, call: Call): Promise<unknown> {
  const isOver = (): boolean => call.signal.aborted && effect === "read";
  if (call.signal.aborted) throw cancelled();
  try {
    const result = await run(params, call);
    if (!isOver()) return result;
  } catch (error) {
    if (!isOver()) throw error;
  }
  throw cancelled();
}

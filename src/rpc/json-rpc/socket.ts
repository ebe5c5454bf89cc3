/**
 * JSON-RPC over a WebSocket, at `/api/v1/rpc`: a frame of text is a message, of a request or a batch; answers come as
 * they are ready, in any order, and between them the notifications of `subscriptions.ts`.
 *
 * A client is read from only as fast as it takes its answers, which go one message at a time: what one has made is seen
 * before the next begins. When it leaves, its calls are cancelled and its subscriptions end. A client that answers no
 * ping is gone; one that has not taken yet what was sent is only slow.
 */
import { JSONRPCErrorCode } from "json-rpc-2.0";
import type { WebSocket } from "ws";
import type { Log } from "../../log.ts";
import { bodyBytesMax } from "../failure.ts";
import { tokenOf } from "../request.ts";
import type { Services } from "../services.ts";
import type { UpgradeRoute } from "../upgrade.ts";
import type { AnswerMessage } from "./answer.ts";
import { Calls } from "./calls.ts";
import { type Message, refusal } from "./message.ts";
import type { Conversation } from "./method.ts";
import { Outbox } from "./outbox.ts";
import { Subscriptions } from "./subscriptions.ts";

/** Bytes that wait for the client before it is not read from any more: a page of events, the largest usual answer. */
const unsentBytesMax = 1024 * 1024;

/** Messages that have come and are not begun: more of them come in one chunk of the stream than are kept for long. */
const inboxMax = 64;

/** Between two pings, ms, and how many of them may go unanswered. */
const pingMs = 30_000;
const missedPingsMax = 2;

interface Options {
  readonly services: Pick<Services, "identify" | "data">;
  readonly answer: AnswerMessage;
  readonly log: Log;
}

export const rpcUpgrade = ({ services, answer, log }: Options): UpgradeRoute => ({
  path: /^(?:\/api\/v1)?\/rpc$/,
  options: { maxPayload: bodyBytesMax },
  open: ({ headers }) => {
    const identify = (): ReturnType<Services["identify"]> => services.identify(tokenOf(headers));
    identify();
    return (socket) => {
      socket.on("error", (err) => log.debug({ err }, "a JSON-RPC client failed"));
      const outbox = new Outbox(socket);
      const calls = new Calls();
      const openData = (): ReturnType<Services["data"]> => services.data(identify());
      const subscriptions = new Subscriptions({ openData, outbox, log });
      socket.on("close", () => {
        calls.cancelAll();
        subscriptions.endAll();
      });
      keepAlive(socket, outbox);
      takeMessages(socket, outbox, (message) =>
        answerOn(outbox, answer, message, { identify, calls, subscriptions }).catch((err: unknown) =>
          log.error({ err }, "a JSON-RPC message could not be answered"),
        ),
      );
    };
  },
});

const binaryFrame: Message = {
  isBatch: false,
  members: [refusal(null, JSONRPCErrorCode.ParseError, "a binary frame; send JSON as a frame of text")],
};

function takeMessages(
  socket: WebSocket,
  outbox: Outbox,
  take: (message: string | Message) => Promise<void>,
): void {
  const inbox: (string | Message)[] = [];
  let isTaking = false;
  socket.on("message", (frame, isBinary) => {
    inbox.push(isBinary || !Buffer.isBuffer(frame) ? binaryFrame : frame.toString("utf8"));
    if (inbox.length >= inboxMax) socket.pause();
    if (!isTaking) void takeAll();
  });
  // Nobody hears the answers any more.
  socket.on("close", () => inbox.splice(0));

  async function takeAll(): Promise<void> {
    isTaking = true;
    for (let next = inbox.shift(); next !== undefined; next = inbox.shift()) {
      void take(next);
      // What is answered at once has been, before the next is begun.
      await new Promise(setImmediate);
      if (outbox.unsentBytes <= unsentBytesMax) continue;
      socket.pause();
      await outbox.drained();
    }
    isTaking = false;
    socket.resume();
  }
}

async function answerOn(
  outbox: Outbox,
  answer: AnswerMessage,
  message: string | Message,
  conversation: Conversation,
): Promise<void> {
  const { text, afterwards } = await answer(message, conversation);
  if (text !== undefined) outbox.send(text);
  afterwards();
}

function keepAlive(socket: WebSocket, outbox: Outbox): void {
  let missed = 0;
  const hear = (): void => void (missed = 0);
  socket.on("pong", hear);
  socket.on("message", hear);
  const timer = setInterval(() => {
    if (outbox.unsentBytes > 0) return;
    if (missed >= missedPingsMax) return socket.terminate();
    missed += 1;
    socket.ping();
  }, pingMs);
  socket.on("close", () => clearInterval(timer));
}

/**
 * A person at the screen of a session: replayed up to a place in the log, attached from there on, so that nothing is
 * shown twice or left out. A daemon that goes away is waited for; what was shown since that place is skipped then.
 */
import type { WebSocket } from "ws";
import { status } from "../capabilities/status.ts";
import { Failure, isFailureCode } from "../errors.ts";
import type { Standing } from "./exit-codes.ts";
import { type Waiting, signalOf, stayingWith, throughRestarts } from "./patience.ts";
import { replay } from "./replay.ts";
import { type Screen, type WindowSize, takeScreen, withoutQueries } from "./screen.ts";
import type { Cli } from "./verb.ts";

/** Typed while nothing is attached: a few lines, bytes. What is more is refused with the bell. */
const heldBytesMax = 4096;
const bell = "\u0007";
/** How long a daemon may take to say goodbye, ms; one that hangs keeps nobody. */
const goodbyeMsMax = 1000;

/** How the session ended; undefined when the person left it running. */
export async function atScreen(cli: Cli, session: string): Promise<Standing | undefined> {
  const leaving = new AbortController();
  const held = new HeldKeys();
  let socket: WebSocket | undefined;
  const screen = takeScreen({
    keys: (bytes) => {
      if (isOpen(socket)) socket.send(bytes);
      else if (!held.add(bytes)) process.stdout.write(bell);
    },
    resized: (size) => {
      if (isOpen(socket)) sendSize(size, socket);
    },
    detach: () => leaving.abort(),
  });
  try {
    return await stayingWith(session, leaving.signal, async (waiting) => {
      const seq = await replay(
        cli.client,
        { session, afterSeq: 0 },
        (bytes) => screen.write(withoutQueries(bytes)),
        waiting,
      );
      let shownBytes = 0;
      while (!leaving.signal.aborted) {
        const now = await standingOf(cli, session, waiting);
        const show = skipping(shownBytes, screen.write);
        if (!now.active) {
          await replay(cli.client, { session, afterSeq: seq }, show, waiting);
          return now;
        }
        socket = await cli.client.attach(session, seq);
        const attached = { screen, held, show, leaving: leaving.signal };
        shownBytes = Math.max(shownBytes, await untilClosed(socket, attached));
      }
      return undefined;
    });
  } finally {
    screen.restore();
  }
}

const isOpen = (socket: WebSocket | undefined): socket is WebSocket =>
  socket !== undefined && socket.readyState === socket.OPEN;

/** Keys that wait until there is somewhere to send them. */
class HeldKeys {
  #keys: Buffer[] = [];
  #bytes = 0;

  /** Whether there was room. */
  add(bytes: Buffer): boolean {
    if (this.#bytes + bytes.length > heldBytesMax) return false;
    this.#keys.push(bytes);
    this.#bytes += bytes.length;
    return true;
  }

  take(): Buffer {
    const keys = Buffer.concat(this.#keys);
    this.#keys = [];
    this.#bytes = 0;
    return keys;
  }
}

async function standingOf(
  { client }: Cli,
  session: string,
  waiting: Waiting,
): Promise<Standing & { active: boolean }> {
  const answer = await throughRestarts(
    async () => status.output.parse(await client.call("status", { session }, signalOf(waiting))),
    waiting,
  );
  if ("live" in answer) throw new Failure("internal_error", "status answered an overview for a session");
  return answer;
}

/** Shows output without its first bytes. */
function skipping(bytesSeen: number, show: (bytes: Buffer) => void): (bytes: Buffer) => void {
  let left = bytesSeen;
  return (bytes) => {
    const skipped = Math.min(left, bytes.length);
    left -= skipped;
    if (skipped < bytes.length) show(bytes.subarray(skipped));
  };
}

const sendSize = ({ columns, rows }: WindowSize, socket: WebSocket): void => {
  // A terminal that does not know its size says 0.
  if (columns > 0 && rows > 0) socket.send(JSON.stringify({ columns, rows }));
};

interface Attached {
  readonly screen: Screen;
  readonly held: HeldKeys;
  readonly show: (bytes: Buffer) => void;
  readonly leaving: AbortSignal;
}

/** Answers the bytes received by the end of the stream, whoever ended it. Throws what the daemon refused. */
function untilClosed(socket: WebSocket, { screen, held, show, leaving }: Attached): Promise<number> {
  let bytesReceived = 0;
  let goodbye: NodeJS.Timeout | undefined;
  const leave = (): void => {
    goodbye = setTimeout(() => socket.terminate(), goodbyeMsMax);
    socket.close();
  };
  socket.on("open", () => {
    sendSize(screen.size(), socket);
    const keys = held.take();
    if (keys.length > 0) socket.send(keys);
  });
  socket.on("message", (frame) => {
    const bytes = Array.isArray(frame)
      ? Buffer.concat(frame)
      : Buffer.isBuffer(frame)
        ? frame
        : Buffer.from(frame);
    bytesReceived += bytes.length;
    show(bytes);
  });
  // Told by the close that follows it.
  socket.on("error", () => undefined);
  leaving.addEventListener("abort", leave);
  // Left while it was being made: the signal does not fire again.
  if (leaving.aborted) leave();
  return new Promise((resolve, reject) => {
    socket.on("close", (code, reason) => {
      leaving.removeEventListener("abort", leave);
      clearTimeout(goodbye);
      const refused = refusal(code, reason.toString("utf8"));
      if (refused === undefined) resolve(bytesReceived);
      else reject(refused);
    });
  });
}

/** A session that has ended under the keys is no refusal: the status says so next. */
function refusal(code: number, reason: string): Failure | undefined {
  if (reason === "session_not_live") return undefined;
  if (isFailureCode(reason)) return new Failure(reason, `the terminal of the session was refused: ${reason}`);
  return code === 1003 || code === 1009
    ? new Failure("invalid_request", "the daemon did not understand what this terminal sent")
    : undefined;
}

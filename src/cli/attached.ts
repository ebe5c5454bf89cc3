/**
 * A person at the screen of a session: replayed up to a place in the log, attached from there on, so that nothing is
 * shown twice or left out. A daemon that goes away is waited for; what was shown since that place is skipped then.
 */
import type { WebSocket } from "ws";
import { status } from "../capabilities/status.ts";
import { Failure, isFailureCode } from "../errors.ts";
import type { Standing } from "./exit-codes.ts";
import { throughRestarts } from "./patience.ts";
import { replay } from "./replay.ts";
import { type Screen, type WindowSize, takeScreen, withoutQueries } from "./screen.ts";
import type { Cli } from "./verb.ts";

/** How the session ended; undefined when the person left it running. */
export async function atScreen(cli: Cli, session: string): Promise<Standing | undefined> {
  const leaving = new AbortController();
  let send: (frame: Buffer | string) => void = () => undefined;
  const screen = takeScreen({
    keys: (bytes) => send(bytes),
    resized: (size) => sendSize(size, send),
    detach: () => leaving.abort(),
  });
  try {
    const seq = await replay(cli.client, { session, afterSeq: 0 }, (bytes) =>
      screen.write(withoutQueries(bytes)),
    );
    let shownBytes = 0;
    while (!leaving.signal.aborted) {
      const now = await standingOf(cli, session);
      if (!now.active) {
        await replay(cli.client, { session, afterSeq: seq }, skipping(shownBytes, screen.write));
        return now;
      }
      const socket = await cli.client.attach(session, seq);
      send = (frame) => {
        if (socket.readyState === socket.OPEN) socket.send(frame);
      };
      const show = skipping(shownBytes, screen.write);
      shownBytes = Math.max(shownBytes, await untilClosed(socket, { screen, show, leaving: leaving.signal }));
    }
    return undefined;
  } finally {
    screen.restore();
  }
}

async function standingOf({ client }: Cli, session: string): Promise<Standing & { active: boolean }> {
  const answer = await throughRestarts(async () =>
    status.output.parse(await client.call("status", { session })),
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

const sendSize = ({ columns, rows }: WindowSize, send: (frame: string) => void): void => {
  // A terminal that does not know its size says 0.
  if (columns > 0 && rows > 0) send(JSON.stringify({ columns, rows }));
};

interface Attached {
  readonly screen: Screen;
  readonly show: (bytes: Buffer) => void;
  readonly leaving: AbortSignal;
}

/** Answers the bytes received by the end of the stream, whoever ended it. Throws what the daemon refused. */
function untilClosed(socket: WebSocket, { screen, show, leaving }: Attached): Promise<number> {
  let bytesReceived = 0;
  const leave = (): void => socket.close();
  leaving.addEventListener("abort", leave);
  socket.on("open", () => sendSize(screen.size(), (frame) => socket.send(frame)));
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
  return new Promise((resolve, reject) => {
    socket.on("close", (code, reason) => {
      leaving.removeEventListener("abort", leave);
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

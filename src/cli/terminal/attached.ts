/**
 * A person at the screen of a session: attached from its first event on, which replays it and then is live. A daemon
 * that goes away is waited for, and attached to again from the place that was shown.
 */
import type { WebSocket } from "ws";
import * as z from "zod";
import { status } from "../../capabilities/status.ts";
import { Failure, isFailureCode } from "../../errors.ts";
import type { WantedControl } from "../../rpc/client.ts";
import type { Standing } from "../exit-codes.ts";
import { shortId } from "../ids.ts";
import { type Waiting, signalOf, throughRestarts } from "../../rpc/patience.ts";
import { stayingWith } from "../patience.ts";
import { takeScreen } from "./screen.ts";
import type { Cli } from "../verb.ts";

/** Typed while nothing is attached: a few lines, bytes. What is more is refused with the bell. */
const heldBytesMax = 4096;
const bell = "\u0007";
/** How long a daemon may take to say goodbye, ms; one that hangs keeps nobody. */
const goodbyeMsMax = 1000;

/** How the session ended; undefined when the person left it running. */
export async function atScreen(
  cli: Cli,
  session: string,
  wanted: WantedControl,
): Promise<Standing | undefined> {
  const leaving = new AbortController();
  const desk = new Desk();
  const screen = takeScreen({
    keys: (bytes) => {
      if (!desk.type(bytes)) process.stdout.write(bell);
    },
    resized: () => desk.resized(screen.size()),
    detach: () => leaving.abort(),
  });
  let seq = 0;
  const heard = (message: Message): void => {
    if (message.type === "at") seq = message.seq;
    if (message.type === "refused") process.stdout.write(bell);
    if (message.type !== "control") return;
    if (message.held) desk.sit(screen.size());
    else desk.lookOn();
    if (!message.held && message.elsewhere && wanted !== "view") sayElsewhere(session);
  };
  try {
    return await stayingWith(session, leaving.signal, async (waiting) => {
      while (!leaving.signal.aborted) {
        const { active, ...standing } = await standingOf(cli, session, waiting);
        const socket = await cli.client.attach(session, seq, wanted);
        desk.connect(socket);
        const wasWhole = await untilClosed(socket, { show: screen.write, heard, leaving: leaving.signal });
        desk.disconnect();
        if (wasWhole && !active) return standing;
      }
      return undefined;
    });
  } finally {
    screen.restore();
  }
}

function sayElsewhere(session: string): void {
  process.stderr.write(
    `\r\ncoven: another terminal is at the keys; this one looks on (coven rejoin --take ${shortId(session)} takes them)\r\n`,
  );
}

/** Where this person's keys go: to the session, nowhere while they look on, kept while the daemon is away. */
class Desk {
  #socket: WebSocket | undefined;
  #state: "away" | "at the keys" | "looking on" = "away";
  #held: Buffer[] = [];
  #heldBytes = 0;

  connect(socket: WebSocket): void {
    this.#socket = socket;
  }

  disconnect(): void {
    this.#socket = undefined;
    if (this.#state === "at the keys") this.#state = "away";
  }

  sit(size: { columns: number; rows: number }): void {
    this.#state = "at the keys";
    this.resized(size);
    for (const bytes of this.#held.splice(0)) this.#socket?.send(bytes);
    this.#heldBytes = 0;
  }

  lookOn(): void {
    this.#state = "looking on";
  }

  /** A terminal that does not know its size says 0. */
  resized({ columns, rows }: { columns: number; rows: number }): void {
    if (this.#isAtKeys() && columns > 0 && rows > 0) this.#socket?.send(JSON.stringify({ columns, rows }));
  }

  /** Whether the keys go somewhere, or may yet. */
  type(bytes: Buffer): boolean {
    if (this.#state === "looking on") return false;
    if (this.#isAtKeys()) this.#socket?.send(bytes);
    else if (this.#heldBytes + bytes.length > heldBytesMax) return false;
    else {
      this.#held.push(bytes);
      this.#heldBytes += bytes.length;
    }
    return true;
  }

  #isAtKeys(): boolean {
    const isOpen = this.#socket !== undefined && this.#socket.readyState === this.#socket.OPEN;
    return this.#state === "at the keys" && isOpen;
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

/** The text frames of `rpc/attach.ts`; others, of a later release, are passed over. */
const message = z.discriminatedUnion("type", [
  z.object({ type: z.literal("control"), held: z.boolean(), elsewhere: z.boolean() }),
  z.object({ type: z.literal("at"), seq: z.int() }),
  z.object({ type: z.literal("refused") }),
]);
type Message = z.output<typeof message>;

interface Attached {
  readonly show: (bytes: Buffer) => void;
  readonly heard: (message: Message) => void;
  readonly leaving: AbortSignal;
}

/** Answers whether everything was shown up to the end of the session. Throws what the daemon refused. */
function untilClosed(socket: WebSocket, { show, heard, leaving }: Attached): Promise<boolean> {
  let refused: Failure | undefined;
  let goodbye: NodeJS.Timeout | undefined;
  const leave = (): void => {
    goodbye = setTimeout(() => socket.terminate(), goodbyeMsMax);
    socket.close();
  };
  socket.on("message", (frame, isBinary) => {
    const bytes = Array.isArray(frame)
      ? Buffer.concat(frame)
      : Buffer.isBuffer(frame)
        ? frame
        : Buffer.from(frame);
    if (isBinary) return show(bytes);
    const told = message.safeParse(JSON.parse(bytes.toString("utf8")));
    if (told.success) heard(told.data);
  });
  // A daemon that is away is told by the close that follows, what it refuses by this.
  socket.on("error", (error) => {
    if (error instanceof Failure) refused = error;
  });
  leaving.addEventListener("abort", leave);
  // Left while it was being made: the signal does not fire again.
  if (leaving.aborted) leave();
  return new Promise((resolve, reject) => {
    socket.on("close", (code, reason) => {
      leaving.removeEventListener("abort", leave);
      clearTimeout(goodbye);
      refused ??= refusal(code, reason.toString("utf8"));
      if (refused === undefined) resolve(code === 1000);
      else reject(refused);
    });
  });
}

function refusal(code: number, reason: string): Failure | undefined {
  if (isFailureCode(reason)) return new Failure(reason, `the terminal of the session was refused: ${reason}`);
  return code === 1003 || code === 1009
    ? new Failure("invalid_request", "the daemon did not understand what this terminal sent")
    : undefined;
}

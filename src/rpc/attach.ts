/**
 * The attach stream, a WebSocket at `/api/v1/sessions/:id/attach`: one person's terminal. The query has `afterSeq=N` (the
 * cursor it begins after), `take=true` (the keys, also from somebody else) and `view=true` (never the keys).
 *
 * One terminal at a time is at the keys of a session: the first that does not ask only to view, until it leaves or
 * another takes them. The others look on.
 *
 * Server to client: binary frames are what the harness prints, without what it asks a terminal and is answered by
 * another one (`runtime/terminal.ts`). Text frames are JSON, and a client ignores a type that it does not know:
 * - `{"type":"control","held","elsewhere"}`, first of all and whenever it changes: whether this terminal is at the keys,
 *   and whether another one is;
 * - `{"type":"at","seq"}`: everything up to this place of the log was sent, so a client may come back with it as cursor;
 * - `{"type":"refused","error":{code,message,…}}`: what was sent last was not taken (`terminal_taken`: not at the keys).
 * The socket is closed with 1000 when the session has ended and everything was sent, with 1001 when the daemon stops.
 *
 * Client to server: binary frames are keys, a text frame `{"columns","rows"}` is the size of the window.
 */
import type { RawData, WebSocket } from "ws";
import * as z from "zod";
import { Failure, failures } from "../errors.ts";
import type { Log } from "../log.ts";
import { wireFailure } from "./failure.ts";
import { tokenOf, wholeNumber } from "./request.ts";
import type { AttachedTerminal, DataPlane, Services, WantedControl } from "./services.ts";
import { type Upgrade, type UpgradeRoute, socketFailure } from "./upgrade.ts";

/** Most bytes in one frame from a client: a large paste. */
const frameBytesMax = 1024 * 1024;

/** Frames of one client that are being handed on; with more of them it is not read from. */
const framesInHandMax = 16;

/** Longest session id, characters: the published limit. */
const attachPath = /^(?:\/api\/v1)?\/sessions\/([^/]{1,256})\/attach$/;

const sizeMax = 1000;
const windowSize = z.strictObject({
  columns: z.int().min(1).max(sizeMax),
  rows: z.int().min(1).max(sizeMax),
});

interface Wanted {
  readonly session: string;
  readonly afterSeq: number;
  readonly control: WantedControl;
}

export function attachUpgrade({ identify, data: openTo }: Services, log: Log): UpgradeRoute {
  return {
    path: attachPath,
    options: { maxPayload: frameBytesMax },
    open: (upgrade) => {
      const wanted = wantedOf(upgrade);
      const data = openTo(identify(tokenOf(upgrade.headers)));
      data.requireSession(wanted.session);
      return (socket) => void serve(socket, data, wanted);
    },
  };

  async function serve(
    socket: WebSocket,
    data: DataPlane,
    { session, afterSeq, control }: Wanted,
  ): Promise<void> {
    const gone = new AbortController();
    socket.on("close", () => gone.abort());
    socket.on("error", (err) => log.debug({ err, session }, "an attached client failed"));
    let terminal: AttachedTerminal | undefined;
    try {
      terminal = data.attach(session, control, (now) => tell(socket, { type: "control", ...now }));
      takeFrames(socket, terminal);
      for await (const { bytes, seq } of terminal.output(afterSeq, gone.signal)) {
        if (bytes.length === 0) continue;
        const sent = new Promise<void>((resolve) => socket.send(bytes, () => resolve()));
        if (seq !== undefined) tell(socket, { type: "at", seq });
        await sent;
      }
      socket.close(1000, "ended");
    } catch (error) {
      const { code } = socketFailure(error, log);
      socket.close(4000 + failures[code].http, code);
    } finally {
      await terminal?.detach();
    }
  }

  /** Hands on what the client sends, in order; reads no further while too much of it is under way. */
  function takeFrames(socket: WebSocket, terminal: AttachedTerminal): void {
    let inHand = 0;
    socket.on("message", (frame, isBinary) => {
      inHand += 1;
      if (inHand >= framesInHandMax) socket.pause();
      void take(terminal, bytesOf(frame), isBinary)
        .catch((error: unknown) =>
          tell(socket, { type: "refused", error: wireFailure(socketFailure(error, log)) }),
        )
        .finally(() => {
          inHand -= 1;
          socket.resume();
        });
    });
  }
}

/** What the path and the query of an upgrade ask for; the id is what stands in the path. */
function wantedOf({ named: [session = ""], search }: Upgrade): Wanted {
  const parameters = new Map(new URLSearchParams(search));
  const [take, view] = [isTrue(parameters, "take"), isTrue(parameters, "view")];
  if (take && view) {
    throw new Failure("invalid_request", "take and view exclude each other", {
      hint: "take=true is for the keys, view=true for looking on.",
      details: { take: "true", view: "true" },
    });
  }
  const afterSeq = wholeNumber(parameters, "afterSeq") ?? 0;
  return { session, afterSeq, control: take ? "take" : view ? "view" : "control" };
}

function isTrue(parameters: ReadonlyMap<string, string>, name: string): boolean {
  const value = parameters.get(name) ?? "false";
  if (value === "true" || value === "false") return value === "true";
  throw new Failure("invalid_request", `${name} must be true or false, not ${value}`, {
    details: { [name]: value },
  });
}

async function take(terminal: AttachedTerminal, bytes: Buffer, isBinary: boolean): Promise<void> {
  if (isBinary) return terminal.input(bytes);
  const size = windowSize.safeParse(parsed(bytes.toString("utf8")));
  if (size.success) return terminal.resize(size.data.columns, size.data.rows);
  throw new Failure("invalid_request", `no window size: ${bytes.toString("utf8").slice(0, 200)}`, {
    hint: `Send {"columns","rows"}, each from 1 to ${sizeMax}, as text, and keys as binary frames.`,
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // no size either
  }
}

const bytesOf = (frame: RawData): Buffer =>
  Buffer.isBuffer(frame) ? frame : Array.isArray(frame) ? Buffer.concat(frame) : Buffer.from(frame);

function tell(socket: WebSocket, message: object): void {
  if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message));
}

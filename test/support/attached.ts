/** A terminal attached to a session, without a screen: its output as bytes, and what it was told. */
import { once } from "node:events";
import { onTestFinished } from "vitest";
import type { WebSocket } from "ws";
import { z } from "zod";
import type { WantedControl } from "../../src/rpc/client.ts";
import type { TestDaemon } from "./daemon.ts";

const told = z.looseObject({ type: z.string() });
export type Told = z.output<typeof told>;

export interface Attached {
  readonly socket: WebSocket;
  readonly output: () => string;
  readonly told: readonly Told[];
  /** Resolves once this was printed. */
  readonly shows: (wanted: string) => Promise<void>;
  /** Resolves once the client was told such a thing, or that so many times, with what it was told. */
  readonly hears: (fields: Readonly<Record<string, unknown>>, times?: number) => Promise<Told>;
  readonly type: (keys: string) => void;
  readonly resize: (columns: number, rows: number) => void;
  /** The code the socket was closed with. */
  readonly closed: Promise<number>;
  readonly leave: () => Promise<void>;
}

export async function attachTo(
  { client }: TestDaemon,
  session: string,
  { afterSeq = 0, control }: { afterSeq?: number; control?: WantedControl } = {},
): Promise<Attached> {
  const socket = await client.attach(session, afterSeq, control);
  onTestFinished(() => socket.terminate());
  const closed = once(socket, "close").then(([code]) => Number(code));
  const heard: Told[] = [];
  const waiting = new Set<() => void>();
  let output = "";
  socket.on("message", (frame, isBinary) => {
    const bytes = Buffer.isBuffer(frame) ? frame : Buffer.alloc(0);
    if (isBinary) output += bytes.toString("latin1");
    else heard.push(told.parse(JSON.parse(bytes.toString("utf8"))));
    for (const look of [...waiting]) look();
  });
  await once(socket, "open");
  const until = <T>(found: () => T | undefined): Promise<T> =>
    new Promise((resolve) => {
      const look = (): void => {
        const value = found();
        if (value === undefined) return;
        waiting.delete(look);
        resolve(value);
      };
      waiting.add(look);
      look();
    });
  return {
    socket,
    output: () => output,
    told: heard,
    shows: async (wanted) => {
      await until(() => output.includes(wanted) || undefined);
    },
    hears: (fields, times = 1) => {
      const isMeant = (each: Told): boolean =>
        Object.entries(fields).every(([name, value]) => each[name] === value);
      return until(() => heard.filter(isMeant)[times - 1]);
    },
    type: (keys) => socket.send(Buffer.from(keys)),
    resize: (columns, rows) => socket.send(JSON.stringify({ columns, rows })),
    closed,
    leave: async () => {
      socket.close();
      await closed;
    },
  };
}

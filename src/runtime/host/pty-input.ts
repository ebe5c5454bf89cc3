/**
 * What is typed into a terminal, handed over as its program reads. Not through the stream that reads the terminal: libuv
 * writes to a pty's other end without leave to stop, so one program that does not read would freeze the host.
 */
import { writeSync } from "node:fs";
import { unreadInputBytesMax } from "./child.ts";

/** Between two tries while the terminal takes no more, ms: doubled each time. */
const retryMsMin = 1;
const retryMsMax = 50;

export interface PtyInput {
  /** False when too much is left unread already. */
  readonly write: (bytes: Buffer) => boolean;
  /** Forgets what was not read; to be called before the descriptor is closed. */
  readonly close: () => void;
}

export function createPtyInput(fd: number): PtyInput {
  let unread: Buffer[] = [];
  let unreadBytes = 0;
  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;
  let retryMs = retryMsMin;

  const handOver = (): void => {
    timer = undefined;
    for (let [next] = unread; next !== undefined; [next] = unread) {
      const written = writeSome(fd, next);
      if (written === 0) {
        timer = setTimeout(handOver, retryMs);
        retryMs = Math.min(retryMs * 2, retryMsMax);
        return;
      }
      retryMs = retryMsMin;
      unreadBytes -= written;
      if (written < next.length) unread[0] = next.subarray(written);
      else unread.shift();
    }
  };

  return {
    write(bytes) {
      if (isClosed || unreadBytes + bytes.length > unreadInputBytesMax) return false;
      unread.push(bytes);
      unreadBytes += bytes.length;
      if (timer === undefined) handOver();
      return true;
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
      unread = [];
    },
  };
}

/** Bytes the terminal took, 0 when it takes none now. Whatever else goes wrong, nobody will read them. */
function writeSome(fd: number, bytes: Buffer): number {
  try {
    return writeSync(fd, bytes);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EAGAIN" ? 0 : bytes.length;
  }
}

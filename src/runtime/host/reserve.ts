/**
 * Room on the disk that is kept for endings: a file that is given back when the disk is full and a run has to be
 * remembered as ended, and made again when there is space.
 */
import { randomBytes } from "node:crypto";
import { closeSync, openSync, rmSync, statSync, statfsSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Bytes: what the journal may have queued (1 MB) and what ended harnesses had left unread (usually under 1 MB), each
 * written twice, to the WAL and from there to the ledger, and the same again for the endings of hundreds of sessions.
 */
const reserveBytes = 8 * 1024 * 1024;

/** Free bytes beside the reserve below which the disk counts as full: twice what the journal queues before it pauses. */
const roomBytesMin = 2 * 1024 * 1024;

export interface Reserve {
  /** Makes the reserve where it is missing. False where there is no room for it, or none beside it. */
  readonly stand: () => boolean;
  /** False where it was given up already. */
  readonly giveUp: () => boolean;
  readonly hasRoomBeside: () => boolean;
}

export function openReserve(path: string): Reserve {
  const hasRoom = (wantedBytes: number): boolean => {
    const { bavail, bsize } = statfsSync(dirname(path));
    return bavail * bsize >= wantedBytes;
  };
  const stands = (): boolean => statSync(path, { throwIfNoEntry: false })?.size === reserveBytes;
  return {
    stand: () => {
      if (stands()) return hasRoom(roomBytesMin);
      return hasRoom(reserveBytes + roomBytesMin) && allocate(path);
    },
    giveUp: () => {
      const wasThere = stands();
      rmSync(path, { force: true });
      return wasThere;
    },
    hasRoomBeside: () => hasRoom(roomBytesMin),
  };
}

/** Written with what no file system can compress or leave out; anything else would reserve nothing. */
function allocate(path: string): boolean {
  const piece = randomBytes(1024 * 1024);
  let fd: number | undefined;
  try {
    fd = openSync(path, "w", 0o600);
    for (let bytes = 0; bytes < reserveBytes;) bytes += writeSync(fd, piece);
    return true;
  } catch {
    rmSync(path, { force: true }); // somebody else was faster with the space
    return false;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/**
 * A harness in a pty.
 *
 * We read the terminal's descriptor ourselves instead of using node-pty's reader, which loses the end of a flood:
 * libuv takes the hang-up of a terminal for the end of its data whenever the read before it did not fill the buffer,
 * which a terminal never does. So what is left at the hang-up, and when the process has ended, is read until there is
 * no more. The descriptor is closed to other children at once; node-pty leaves it open, and every later harness would
 * inherit it.
 */
import { existsSync, readFileSync, readSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { ReadStream } from "node:tty";
import { constants as fcntl, fcntlSync } from "fs-ext";
import { Failure } from "../../errors.ts";
import {
  type Child,
  type ChildEnd,
  type ChildListener,
  type ChildSpec,
  unreadInputBytesMax,
} from "./child.ts";

/** The part of node-pty's native module that we use; its own wrapper is what loses output. */
interface NativePty {
  fork(
    file: string,
    args: readonly string[],
    env: readonly string[],
    cwd: string,
    columns: number,
    rows: number,
    uid: number,
    gid: number,
    utf8: boolean,
    helperPath: string,
    onExit: (code: number, signal: number) => void,
  ): { readonly fd: number; readonly pid: number };
  resize(fd: number, columns: number, rows: number): void;
}

/** Size of a terminal until somebody attaches with another: the published daemon's. */
const initialColumns = 80;
const initialRows = 24;

const readBytes = 64 * 1024;

const { native, helperPath } = loadNative();

/** Throws `launch_failed` when the harness cannot be executed. */
export async function spawnInPty(spec: ChildSpec): Promise<Child> {
  const early: Buffer[] = [];
  let end: ChildEnd | undefined;
  let listener: ChildListener = {
    output: (_, bytes) => early.push(Buffer.from(bytes)),
    ended: () => undefined,
  };
  const buffer = Buffer.allocUnsafe(readBytes);

  const pty = native.fork(
    spec.file,
    spec.args,
    Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
    spec.cwd,
    initialColumns,
    initialRows,
    -1,
    -1,
    true,
    helperPath,
    (code, signal) => {
      end = signal > 0 ? { exitCode: null, signal: signalName(signal) } : { exitCode: code, signal: null };
      drain();
      stream.destroy();
      listener.ended(end);
    },
  );
  fcntlSync(pty.fd, "setfd", fcntl.FD_CLOEXEC);

  const stream = new ReadStream(pty.fd, {
    onread: {
      buffer,
      callback: (count: number) => {
        listener.output(null, buffer.subarray(0, count));
        return true;
      },
    },
  });
  // The hang-up, told before the descriptor is closed.
  stream.on("end", drain);
  // EIO is how Linux says that the last process has closed the terminal; the end itself is told by the exit.
  stream.on("error", () => undefined);
  stream.resume();

  function drain(): void {
    while (!stream.destroyed) {
      const count = readSome(pty.fd, buffer);
      if (count === 0) return;
      listener.output(null, buffer.subarray(0, count));
    }
  }

  await execOf(pty.pid, () => end !== undefined);
  requireExec(spec.file, end, early);

  return {
    pid: pty.pid,
    listen(given) {
      listener = given;
      for (const bytes of early) given.output(null, bytes);
      if (end !== undefined) given.ended(end);
    },
    write(bytes) {
      if (stream.destroyed || stream.writableLength + bytes.length > unreadInputBytesMax) return false;
      stream.write(bytes);
      return true;
    },
    resize(columns, rows) {
      if (!stream.destroyed) native.resize(pty.fd, columns, rows);
    },
    pause: () => stream.pause(),
    resume: () => stream.resume(),
  };
}

/** node-pty's forked child can tell of a failed exec only in the terminal it was to become. */
function requireExec(file: string, end: ChildEnd | undefined, early: readonly Buffer[]): void {
  if (end?.exitCode !== 1) return;
  const why = /^(?:execvp|chdir)\(\d\) failed\.: (.*)/.exec(Buffer.concat(early).toString("utf8"))?.[1];
  if (why === undefined) return;
  throw new Failure("launch_failed", `${file} could not be started: ${why.trim()}`);
}

/** Bytes read, 0 when there is nothing now (EAGAIN) or for good (EIO, end of file). */
function readSome(fd: number, buffer: Buffer): number {
  try {
    return readSync(fd, buffer, 0, buffer.length, null);
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "EAGAIN" || error.code === "EIO"))
      return 0;
    throw error;
  }
}

/**
 * Resolves when the forked child has become the harness (or has ended): until then it is a copy of the host, and a
 * failed exec is not yet known. Only Linux shows this; macOS spawns, and reports a failed exec by itself.
 */
async function execOf(pid: number, hasEnded: () => boolean): Promise<void> {
  if (process.platform !== "linux") return;
  const own = commandLine(process.pid);
  while (!hasEnded() && commandLine(pid) === own) await new Promise(setImmediate);
}

function commandLine(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return undefined; // gone, which its exit tells
  }
}

const signalName = (number: number): string =>
  Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? `signal ${number}`;

/** Built from source on Linux, shipped ready on macOS. */
function loadNative(): { native: NativePty; helperPath: string } {
  const require = createRequire(import.meta.url);
  const home = dirname(require.resolve("node-pty/package.json"));
  const folders = ["build/Release", `prebuilds/${process.platform}-${process.arch}`].map((name) =>
    join(home, name),
  );
  const folder = folders.find((candidate) => existsSync(join(candidate, "pty.node")));
  const module: unknown = folder === undefined ? undefined : require(join(folder, "pty.node"));
  if (folder !== undefined && isNativePty(module))
    return { native: module, helperPath: join(folder, "spawn-helper") };
  throw new Failure("internal_error", `the pty module in ${home} is not built`, {
    hint: "Run npm rebuild node-pty.",
  });
}

function isNativePty(module: unknown): module is NativePty {
  return typeof module === "object" && module !== null && "fork" in module && "resize" in module;
}

/**
 * A harness in a pty.
 *
 * We read the terminal's descriptor ourselves instead of using node-pty's reader, which loses the end of a flood:
 * what is left when the process has ended is read until there is no more, so nothing it printed is missing. The
 * descriptor is closed to other children at once; node-pty leaves it open, and every later harness would inherit it.
 */
import { closeSync, constants, existsSync, openSync, readFileSync, readSync } from "node:fs";
import { createRequire } from "node:module";
import { constants as os } from "node:os";
import { dirname, join } from "node:path";
import { ReadStream } from "node:tty";
import { constants as fcntl, fcntlSync } from "fs-ext";
import { Failure } from "../../errors.ts";
import { initialTerminalSize } from "../../events.ts";
import type { Child, ChildEnd, ChildListener, ChildSpec } from "./child.ts";
import { createPtyInput } from "./pty-input.ts";

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
  ): { readonly fd: number; readonly pid: number; readonly pty: string };
  resize(fd: number, columns: number, rows: number): void;
}

/**
 * What is read goes through here and on at once, so that one buffer serves all terminals. As long as what Linux gives at
 * most in one read of a terminal: where that fills the buffer, libuv reads on without asking first whether there is more.
 */
const buffer = Buffer.allocUnsafe(4095);

/** How long a terminal that outlives its harness in a background child must be silent to be taken for read, ms. */
const heldSilenceMs = 50;

/** Most that a terminal holds unread, bytes, with room: what comes beyond is a background child's, not the harness's. */
const leftBytesMax = 1024 * 1024;

/** How long a spawned child is looked at in every turn of the loop before the looks get rarer, ms. */
const execUsuallyMsMax = 10;

const { native, helperPath } = loadNative();

/** Throws `launch_failed` when the harness cannot be executed. */
export async function spawnInPty(spec: ChildSpec): Promise<Child> {
  const early: Buffer[] = [];
  let end: ChildEnd | undefined;
  let hasExited = false;
  let tellEnded: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => (tellEnded = resolve));
  let listener: ChildListener = {
    output: (_, bytes) => early.push(Buffer.from(bytes)),
    ended: () => undefined,
  };

  const pty = native.fork(
    spec.file,
    spec.args,
    Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
    spec.cwd,
    initialTerminalSize.columns,
    initialTerminalSize.rows,
    -1,
    -1,
    true,
    helperPath,
    // In a turn of its own: what is thrown inside the native callback would be swallowed there.
    (code, signal) => setImmediate(() => void onExit(code, signal)),
  );
  fcntlSync(pty.fd, "setfd", fcntl.FD_CLOEXEC);

  // Held open by us as well: a harness that closes its terminal and works on would be hung up on, and libuv takes the
  // hang-up for the end of what there is to read.
  const held = openSync(pty.pty, constants.O_RDWR | constants.O_NOCTTY);

  const stream = new ReadStream(pty.fd, {
    onread: {
      buffer,
      callback: (count: number) => {
        listener.output(null, buffer.subarray(0, count));
        return true;
      },
    },
  });
  stream.on("error", () => undefined); // the end is told by the exit
  stream.resume();
  const input = createPtyInput(pty.fd);

  async function onExit(code: number, signal: number): Promise<void> {
    hasExited = true;
    input.close();
    stream.pause();
    closeSync(held);
    await readToEnd();
    end = signal > 0 ? { exitCode: null, signal: signalName(signal) } : { exitCode: code, signal: null };
    stream.destroy();
    tellEnded();
    listener.ended(end);
  }

  /**
   * The terminal ends (EIO) once everything was read and nobody holds it. Nothing to read is no end: the kernel may
   * still be moving what was written. Only where a background child holds the terminal does silence decide.
   */
  async function readToEnd(): Promise<void> {
    let bytes = 0;
    for (let silentMs = 0; silentMs < heldSilenceMs && bytes < leftBytesMax;) {
      if (stream.destroyed) return;
      const found = readSome(pty.fd);
      if (found === "end") return;
      if (found > 0) {
        listener.output(null, buffer.subarray(0, found));
        bytes += found;
        silentMs = 0;
        continue;
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
      silentMs += 1;
    }
  }

  if (await endsWithoutExec(pty.pid)) await ended;
  requireExec(spec.file, end, early);

  return {
    pid: pty.pid,
    listen(given) {
      listener = given;
      for (const bytes of early) given.output(null, bytes);
      if (end !== undefined) given.ended(end);
    },
    write: input.write,
    endInput: () => undefined,
    resize(columns, rows) {
      if (!stream.destroyed) native.resize(pty.fd, columns, rows);
    },
    pause: () => stream.pause(),
    resume() {
      // Its end is read by hand, whether the log is behind or not: what is left is little, and the ending waits for it.
      if (!hasExited) stream.resume();
    },
  };
}

/** node-pty's forked child can tell of a failed exec only in the terminal it was to become. */
function requireExec(file: string, end: ChildEnd | undefined, early: readonly Buffer[]): void {
  if (end?.exitCode !== 1) return;
  const why = /^(?:execvp|chdir)\(\d\) failed\.: (.*)/.exec(Buffer.concat(early).toString("utf8"))?.[1];
  if (why === undefined) return;
  throw new Failure("launch_failed", `${file} could not be started: ${why.trim()}`);
}

/** Bytes read into the buffer, 0 when there is nothing now. */
function readSome(fd: number): number | "end" {
  try {
    return readSync(fd, buffer, 0, buffer.length, null) || "end";
  } catch (error) {
    // Usually EIO: everything was read and nobody holds the terminal. Whatever it is, there is no more to read.
    return error instanceof Error && "code" in error && error.code === "EAGAIN" ? 0 : "end";
  }
}

/**
 * Resolves when the forked child has become the harness: until then it is a copy of the host, and a failed exec is not
 * yet known. Answers whether it is gone by then, as after a failed exec. Only Linux shows this; macOS spawns, and its
 * helper ends as any program does.
 */
async function endsWithoutExec(pid: number): Promise<boolean> {
  if (process.platform !== "linux") return false;
  const own = commandLine(process.pid);
  const since = performance.now();
  for (;;) {
    const line = commandLine(pid);
    if (line === undefined) return true;
    // Empty in the middle of an exec, and of a zombie, which is soon gone.
    if (line !== "" && line !== own) return false;
    if (performance.now() - since < execUsuallyMsMax) await new Promise(setImmediate);
    else await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

function commandLine(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return undefined; // gone, which its exit tells
  }
}

const signalName = (number: number): string =>
  Object.entries(os.signals).find(([, value]) => value === number)?.[0] ?? `signal ${number}`;

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

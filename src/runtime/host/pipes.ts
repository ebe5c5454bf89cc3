/** A harness with structured output, on pipes and in a session of its own, so that its whole tree can be ended. */
import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { Failure } from "../../errors.ts";
import { type Child, type ChildEnd, type ChildSpec, unreadInputBytesMax } from "./child.ts";

/** Throws `launch_failed` when the harness cannot be executed. */
export async function spawnOnPipes(spec: ChildSpec): Promise<Child> {
  const child = attemptSpawn(spec);
  const { pid, stdin, stdout, stderr } = child;
  if (pid === undefined) throw await spawnFailure(child, spec.file);

  const exited = new Promise<ChildEnd>((resolve) => {
    child.once("exit", (exitCode, signal) => resolve({ exitCode, signal }));
  });
  // A harness that ends without reading its input is no failure of ours.
  stdin.on("error", () => undefined);
  stdin.write(spec.stdin ?? "");
  if (!spec.inputStaysOpen) stdin.end();
  let hasExited = false;

  return {
    pid,
    listen(listener) {
      stdout.on("data", (bytes: Buffer) => listener.output("stdout", bytes));
      stderr.on("data", (bytes: Buffer) => listener.output("stderr", bytes));
      void exited.then(async (end) => {
        hasExited = true;
        await drained([stdout, stderr]);
        stdout.destroy();
        stderr.destroy();
        listener.ended(end);
      });
    },
    write(bytes) {
      if (!stdin.writable || stdin.writableLength + bytes.length > unreadInputBytesMax) return false;
      stdin.write(bytes);
      return true;
    },
    endInput: () => void stdin.end(),
    resize: () => undefined,
    pause() {
      if (hasExited) return; // what is left is little, and the ending waits for it
      stdout.pause();
      stderr.pause();
    },
    resume() {
      stdout.resume();
      stderr.resume();
    },
  };
}

/** Most that the pipes hold unread, bytes, with room: what comes beyond is a background child's, not the harness's. */
const leftBytesMax = 1024 * 1024;

/** Turns of the event loop without output after which the pipes are empty: one may end before they are looked at. */
const quietTurnsWanted = 3;

/**
 * Everything the process itself printed is in the pipes when its exit is told, so they are read until they are quiet.
 * Waiting for them to close would wait for every background child that still holds them, and waiting for a log that is
 * behind, for a full disk.
 */
async function drained(streams: readonly NodeJS.ReadableStream[]): Promise<void> {
  let open = streams.length;
  let quietTurns = 0;
  let bytes = 0;
  for (const stream of streams) {
    stream.resume();
    stream.on("data", (chunk: Buffer) => {
      quietTurns = 0;
      bytes += chunk.length;
    });
    stream.once("close", () => {
      open -= 1;
    });
  }
  while (open > 0 && quietTurns < quietTurnsWanted && bytes < leftBytesMax) {
    quietTurns += 1;
    await new Promise(setImmediate);
  }
}

/** What is too large for an exec is refused at once, not by an event. */
function attemptSpawn({ file, args, cwd, env }: ChildSpec): ChildProcessWithoutNullStreams {
  try {
    return spawn(file, args, { cwd, env, detached: true, stdio: "pipe" });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Failure("launch_failed", `${file} could not be started: ${why}`, { cause });
  }
}

function spawnFailure(child: ChildProcess, file: string): Promise<Failure> {
  return new Promise((resolve) => {
    child.once("error", (cause) => {
      resolve(new Failure("launch_failed", `${file} could not be started: ${cause.message}`, { cause }));
    });
  });
}

import { afterEach, describe, expect, test } from "vitest";
import type { Child, ChildEnd } from "../../../src/runtime/host/child.ts";
import { spawnInPty } from "../../../src/runtime/host/pty.ts";

const children: Child[] = [];
afterEach(() => {
  for (const child of children.splice(0)) {
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      continue; // it has ended, as most do
    }
  }
});

async function spawn(script: string): Promise<Child> {
  const child = await spawnInPty({
    file: "/bin/sh",
    args: ["-c", script],
    cwd: "/",
    env: { PATH: process.env["PATH"] ?? "" },
    stdin: undefined,
    inputStaysOpen: false,
  });
  children.push(child);
  return child;
}

/** Everything printed, once the harness has ended. */
function everything(child: Child): Promise<{ output: Buffer; end: ChildEnd }> {
  const chunks: Buffer[] = [];
  return new Promise((resolve) => {
    child.listen({
      output: (_, bytes) => chunks.push(Buffer.from(bytes)),
      ended: (end) => resolve({ output: Buffer.concat(chunks), end }),
    });
  });
}

describe("a harness in a pty", () => {
  test.each(Array.from({ length: 10 }, (_, index) => index + 1))(
    "loses nothing of a flood that ends with it (%i)",
    async () => {
      const child = await spawn("seq 1 200000");
      const { output } = await everything(child);
      const lines = output.toString("latin1").split("\r\n");
      expect(lines.length).toBe(200_001);
      expect(lines.at(-2)).toBe("200000");
    },
  );

  test("tells exit code and signal", async () => {
    expect((await everything(await spawn("exit 3"))).end).toEqual({ exitCode: 3, signal: null });
    expect((await everything(await spawn("kill -9 $$"))).end).toEqual({ exitCode: null, signal: "SIGKILL" });
  });

  test("answers what is typed", async () => {
    const child = await spawn("read line; echo got $line");
    const done = everything(child);
    child.write(Buffer.from("hello\r"));
    expect((await done).output.toString()).toContain("got hello");
  });

  test("ends although a background child holds the terminal, with all that was printed", async () => {
    const { output, end } = await everything(await spawn("trap '' HUP; sleep 1000 & echo $!; seq 1 1000"));
    const lines = output.toString().trim().split("\r\n");
    process.kill(Number(lines[0]), "SIGKILL");
    expect(end.exitCode).toBe(0);
    expect(lines.at(-1)).toBe("1000");
  });

  test("may close its terminal and work on", async () => {
    const { output, end } = await everything(
      await spawn("exec 3<&0 </dev/null >/dev/null 2>&1; sleep 0.1; echo still here >/dev/tty; exit 7"),
    );
    expect(end).toEqual({ exitCode: 7, signal: null });
    expect(output.toString()).toBe("still here\r\n");
  });

  test("ends although a background child goes on printing", async () => {
    const child = await spawn("trap '' HUP; yes & echo $!; exit 4");
    const { output, end } = await everything(child);
    expect(end.exitCode).toBe(4);
    process.kill(Number(/\d+/.exec(output.toString())?.[0]), "SIGKILL");
  });

  test("inherits no descriptor of the host or of another session", async () => {
    await spawn("read line");
    const { output } = await everything(await spawn("ls -l /proc/self/fd"));
    const open = [...output.toString().matchAll(/ (\d+) -> '?([^'\r\n]+)/g)].map(([, fd, path]) => ({
      fd,
      path,
    }));
    expect(open.filter(({ fd }) => Number(fd) <= 2)).toHaveLength(3);
    // What the test itself was started with may pass; a terminal's other end, a socket or a poller may not.
    expect(open.filter(({ path }) => /ptmx|socket|anon_inode|sqlite/.test(path ?? ""))).toEqual([]);
  });

  test("says before the launch is answered that a program cannot be executed", async () => {
    const spec = { args: [], cwd: "/", env: {}, stdin: undefined, inputStaysOpen: false };
    await expect(spawnInPty({ ...spec, file: "/nowhere/program" })).rejects.toMatchObject({
      code: "launch_failed",
    });
    await expect(spawnInPty({ ...spec, file: "/bin/sh", cwd: "/nowhere" })).rejects.toMatchObject({
      code: "launch_failed",
    });
  });
});

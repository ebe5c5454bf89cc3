/** Harnesses that end in odd ways: the end is told, at once, and nothing before it is missing. */
import { expect, test } from "vitest";
import { z } from "zod";
import { stillLiving } from "../../src/runtime/host/processes.ts";
import { startDaemon } from "../support/daemon.ts";
import { eventsOf } from "../support/launch.ts";
import { allEventsOf, identified, launchOn, outputOf, processOf, transports } from "../support/lanes.ts";

test.each(transports)("half a character and a broken escape at the end are kept on %s", async (transport) => {
  const daemon = await startDaemon();
  for (const end of [String.raw`caf\303`, String.raw`red\033[3`, String.raw`\360\237\222`]) {
    const { id, cursor } = await launchOn(transport, daemon, `printf 'before ${end}'`);
    await daemon.client.call("watch", { sessions: [id], cursor });
    const octal = (text: string): Buffer =>
      Buffer.from(
        text.replace(/\\(\d{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8))),
        "latin1",
      );
    expect(await outputOf(daemon, id)).toEqual(octal(`before ${end}`));
  }
});

test.each(transports)(
  "a harness on %s that closes all it has lives on, and its end is told when it comes",
  async (transport) => {
    const daemon = await startDaemon();
    const script =
      "d=$(mktemp -d); mkfifo $d/go; echo $d; echo ready; exec 9<>$d/go </dev/null >/dev/null 2>&1; read go <&9; exit 7";
    const { id, cursor } = await launchOn(transport, daemon, script);
    await daemon.client.call("watch", { sessions: [id], matchText: "ready", cursor });
    const harness = await processOf(daemon, id);
    const folder = /^\/\S+/m.exec((await outputOf(daemon, id)).toString())?.[0] ?? "";
    // Still there after a whole other lane has come and gone.
    const other = await launchOn(transport, daemon, "exit 0");
    await daemon.client.call("watch", { sessions: [other.id], cursor: other.cursor });
    expect(stillLiving([harness])).toHaveLength(1);
    await launchOn("pty", daemon, `echo go >${folder}/go; rm -r ${folder}`);
    expect(await daemon.client.call("watch", { sessions: [id], cursor })).toMatchObject({
      sessions: [{ status: "failed", exitCode: 7 }],
    });
  },
);

test.each(transports)(
  "twenty harnesses on %s that are gone at once all end, each with its code",
  async (transport) => {
    const daemon = await startDaemon();
    const lanes = await Promise.all(
      Array.from({ length: 20 }, async (_, code) => ({
        code,
        ...(await launchOn(transport, daemon, `printf ${code}; exit ${code}`)),
      })),
    );
    for (const { id, code, cursor } of lanes) {
      expect(await daemon.client.call("watch", { sessions: [id], cursor })).toMatchObject({
        sessions: [{ exitCode: code }],
      });
      expect((await outputOf(daemon, id)).toString()).toBe(String(code));
      expect((await eventsOf(daemon, id)).at(-1)).toMatchObject({ kind: "exit" });
    }
  },
);

test.each(transports)(
  "what a harness on %s leaves running is named before its exit, shown by status and ended by kill",
  async (transport) => {
    const daemon = await startDaemon();
    const { id, cursor } = await launchOn(
      transport,
      daemon,
      "trap '' HUP; sleep 1000 & echo left $!; exit 4",
    );
    expect(await daemon.client.call("watch", { sessions: [id], cursor })).toMatchObject({
      sessions: [{ status: "failed", exitCode: 4 }],
    });
    const pid = Number(/left (\d+)/.exec((await outputOf(daemon, id)).toString())?.[1]);
    const left = identified(pid);
    const processes = [{ pid, command: "sleep 1000" }];
    expect((await eventsOf(daemon, id)).filter(({ kind }) => /left|exit/.test(kind))).toMatchObject([
      { kind: "left_behind", payload: { processes } },
      { kind: "exit" },
    ]);
    expect((await eventsOf(daemon, id)).at(-1)).toMatchObject({ kind: "exit" });
    expect(await daemon.client.call("status", { session: id })).toMatchObject({
      active: false,
      leftBehind: processes,
    });

    expect(await daemon.client.call("kill", { session: id })).toMatchObject({
      id,
      status: "failed",
      exit_code: 4,
    });
    expect(stillLiving([left])).toEqual([]);
    expect(await daemon.client.call("status", { session: id })).not.toHaveProperty("leftBehind");
    await expect(daemon.client.call("kill", { session: id })).rejects.toMatchObject({
      code: "session_not_live",
    });
  },
);

test("input to a harness that never reads is refused after a while, freezes nothing, and can be killed", async () => {
  const daemon = await startDaemon();
  const { id, cursor } = await launchOn("pty", daemon, "stty raw -echo; echo ready; exec sleep 1000");
  await daemon.client.call("watch", { sessions: [id], cursor, matchText: "ready" });
  const data = "x".repeat(200_000);
  const codes: unknown[] = [];
  for (let calls = 0; calls < 10; calls += 1) {
    codes.push(
      await daemon.client.call("input", { session: id, data }).then(
        () => "taken",
        (error: unknown) => z.object({ code: z.string() }).parse(error).code,
      ),
    );
  }
  expect(codes[0]).toBe("taken");
  expect(codes.at(-1)).toBe("input_not_accepted");
  const taken = codes.filter((code) => code === "taken").length;
  const logged = (await allEventsOf(daemon, id)).filter(({ kind }) => kind === "input");
  const characters = logged.reduce(
    (sum, { payload_json }) =>
      sum + z.object({ data: z.string() }).parse(JSON.parse(payload_json)).data.length,
    0,
  );
  expect(characters).toBe(taken * data.length);
  for (const { payload_json } of logged)
    expect(Buffer.byteLength(payload_json)).toBeLessThanOrEqual(16 * 1024);

  expect(await daemon.client.health()).toMatchObject({ ok: true });
  expect(await daemon.client.call("kill", { session: id, graceMs: 0 })).toMatchObject({ status: "killed" });
});

test("no event is longer than a row may be, whatever a harness says in its structured output", async () => {
  const daemon = await startDaemon();
  const long = (character: string): string => `$(head -c 100000 /dev/zero | tr '\\0' '${character}')`;
  const script = [
    `echo "{\\"type\\":\\"thread.started\\",\\"thread_id\\":\\"${long("i")}\\"}"`,
    `echo "{\\"type\\":\\"item.completed\\",\\"item\\":{\\"id\\":\\"${long("t")}\\",\\"type\\":\\"command_execution\\",\\"command\\":\\"${long("c")}\\",\\"aggregated_output\\":\\"${long("o")}\\",\\"exit_code\\":0}}"`,
    `echo "{\\"type\\":\\"item.completed\\",\\"item\\":{\\"id\\":\\"m\\",\\"type\\":\\"agent_message\\",\\"text\\":\\"${long("m")}\\"}}"`,
    `echo "{\\"type\\":\\"turn.failed\\",\\"error\\":{\\"message\\":\\"${long("e")}\\"}}"`,
  ].join("\n");
  const { id, cursor } = await launchOn("pipes", daemon, script);
  await daemon.client.call("watch", { sessions: [id], cursor });
  const events = await eventsOf(daemon, id);
  const kinds = new Set(events.map(({ kind }) => kind));
  expect([...kinds]).toEqual(expect.arrayContaining(["conversation", "tool", "message", "result", "exit"]));
  for (const { kind, payload_json } of events)
    expect(Buffer.byteLength(payload_json), kind).toBeLessThanOrEqual(16 * 1024 + 64);
  expect(events.find(({ kind }) => kind === "tool")?.payload_json).toMatch(/… \(\d+ more characters\)/);
});

/** Whatever becomes of its host, a launch is known by what is told of it, and done once. */
import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";
import { type TestDaemon, makeHome, startDaemon } from "../support/daemon.ts";
import { launch, makeProject } from "../support/launch.ts";
import { send } from "../support/socket.ts";

const listed = z.object({ sessions: z.array(z.object({ id: z.string(), status: z.string() })) });
const done = z.object({
  replayed: z.boolean().optional(),
  event: z.object({ payload: z.object({ id: z.string() }).loose() }),
});

const sessionsOf = async ({ client }: TestDaemon) => listed.parse(await client.call("list", {})).sessions;

const hostOf = (home: string): number =>
  Number(readdirSync(home).flatMap((name) => /^host-(\d+)\.sock$/.exec(name)?.[1] ?? [])[0]);

test("a launch that a host is too slow to answer is launched once, however often it is asked for", async () => {
  const home = makeHome();
  const daemon = await startDaemon(home);
  // So that the host is there.
  await daemon.client.call("watch", { sessions: [(await launch(daemon, "exit 0")).id] });
  const args = { harness: "shell", projectRoot: makeProject(), prompt: "exit 3" };
  const body = { action: "run", args, intentId: "a" };
  process.kill(hostOf(home), "SIGSTOP");
  const first = await send(daemon.socket, "POST", "/api/v1/actions", { body });
  process.kill(hostOf(home), "SIGCONT");
  const again = await send(daemon.socket, "POST", "/api/v1/actions", { body });
  const { id } = done.parse(first.body).event.payload;
  expect(done.parse(again.body)).toMatchObject({ replayed: true, event: { payload: { id } } });
  expect(await daemon.client.call("watch", { sessions: [id] })).toMatchObject({
    sessions: [{ status: "failed", exitCode: 3 }],
  });
  expect(await sessionsOf(daemon)).toHaveLength(2);
}, 30_000);

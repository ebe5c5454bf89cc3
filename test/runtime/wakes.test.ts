import { expect, test } from "vitest";
import { z } from "zod";
import { startDaemon } from "../support/daemon.ts";
import { eventsOf, launch } from "../support/launch.ts";

const asked = z.object({ wake: z.string(), state: z.string(), cursor: z.string() });

test("an ended session that is woken goes on with its conversation in a new run", async () => {
  const daemon = await startDaemon();
  const { client } = daemon;
  const { id, cursor } = await launch(daemon, "echo first", { harness: "turns" });
  await client.call("watch", { sessions: [id], cursor });
  const { conversation } = await record(client, id);
  const wake = asked.parse(await client.call("wake", { session: id, message: "echo second in $0" }));
  await client.call("watch", { sessions: [id], cursor: wake.cursor });
  expect(await client.call("status", { session: id })).toMatchObject({ runs: 2, status: "completed" });
  const printed = (await eventsOf(daemon, id)).filter(({ kind }) => kind === "output");
  expect(printed.map(({ payload }) => payload)).toEqual([
    { data: "first\r\n" },
    { data: `second in ${conversation}\r\n` },
  ]);
  expect(await client.call("wakes", { session: id, all: true })).toMatchObject({
    wakes: [{ wake: wake.wake, state: "delivered" }],
  });
});

const record = async (
  client: { call: (name: string, input: object) => Promise<unknown> },
  session: string,
) => {
  const { harness_session_id } = z
    .object({ harness_session_id: z.string() })
    .parse(await client.call("record", { session }));
  return { conversation: harness_session_id };
};

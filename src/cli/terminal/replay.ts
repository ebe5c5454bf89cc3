/** What a session has printed so far, page by page. */
import { output } from "../../capabilities/output.ts";
import type { Client } from "../../rpc/client.ts";
import type { Place } from "../follow.ts";
import { type Waiting, signalOf, throughRestarts } from "../../rpc/patience.ts";

/** Shows everything printed after a place; answers the seq up to which it was. */
export async function replay(
  client: Client,
  { session, afterSeq }: Place,
  show: (bytes: Buffer) => Promise<void> | void,
  waiting: Waiting = {},
): Promise<number> {
  let seq = afterSeq;
  for (;;) {
    const page = await throughRestarts(
      async () =>
        output.output.parse(await client.call("output", { session, afterSeq: seq }, signalOf(waiting))),
      waiting,
    );
    seq = page.nextCursor.afterSeq;
    await show(Buffer.from(page.dataBase64, "base64"));
    if (!page.hasMore) return seq;
  }
}

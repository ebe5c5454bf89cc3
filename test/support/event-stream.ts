/** Server-sent events as a reader of any make gets them: blocks of fields, over the socket. */
import { type IncomingMessage, request } from "node:http";
import { onTestFinished } from "vitest";
import { z } from "zod";

export interface Sent {
  readonly id: string | undefined;
  readonly event: string | undefined;
  readonly record: { readonly seq: number; readonly session_id: string; readonly kind: string } | undefined;
}

export interface EventStream {
  readonly response: IncomingMessage;
  /** What comes, in order; over when the stream is, with an error when it was cut off. */
  readonly sent: AsyncGenerator<Sent, undefined>;
  /** Everything up to and including the first for which it is true. */
  readonly until: (isLast: (sent: Sent) => boolean) => Promise<Sent[]>;
  readonly close: () => void;
}

export function openResponse(
  socketPath: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    // A connection of its own, as a browser's event source has; a shared pool would make the others wait.
    const sent = request({ socketPath, path, headers, agent: false }, resolve);
    sent.on("error", reject);
    onTestFinished(() => void sent.destroy());
    sent.end();
  });
}

export async function openEventStream(
  socketPath: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<EventStream> {
  const response = await openResponse(socketPath, path, { accept: "text/event-stream", ...headers });
  if (response.statusCode !== 200) throw new Error(`answered ${response.statusCode ?? 0}`);
  const sent = sentOf(response);
  return {
    response,
    sent,
    async until(isLast) {
      const seen: Sent[] = [];
      for (;;) {
        const next = await sent.next();
        if (next.done === true) throw new Error(`the stream ended after ${JSON.stringify(seen.slice(-3))}`);
        seen.push(next.value);
        if (isLast(next.value)) return seen;
      }
    },
    close: () => response.destroy(),
  };
}

const record = z.object({ seq: z.int(), session_id: z.string(), kind: z.string() });

async function* sentOf(response: IncomingMessage): AsyncGenerator<Sent, undefined> {
  for await (const fields of blocksOf(response)) {
    const data = fields.get("data");
    yield {
      id: fields.get("id"),
      event: fields.get("event"),
      record: data === undefined ? undefined : record.parse(JSON.parse(data)),
    };
  }
  return undefined;
}

/** The fields of each block; a comment has none but itself, under no name. */
export async function* blocksOf(response: IncomingMessage): AsyncGenerator<ReadonlyMap<string, string>> {
  let text = "";
  response.setEncoding("utf8");
  for await (const chunk of response) {
    text += String(chunk);
    const blocks = text.split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      const lines = block.split("\n").map((line) => /^(\w*): ?(.*)$/s.exec(line) ?? []);
      yield new Map(lines.map(([, name = "", value = ""]) => [name, value]));
    }
  }
}

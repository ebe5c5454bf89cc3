/** A session's terminal as a person sees it, drawn from the log while the harness runs. */
import xterm from "@xterm/headless";
import { onTestFailed, onTestFinished } from "vitest";
import { eventPayloads } from "../../src/events.ts";
import type { Lane } from "./lane.ts";

export interface Screen {
  /** Answers the screen once it shows the text, in the log's order: what was shown before is not looked at again. */
  readonly shows: (text: string) => Promise<string>;
}

export function screenOf({ daemon, session }: Lane): Screen {
  const terminal = new xterm.Terminal({ cols: 80, rows: 24, allowProposedApi: true });
  const over = new AbortController();
  const events = daemon.client.events(session, 0, over.signal);
  const draw = (data: string): Promise<void> => new Promise((resolve) => terminal.write(data, resolve));
  const picture = (): string => {
    const { baseY } = terminal.buffer.active;
    const rows = Array.from({ length: terminal.rows }, (_, row) =>
      terminal.buffer.active.getLine(baseY + row)?.translateToString(true),
    );
    return rows.join("\n");
  };
  onTestFinished(() => over.abort());
  onTestFailed(() => console.error(picture()));
  return {
    shows: async (text) => {
      while (!picture().includes(text)) {
        const next = await events.next();
        if (next.done === true || next.value.kind === "exit") throw new Error(`never on the screen: ${text}`);
        if (next.value.kind !== "output") continue;
        await draw(eventPayloads.output.parse(JSON.parse(next.value.payload_json)).data);
      }
      return picture();
    },
  };
}

/** Lanes of the harness `shell`, in projects of their own. */
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { z } from "zod";
import type { TestDaemon } from "./daemon.ts";

const launched = z.object({ id: z.string(), runId: z.string(), cursor: z.string(), status: z.string() });
const page = z.object({
  events: z.array(z.object({ seq: z.int(), kind: z.string(), payload_json: z.string() })),
});

export function makeProject(): string {
  const project = realpathSync(mkdtempSync(join(tmpdir(), "coven-project-")));
  onTestFinished(() => rmSync(project, { recursive: true, force: true }));
  return project;
}

export async function launch({ client }: TestDaemon, prompt: string, more: object = {}) {
  return launched.parse(
    await client.call("run", { harness: "shell", projectRoot: makeProject(), prompt, ...more }),
  );
}

/** Everything logged of a session, with its payloads read. */
export async function eventsOf({ client }: TestDaemon, session: string) {
  const { events } = page.parse(await client.call("events", { session }));
  return events.map(({ seq, kind, payload_json }) => ({
    seq,
    kind,
    payload_json,
    payload: parsed(payload_json),
  }));
}

const parsed = (json: string): unknown => JSON.parse(json);

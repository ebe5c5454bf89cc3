import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { z } from "zod";
import { type Lane, call, launch, payloadsOf } from "./lane.ts";
import { commandThen } from "./work.ts";

const interactive = { launchMode: "interactive" };

it("claude's activity: busy, attention at its permission prompt, waiting at its composer", async () => {
  const turns = (): object[] => commandThen("claude", "echo done > done.txt", "It-is-done.");
  const lane = await launch("claude", { turns, prompt: "Do something.", args: interactive });
  const asked = await attention(lane);
  console.log(JSON.stringify(asked));
  await call(lane, "input", { keys: ["enter"] });
  await activityIs(lane, "waiting");
  console.log(await payloadsOf(lane, "activity"));
});

it("codex's activity", async () => {
  const turns = (): object[] => commandThen("codex", "echo done > done.txt", "It-is-done.");
  const lane = await launch("codex", {
    turns,
    prompt: "Do something.",
    args: { ...interactive, permission: "read-only" },
  });
  await activityIs(lane, "waiting");
  console.log(JSON.stringify(await payloadsOf(lane, "activity"), null, 1));
});

const statusAnswer = z.object({ activity: z.object({ state: z.string(), evidence: z.string() }).nullable() });

async function attention(lane: Lane): Promise<unknown> {
  return activityIs(lane, "attention");
}

/** Waits for the event, in the product's own stream. */
async function activityIs({ daemon, session }: Lane, state: string): Promise<unknown> {
  const over = new AbortController();
  try {
    for await (const { kind, payload_json } of daemon.client.events(session, 0, over.signal)) {
      if (kind !== "activity") continue;
      const payload = z.looseObject({ state: z.string() }).parse(JSON.parse(payload_json));
      if (payload.state === state) return payload;
    }
  } finally {
    over.abort();
  }
  throw new Error(`never ${state}`);
}

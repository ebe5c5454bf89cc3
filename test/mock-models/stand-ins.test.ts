import { existsSync } from "node:fs";
import { expect, it } from "vitest";
import { startStandIn } from "./stand-ins.ts";

const scenario = { turns: [{ text: "Hello from the script." }] };

it.each([
  ["claude", "/v1/messages", { messages: [{ role: "user", content: "hi" }] }],
  ["codex", "/v1/responses", { input: "hi" }],
] as const)(
  "plays the script to %s, remembers the question, and leaves nothing behind",
  async (harness, path, body) => {
    const standIn = await startStandIn(harness, scenario);
    const answer = await fetch(`http://127.0.0.1:${standIn.port}${path}`, {
      method: "POST",
      body: JSON.stringify({ ...body, model: "m", tools: [{ name: "t" }] }),
    });
    expect(await answer.text()).toContain("Hello from the script.");
    expect(standIn.seen()).toMatchObject([
      { kind: "listening", port: standIn.port },
      { kind: "turn", model: "m", tools: ["t"] },
      { kind: "answer" },
    ]);
    await standIn.stop();
    await standIn.stop();
    expect(existsSync(standIn.home)).toBe(false);
    await expect(fetch(`http://127.0.0.1:${standIn.port}/`)).rejects.toThrow();
  },
);

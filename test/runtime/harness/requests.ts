import type { LaunchRequest } from "../../../src/runtime/harness/harness.ts";

export const conversationId = "11111111-2222-4333-8444-555555555555";

export const request = (overrides: Partial<LaunchRequest> = {}): LaunchRequest => ({
  mode: "nonInteractive",
  prompt: "fix the test",
  model: undefined,
  permission: undefined,
  addDirs: [],
  toolServer: undefined,
  hook: undefined,
  conversation: { kind: "new", id: conversationId },
  ...overrides,
});

export const resumed = { kind: "resume", id: conversationId } as const;

export const toolServer = {
  name: "coven",
  command: "/opt/coven/bin/coven",
  args: ["mcp"],
  variables: ["COVEN_HOME", "COVEN_TOKEN"],
  approved: ["kill"],
  about: 'You have "tools".\nUse them.',
} as const;

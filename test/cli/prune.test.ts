import { describe, expect, it } from "vitest";
import { covenForFile, jsonIn } from "../support/coven.ts";

const { coven, launch } = covenForFile();

describe("prune", () => {
  it("says what it would remove, removes it, and shows in the log that it is gone", async () => {
    const { id } = await launch("claude", "look");
    await coven(["watch", id]);
    const would = await coven(["prune", "--dry-run", "--older-than", "0s", "--json"]);
    expect(jsonIn(would.stdout)).toMatchObject({ dryRun: true, sessions: 1 });
    expect((await coven(["tail", id])).stdout).toContain("I looked at it.");
    const done = await coven(["prune", "--older-than", "0s", "--max-size", "1.5GB"]);
    expect(done.code).toBe(0);
    expect(done.stdout).toMatch(
      /^removed \d+ events of 1 sessions, [\d.]+ (bytes|KB)\nthe store now has .+ in use\n$/,
    );
    expect((await coven(["tail", id])).stdout).toMatch(/^\[pruned\] \d+ events/);
    expect((await coven(["list"])).stdout).toMatch(/completed +claude/);
  });

  it("keeps a log of 30 days when nothing is said", async () => {
    const { id } = await launch("claude", "look");
    await coven(["watch", id]);
    expect((await coven(["prune"])).stdout).toMatch(/^removed 0 events of 0 sessions, 0 bytes$/m);
    expect((await coven(["prune", "--older-than", "30d"])).stdout).toMatch(/^removed 0 events/);
  });

  it.each([
    ["--max-size", "lots"],
    ["--max-size", "-1GB"],
    ["--max-size", "5 parsecs"],
    ["--max-size", "5"],
    ["--older-than", "5w"],
    ["--older-than", "30"],
  ])("does not take %s %s", async (option, value) => {
    const { code, stderr } = await coven(["prune", `${option}=${value}`]);
    expect(code).toBe(64);
    expect(stderr).toMatch(/^coven: invalid_request: .* such as /);
  });
});

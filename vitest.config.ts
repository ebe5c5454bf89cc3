import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Most tests wait for processes: on two cores one worker leaves half the time unused.
    maxWorkers: 2,
    exclude: ["test/real/**", "node_modules/**"],
    // Real processes on a small machine: a slow start is no failure, a lost event is, and it would wait for ever.
    // Two tests have failed once on a crowded machine without their cause being known yet.
    retry: 1,
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
